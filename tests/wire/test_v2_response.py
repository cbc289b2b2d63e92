"""`modeldyno.wire.v2_response` and the client's reading of it."""

import json

import numpy as np
import pytest

from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_client import decode_infer_response
from modeldyno.wire.v2_request import InferRequest
from modeldyno.wire.v2_response import InferResponseEncoder
from modeldyno.wire.v2_wishes import OutputWish

SIGNATURE = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 3)),),
    outputs=(
        TensorSpec(name="y", datatype="FP32", shape=("batch", 2)),
        TensorSpec(name="word", datatype="BYTES", shape=("batch",)),
    ),
)
WORD = np.array([b"ab"], object)


def asking(*wishes: OutputWish, request_id: str | None = None) -> InferRequest:
    return InferRequest({}, 1, 3, ((3,),), wishes, request_id)


def test_the_answer_names_the_model_and_returns_the_id() -> None:
    request = asking(OutputWish("y", binary=False), request_id='a "quoted" id')
    body, header_length = InferResponseEncoder("m", "2", SIGNATURE).encode(
        request, {"y": np.array([[1, 2.5]], np.float32)}
    )
    assert header_length is None
    assert json.loads(body) == {
        "model_name": "m",
        "model_version": "2",
        "id": 'a "quoted" id',
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [1.0, 2.5]}],
    }


def test_only_the_binary_ones_of_mixed_outputs_follow_the_json() -> None:
    request = asking(OutputWish("word", binary=False), OutputWish("y", binary=True))
    outputs = {"y": np.array([[1, 2]], np.float32), "word": WORD}
    body, header_length = InferResponseEncoder("m", "1", SIGNATURE).encode(request, outputs)
    assert header_length is not None
    tensors = json.loads(body[:header_length])["outputs"]
    assert tensors[0] == {"name": "word", "datatype": "BYTES", "shape": [1], "data": ["ab"]}
    assert tensors[1] == {"name": "y", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}}
    np.testing.assert_array_equal([[1, 2]], decode_infer_response(body, header_length)["y"])


def test_answers_of_other_sizes_do_not_share_a_remembered_header() -> None:
    encoder = InferResponseEncoder("m", "1", SIGNATURE)
    request = asking(OutputWish("word", binary=True))
    for word in (b"ab", b"longer", b"ab"):
        body, header_length = encoder.encode(request, {"word": np.array([word], object)})
        assert [word] == decode_infer_response(body, header_length)["word"].tolist()


@pytest.mark.parametrize("value", (np.nan, np.inf, -np.inf))
def test_json_cannot_hold_nan_or_infinity(value: float) -> None:
    with pytest.raises(WireError, match="ask for binary output"):
        InferResponseEncoder("m", "1", SIGNATURE).encode(
            asking(OutputWish("y", binary=False)), {"y": np.array([[1, value]], np.float32)}
        )


def test_json_cannot_hold_bytes_that_are_no_text() -> None:
    with pytest.raises(WireError, match="not UTF-8"):
        InferResponseEncoder("m", "1", SIGNATURE).encode(
            asking(OutputWish("word", binary=False)), {"word": np.array([b"\xff"], object)}
        )


@pytest.mark.parametrize(
    ("body", "header_length"),
    (
        (b"", None),
        (b"{}", None),
        (b'{"outputs":[]}', 20),
        (b'{"outputs":[]}x', 14),
        (b'{"outputs":[{"name":"y","datatype":"FP99","shape":[1],"data":[1]}]}', None),
        (b'{"outputs":[{"name":"y","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}}]}abc', 92),
    ),
)
def test_a_client_refuses_a_malformed_answer(body: bytes, header_length: int | None) -> None:
    with pytest.raises(WireError):
        decode_infer_response(body, header_length)
