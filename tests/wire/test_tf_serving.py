import json
from typing import Any

import numpy as np
import pytest

from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.wire.errors import WireError
from modeldyno.wire.tf_serving import ServedSignature, decode_answer, decode_metadata, encode_examples, encode_predict

ONE = ServedSignature(
    "serving_default",
    "predict",
    Signature(inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch",)),), outputs=()),
)
TWO = ServedSignature(
    "named",
    "predict",
    Signature(
        inputs=(
            TensorSpec(name="tag", datatype="BYTES", shape=("batch",)),
            TensorSpec(name="signal", datatype="INT64", shape=("batch", 2)),
        ),
        outputs=(),
    ),
)


def tensor(dtype: str, *sizes: int, unknown_rank: bool = False) -> dict[str, Any]:
    dims = [{"size": str(size), "name": ""} for size in sizes]
    return {"dtype": dtype, "tensor_shape": {"dim": dims, "unknown_rank": unknown_rank}, "name": "t:0"}


def metadata(**signatures: Any) -> bytes:
    # As a TensorFlow Serving 2 answers: the signatures under the same key twice.
    return json.dumps(
        {"model_spec": {"name": "m", "version": "1"}, "metadata": {"signature_def": {"signature_def": signatures}}}
    ).encode()


def signature(inputs: dict[str, Any], outputs: dict[str, Any], method: str = "predict") -> dict[str, Any]:
    return {"inputs": inputs, "outputs": outputs, "method_name": f"tensorflow/serving/{method}"}


def test_metadata_become_a_signature() -> None:
    body = metadata(
        serving_default=signature(
            {"text": tensor("DT_STRING", -1), "image": tensor("DT_FLOAT", -1, 224, -1)},
            {"scores": tensor("DT_DOUBLE", -1, 10)},
        ),
        __saved_model_init_op=signature({}, {}),
    )

    served = decode_metadata(body)

    assert ("serving_default", "predict") == (served.name, served.method)
    assert (
        TensorSpec(name="image", datatype="FP32", shape=("batch", 224, "dim2")),
        TensorSpec(name="text", datatype="BYTES", shape=("batch",)),
    ) == served.signature.inputs
    assert (TensorSpec(name="scores", datatype="FP64", shape=("batch", 10)),) == served.signature.outputs


@pytest.mark.parametrize(
    ("body", "said"),
    (
        (b"<html>", "not metadata"),
        (b"{}", "not metadata"),
        (b"[]", "not metadata"),
        (metadata(other=signature({}, {}), __init=signature({}, {})), "it has other"),
        (metadata(serving_default=signature({}, {})), "has no inputs"),
        (metadata(serving_default=signature({"x": tensor("DT_FLOAT")}, {}, "multi")), "no REST call"),
        (metadata(serving_default=signature({"x": tensor("DT_COMPLEX64")}, {})), "'DT_COMPLEX64'"),
        (metadata(serving_default=signature({"x": tensor("DT_FLOAT", unknown_rank=True)}, {})), "unknown number"),
    ),
)
def test_metadata_that_cannot_be_used_are_refused(body: bytes, said: str) -> None:
    with pytest.raises(WireError, match=said):
        decode_metadata(body)


def test_the_only_input_goes_without_its_name() -> None:
    inputs = {"x": np.array([1.5, 2], np.float32)}

    assert {"instances": [1.5, 2]} == json.loads(encode_predict(inputs, ONE))
    assert {"inputs": [1.5, 2]} == json.loads(encode_predict(inputs, ONE, by_column=True))


def test_several_inputs_go_as_objects_a_row_or_lists_a_column() -> None:
    inputs = {"tag": np.array([b"foo", b"\xff\x00"], object), "signal": np.array([[1, 2], [3, 4]])}
    binary = {"b64": "/wA="}

    assert {
        "signature_name": "named",
        "instances": [{"tag": "foo", "signal": [1, 2]}, {"tag": binary, "signal": [3, 4]}],
    } == json.loads(encode_predict(inputs, TWO))
    assert {"signature_name": "named", "inputs": {"tag": ["foo", binary], "signal": [[1, 2], [3, 4]]}} == json.loads(
        encode_predict(inputs, TWO, by_column=True)
    )


def test_floats_that_json_lacks_go_as_the_page_says() -> None:
    assert b'{"instances":[NaN,-Infinity]}' == encode_predict({"x": np.array([np.nan, -np.inf], np.float32)}, ONE)


def test_examples_carry_features() -> None:
    served = ONE._replace(method="classify")

    body = encode_examples([{"age": 7, "image": b"\xff", "tags": ["a", b"\xfe"]}], served)

    assert {"examples": [{"age": 7, "image": {"b64": "/w=="}, "tags": ["a", {"b64": "/g=="}]}]} == json.loads(body)


@pytest.mark.parametrize(
    ("body", "outputs"),
    (
        (b'{"predictions": [3.5, 4.0]}', {"": [3.5, 4.0]}),
        (b'{"predictions": [[1, 2], [3, 4]]}', {"": [[1, 2], [3, 4]]}),
        (b'{"predictions": [{"a": 1, "b": [2]}, {"a": 3, "b": [4]}]}', {"a": [1, 3], "b": [[2], [4]]}),
        (b'{"predictions": [{"b64": "/wA="}, "x"]}', {"": [b"\xff\x00", b"x"]}),
        (b'{"outputs": {"a": [1], "b": ["x"]}}', {"a": [1], "b": [b"x"]}),
        (b'{"outputs": [true]}', {"": [True]}),
        (b'{"results": [3.5, 4.0]}', {"": [3.5, 4.0]}),
        (b'{"result": [[["cat", 0.9], ["dog", 0.1]]]}', {"classes": [[b"cat", b"dog"]], "scores": [[0.9, 0.1]]}),
    ),
)
def test_answers_become_outputs(body: bytes, outputs: dict[str, Any]) -> None:
    assert outputs == {name: array.tolist() for name, array in decode_answer(body).items()}


def test_an_answer_may_hold_what_is_no_number() -> None:
    assert np.isnan(decode_answer(b'{"predictions": [NaN]}')[""].tolist()) == [True]


@pytest.mark.parametrize(
    "body",
    (
        b"",
        b"[]",
        b"{}",
        b'{"predictions": [[1], [2, 3]]}',
        b'{"predictions": [{"a": 1}, {"b": 1}]}',
        b'{"predictions": [null]}',
        b'{"predictions": ["a", 1]}',
        b'{"predictions": [{"b64": "?"}]}',
        b'{"predictions": [["a"], "b"]}',
        b'"predictions"',
    ),
)
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        decode_answer(body)
