from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2

from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_decoder import InferRequestDecoder
from modeldyno.wire.v2_grpc import encode_infer_request, infer_outputs, parse_infer_response
from modeldyno.wire.v2_grpc_infer import AnswerTranslator, InferTranslator, stream_answer, stream_error
from modeldyno.wire.v2_messages import message_class
from modeldyno.wire.v2_response import InferResponseEncoder

SIGNATURE = Signature(
    inputs=(
        TensorSpec(name="x", datatype="FP32", shape=("batch", 2)),
        TensorSpec(name="words", datatype="BYTES", shape=("batch",)),
    ),
    outputs=(
        TensorSpec(name="y", datatype="FP32", shape=("batch", 2)),
        TensorSpec(name="said", datatype="BYTES", shape=("batch",)),
    ),
)
REQUESTS, ANSWERS = InferTranslator(), AnswerTranslator()
ROWS = st.lists(st.tuples(st.floats(width=32, allow_nan=False), st.binary(max_size=9)), min_size=1, max_size=5)


def arrays(rows: list[tuple[float, bytes]]) -> dict[str, NDArray[np.generic]]:
    words = np.empty(len(rows), object)
    words[:] = [word for _, word in rows]
    return {"x": np.array([[number, -number] for number, _ in rows], np.float32), "words": words}


def typed(rows: list[tuple[float, bytes]], **more: Any) -> bytes:
    message = message_class("ModelInferRequest")(model_name="m", **more)
    message.inputs.add(name="x", datatype="FP32", shape=[len(rows), 2]).contents.fp32_contents.extend(
        [one for number, _ in rows for one in (number, -number)]
    )
    message.inputs.add(name="words", datatype="BYTES", shape=[len(rows)]).contents.bytes_contents.extend(
        [word for _, word in rows]
    )
    return bytes(message.SerializeToString())


def plain(**fields: Any) -> Any:
    message = service_pb2.ModelInferRequest(model_name="m", **fields)
    message.inputs.add(name="x", datatype="FP32", shape=[1])
    return message


@given(rows=ROWS, identity=st.text(max_size=5), is_raw=st.booleans())
def test_a_request_means_the_same_raw_and_typed_and_its_answer_comes_back_alike(
    rows: list[tuple[float, bytes]], identity: str, *, is_raw: bool
) -> None:
    given_arrays = arrays(rows)
    message = (
        encode_infer_request(given_arrays, SIGNATURE, "m", request_id=identity) if is_raw else typed(rows, id=identity)
    )
    asked = REQUESTS.translate(message)
    request = InferRequestDecoder(SIGNATURE).decode(asked.body, asked.header_length)

    assert (b"/v2/models/m/infer", is_raw, identity.encode()) == (asked.target, asked.is_raw, asked.id)
    for name, array in given_arrays.items():
        np.testing.assert_array_equal(array, request.inputs[name])
    outputs = {"y": given_arrays["x"], "said": given_arrays["words"]}
    encoded = InferResponseEncoder("m", "1", SIGNATURE).encode(request, outputs)
    answer = service_pb2.ModelInferResponse.FromString(
        b"".join(ANSWERS.translate(*encoded, asked.id, is_raw=asked.is_raw))
    )
    assert (identity, "m", "1") == (answer.id, answer.model_name, answer.model_version)
    assert is_raw == bool(answer.raw_output_contents)
    back = infer_outputs(parse_infer_response(answer.SerializeToString()))
    for name, array in outputs.items():
        np.testing.assert_array_equal(array, back[name])


def test_numbers_begin_at_a_multiple_of_their_size() -> None:
    asked = REQUESTS.translate(encode_infer_request(arrays([(1, b"a")]), SIGNATURE, "m"))

    assert 0 == asked.header_length % 64


def test_what_a_request_says_is_kept_apart_from_its_id_and_its_tensors() -> None:
    translator = InferTranslator()
    for number in range(1_000):
        translator.translate(
            encode_infer_request(arrays([(number, b"%d" % (number % 7))]), SIGNATURE, "m", request_id=str(number))
        )

    assert 1 == len(translator._known)


def test_requests_of_many_kinds_do_not_fill_the_memory() -> None:
    translator = InferTranslator()
    for number in range(2_000):
        translator.translate(encode_infer_request(arrays([(1, b"a")]), SIGNATURE, f"m{number}"))

    assert len(translator._known) <= 256


