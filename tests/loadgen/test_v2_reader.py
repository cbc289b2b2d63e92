import json

import pytest

from modeldyno.loadgen.readers.v2 import LOOK_AT_EVERY, V2Reader, request_id
from modeldyno.records.requests import Outcome
from modeldyno.wire.http1_response import HttpResponse, MalformedResponseError

OUTPUTS = [{"name": "y", "datatype": "INT64", "shape": [1], "data": [1]}]


def answer(status: int = 200, **members: object) -> HttpResponse:
    body = json.dumps({"model_name": "m", "outputs": OUTPUTS, **members}).encode()
    return HttpResponse(status, {}, body, keep_alive=True)


def raw(body: bytes, **headers: bytes) -> HttpResponse:
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return HttpResponse(200, named, body, keep_alive=True)


def outcome(response: HttpResponse, which: int = 7) -> Outcome:
    reader = V2Reader()
    reader.begin(which)
    return reader.read(response).outcome


def test_an_answer_with_the_id_of_its_request_is_right() -> None:
    assert Outcome.OK == outcome(answer(id=request_id(7)))


def test_an_answer_with_another_id_is_to_another_request() -> None:
    assert Outcome.MISMATCHED == outcome(answer(id=request_id(8)))
    assert Outcome.MISMATCHED == outcome(answer(id=request_id(70)))


def test_a_server_that_echoes_no_id_is_left_alone() -> None:
    assert [Outcome.OK] * 3 == [outcome(one) for one in (answer(), answer(id=None), answer(id=""))]


def test_an_id_elsewhere_in_the_answer_is_not_that_of_the_answer() -> None:
    assert Outcome.OK == outcome(answer(parameters={"id": "x"}))


def test_an_error_needs_no_id() -> None:
    assert Outcome.HTTP_ERROR == outcome(answer(503, id=request_id(8)))


def test_the_tensors_behind_the_header_are_no_place_for_an_id() -> None:
    header = (
        b'{"id":"dyno-8","outputs":[{"name":"y","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":12}}]}'
    )
    body = header + b"\x08\0\0\0" + b'"dyno-7"'

    response = raw(body, inference_header_content_length=str(len(header)).encode())

    assert Outcome.MISMATCHED == outcome(response)


@pytest.mark.parametrize(
    "response",
    (
        raw(b""),
        raw(b"{}"),
        raw(b"<html>"),
        raw(b'{"outputs": []}x'),
        raw(b'{"outputs": []}', inference_header_content_length=b"99"),
        raw(b'{"outputs": []}', inference_header_content_length=b"-1"),
    ),
)
def test_the_first_answer_is_looked_at_in_full(response: HttpResponse) -> None:
    with pytest.raises(MalformedResponseError):
        outcome(response)


def test_one_answer_in_many_is_looked_at_in_full() -> None:
    reader = V2Reader()
    bad = raw(b'{"outputs": 1}')
    seen = []
    for number in range(2 * LOOK_AT_EVERY):
        reader.begin(number)
        reader.read(answer() if number % LOOK_AT_EVERY == 0 else bad)
        seen.append(number)
    reader.begin(0)

    with pytest.raises(MalformedResponseError):
        reader.read(bad)


def test_an_answer_that_is_not_looked_at_in_full_and_names_an_id_must_still_be_json() -> None:
    reader = V2Reader()
    reader.begin(1)
    reader.read(answer())

    with pytest.raises(MalformedResponseError):
        reader.read(raw(b'{"id": "dyno-2", '))


def test_each_answer_is_read_by_the_length_in_its_own_head() -> None:
    def binary(identity: str, name: str, tensor: bytes) -> HttpResponse:
        place = {"name": name, "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(tensor)}}
        header = json.dumps({"id": identity, "outputs": [place]}, separators=(",", ":")).encode()
        return raw(header + tensor, inference_header_content_length=str(len(header)).encode())

    reader = V2Reader()
    reader.begin(7)
    tensor = b"\x08\0\0\0" + b'"dyno-7"'

    assert Outcome.OK == reader.read(binary(request_id(7), "a long name of an output" * 3, tensor)).outcome
    assert Outcome.MISMATCHED == reader.read(binary(request_id(8), "y", tensor)).outcome
