import json

import pytest
from triton_answers import document, infer_answer

from modeldyno.wire.http1_response import ResponseReader
from modeldyno.wire.v2_client import decode_infer_response, header_length


@pytest.mark.parametrize("identity", ("dyno-7", None))
def test_an_answer_is_whole_and_bears_the_id_of_its_request(identity: str | None) -> None:
    asked = {"inputs": []} if identity is None else {"id": identity, "inputs": []}
    (response,) = ResponseReader().feed(infer_answer(json.dumps(asked, separators=(",", ":")).encode() + bytes(256)))
    length = header_length(response.headers)

    assert (1, 10) == decode_infer_response(response.body, length)["output"].shape
    assert identity == json.loads(response.body[:length]).get("id")


@pytest.mark.parametrize("path", (b"/v2", b"/v2/models/null", b"/v2/models/null/config", b"/v2/models/null/stats"))
def test_every_document_that_a_client_of_triton_asks_for_is_there(path: bytes) -> None:
    (response,) = ResponseReader().feed(document(path, 3))

    assert 200 == response.status
    assert json.loads(response.body)


def test_the_count_is_of_inferences() -> None:
    (response,) = ResponseReader().feed(document(b"/count", 3))

    assert {"requests": 3} == json.loads(response.body)