def test_parameters_and_outputs_go_along() -> None:
    message = plain(model_version="2", raw_input_contents=[bytes(4)])
    message.parameters["priority"].int64_param = 1
    message.parameters["loud"].bool_param = True
    message.parameters["share"].double_param = 0.5
    message.inputs[0].parameters["note"].string_param = "n"
    message.outputs.add(name="y").parameters["classification"].int64_param = 3
    asked = REQUESTS.translate(message.SerializeToString())
    header = asked.body[: asked.header_length]

    assert b"/v2/models/m/versions/2/infer" == asked.target
    for text in (b'"priority":1', b'"loud":true', b'"share":0.5', b'"note":"n"', b'"classification":3'):
        assert text in header


def test_a_name_cannot_leave_its_place_in_the_path() -> None:
    message = plain(raw_input_contents=[bytes(4)])
    message.model_name, message.model_version = "a/../b?c", "1/infer"

    asked = REQUESTS.translate(message.SerializeToString())
    assert b"/v2/models/a%2F..%2Fb%3Fc/versions/1%2Finfer/infer" == asked.target


def test_fields_that_we_do_not_know_are_left_out() -> None:
    known = encode_infer_request(arrays([(1, b"a")]), SIGNATURE, "m", request_id="7")

    assert REQUESTS.translate(known) == REQUESTS.translate(b"\xfa\x3f\x01z" + known)


@pytest.mark.parametrize(
    ("message", "said"),
    (
        (b"\xff", "not a valid ModelInferRequest"),
        (b"\x0a\xff\xff\xff\xff\xff\x01", "not a valid ModelInferRequest"),
        (b"\x0a\x05ab", "not a valid ModelInferRequest"),
        (b"\x2a\x01\xff\x3a\x00", "not a valid ModelInferRequest"),
        (b"\x1a\x01\xff\x3a\x00", "not UTF-8"),
        (plain(raw_input_contents=[b"", b""]).SerializeToString(), "1 inputs, but 2 raw"),
        (plain().SerializeToString(), "1 values; 0 came"),
        (b"\x3a\x00", "name of the model is empty"),
        (b"\x0a\x01m\x3a\x00", "0 inputs, but 1 raw"),
    ),
)
def test_what_is_no_request_is_refused(message: bytes, said: str) -> None:
    with pytest.raises(WireError, match=said):
        REQUESTS.translate(message)


def test_tensors_cannot_be_raw_and_typed_at_once() -> None:
    message = plain(raw_input_contents=[bytes(4)])
    message.inputs[0].contents.fp32_contents.append(1)

    with pytest.raises(WireError, match="raw_input_contents came as well"):
        REQUESTS.translate(message.SerializeToString())


@pytest.mark.parametrize(
    ("datatype", "field", "values", "said"),
    (
        ("FP16", "fp32_contents", [1.0], "only be sent as raw"),
        ("BF16", "fp32_contents", [1.0], "only be sent as raw"),
        ("FP99", "fp32_contents", [1.0], "unknown datatype"),
        ("FP32", "fp64_contents", [1.0], "came as fp64_contents"),
        ("INT8", "int_contents", [300], "out of the range"),
        ("INT8", "int_contents", [1, 2], "2 came"),
    ),
)
def test_typed_contents_must_fit_their_datatype(datatype: str, field: str, values: list[Any], said: str) -> None:
    message = plain()
    message.inputs[0].datatype = datatype
    getattr(message.inputs[0].contents, field).extend(values)

    with pytest.raises(WireError, match=said):
        REQUESTS.translate(message.SerializeToString())


@given(noise=st.binary(max_size=80))
def test_any_bytes_are_a_request_or_refused(noise: bytes) -> None:
    try:
        asked = REQUESTS.translate(noise)
    except WireError:
        return

    assert asked.header_length <= len(asked.body)


def test_an_answer_within_a_stream_and_an_error_are_the_ordinary_messages() -> None:
    encoded = ANSWERS.translate(b'{"model_name":"m","outputs":[]}', None, b"7", is_raw=True)
    answer = service_pb2.ModelStreamInferResponse.FromString(b"".join(stream_answer(encoded)))

    assert ("m", "7", "") == (answer.infer_response.model_name, answer.infer_response.id, answer.error_message)
    assert "no" == service_pb2.ModelStreamInferResponse.FromString(stream_error("no")).error_message
