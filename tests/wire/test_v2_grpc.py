from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tritonclient.grpc import model_config_pb2, service_pb2

from modeldyno.bfloat16 import BF16
from modeldyno.records.signature import DATATYPES, WITHOUT_JSON, Signature, TensorSpec
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_grpc import (
    decode_index,
    decode_metadata,
    encode_index_request,
    encode_infer_request,
    encode_metadata_request,
    infer_outputs,
    parse_infer_response,
)
from modeldyno.wire.v2_messages import _MESSAGES, message_class, method_path

NUMBERS = sorted(set(DATATYPES) - {"BYTES"})
TYPED = sorted(set(NUMBERS) - WITHOUT_JSON)


def fields_of(descriptor: Any) -> list[tuple[object, ...]]:
    return [
        (
            field.name,
            field.number,
            field.type,
            field.is_repeated,
            field.message_type and field.message_type.full_name,
            field.containing_oneof and field.containing_oneof.name,
        )
        for field in descriptor.fields
    ]


@pytest.mark.parametrize("name", tuple(_MESSAGES))
def test_the_messages_are_those_of_the_ordinary_client(name: str) -> None:
    outer, *inner_names = name.split(".")
    is_partial = outer in model_config_pb2.DESCRIPTOR.message_types_by_name or name == "ModelStatistics"
    file = model_config_pb2 if is_partial and name != "ModelStatistics" else service_pb2
    theirs = file.DESCRIPTOR.message_types_by_name[outer]
    for inner in inner_names:
        theirs = theirs.nested_types_by_name[inner]
    ours = fields_of(message_class(name).DESCRIPTOR)

    if is_partial:  # what no client reads is left out
        assert {field[:-1] for field in ours} <= {field[:-1] for field in fields_of(theirs)}
    else:
        assert fields_of(theirs) == ours


def test_the_datatypes_of_a_configuration_have_the_numbers_of_the_ordinary_client() -> None:
    theirs = model_config_pb2.DESCRIPTOR.enum_types_by_name["DataType"]
    ours = message_class("ModelInput").DESCRIPTOR.fields_by_name["data_type"].enum_type

    assert [(one.name, one.number) for one in theirs.values] == [(one.name, one.number) for one in ours.values]


def test_the_calls_have_the_paths_of_the_specification() -> None:
    service = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]

    for method in ("ModelInfer", "ModelMetadata", "RepositoryIndex"):
        assert f"/{service.full_name}/{method}" == method_path(method)
        assert method in service.methods_by_name


@st.composite
def tensors(draw: st.DrawFn, datatypes: list[str]) -> tuple[str, NDArray[np.generic]]:
    datatype = draw(st.sampled_from(datatypes))
    shape = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    count = int(np.prod(shape))
    if datatype == "BYTES":
        values = draw(st.lists(st.binary(max_size=9), min_size=count, max_size=count))
        array = np.empty(count, object)
        array[:] = values
        return datatype, array.reshape(shape)
    content = draw(st.binary(min_size=8 * count, max_size=8 * count))
    if datatype == "BF16":
        return datatype, np.frombuffer(content, BF16, count).reshape(shape)
    numbers = np.frombuffer(content, "<i8") % 1_000 if datatype == "FP16" else np.frombuffer(content, "<i8")
    return datatype, numbers.astype(DATATYPES[datatype]).reshape(shape)


@given(tensor=tensors([*NUMBERS, "BYTES"]), number=st.integers(0, 9_999))
def test_a_request_is_what_the_ordinary_client_would_read(tensor: tuple[str, NDArray[np.generic]], number: int) -> None:
    datatype, array = tensor
    signature = Signature(inputs=(TensorSpec(name="x", datatype=datatype, shape=("batch",)),), outputs=())
    message = encode_infer_request({"x": array}, signature, "digits", request_id=str(number))
    read = service_pb2.ModelInferRequest.FromString(message)

    assert ("digits", "", str(number)) == (read.model_name, read.model_version, read.id)
    assert [("x", datatype, list(array.shape))] == [(one.name, one.datatype, list(one.shape)) for one in read.inputs]
    assert 1 == len(read.raw_input_contents)


@given(tensor=tensors([*NUMBERS, "BYTES"]))
def test_raw_outputs_come_back_as_they_were(tensor: tuple[str, NDArray[np.generic]]) -> None:
    datatype, array = tensor
    signature = Signature(inputs=(TensorSpec(name="y", datatype=datatype, shape=("batch",)),), outputs=())
    request = service_pb2.ModelInferRequest.FromString(encode_infer_request({"y": array}, signature, "m"))
    answer = service_pb2.ModelInferResponse(raw_output_contents=request.raw_input_contents)
    answer.outputs.add(name="y", datatype=datatype, shape=array.shape)
    outputs = infer_outputs(parse_infer_response(answer.SerializeToString()))

    assert ["y"] == list(outputs)
    assert array.dtype == outputs["y"].dtype
    np.testing.assert_array_equal(array, outputs["y"])


FIELDS = {"BOOL": "bool_contents", "INT64": "int64_contents", "UINT64": "uint64_contents", "FP32": "fp32_contents",
          "FP64": "fp64_contents", "BYTES": "bytes_contents"}  # fmt: skip


@given(tensor=tensors([*TYPED, "BYTES"]))
def test_typed_outputs_come_back_as_they_were(tensor: tuple[str, NDArray[np.generic]]) -> None:
    datatype, array = tensor
    answer = service_pb2.ModelInferResponse()
    output = answer.outputs.add(name="y", datatype=datatype, shape=array.shape)
    field = FIELDS.get(datatype, "uint_contents" if datatype.startswith("U") else "int_contents")
    getattr(output.contents, field).extend(array.ravel().tolist())
    outputs = infer_outputs(parse_infer_response(answer.SerializeToString()))

    np.testing.assert_array_equal(array, outputs["y"])


def wrong_answer(what: str) -> Any:
    answer = service_pb2.ModelInferResponse()
    output = answer.outputs.add(name="y", datatype="FP32", shape=[2])
    output.contents.fp32_contents.extend([1.0, 2.0])
    match what:
        case "too few values":
            output.shape[0] = 3
        case "too many values":
            output.shape[0] = 1
        case "another type of values":
            output.datatype = "FP64"
        case "an unknown datatype":
            output.datatype = "FP99"
        case "a datatype without values":
            output.datatype = "BF16"
        case "a negative size":
            output.shape[0] = -2
        case "too few raw contents":
            answer.outputs.add(name="z", datatype="FP32", shape=[0])
            answer.raw_output_contents.append(bytes(8))
        case "raw contents of another size":
            answer.raw_output_contents.append(bytes(9))
        case "a value out of range":
            output.datatype = "INT8"
            output.contents.int_contents.extend([1, 300])
    return answer


@pytest.mark.parametrize(
    "what",
    (
        "too few values", "too many values", "another type of values", "an unknown datatype",
        "a datatype without values",
        "a negative size", "too few raw contents", "raw contents of another size", "a value out of range",
    ),
)  # fmt: skip
def test_an_answer_that_does_not_fit_together_is_wrong(what: str) -> None:
    with pytest.raises(WireError):
        infer_outputs(parse_infer_response(wrong_answer(what).SerializeToString()))


def test_metadata_become_a_signature_whose_open_sizes_have_names() -> None:
    metadata = service_pb2.ModelMetadataResponse(name="m", platform="p", versions=["1"])
    metadata.inputs.add(name="x", datatype="FP32", shape=[-1, 3, -1])
    metadata.outputs.add(name="y", datatype="INT64", shape=[-1])

    expected = Signature(
        inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 3, "dim2")),),
        outputs=(TensorSpec(name="y", datatype="INT64", shape=("batch",)),),
    )
    assert expected == decode_metadata(metadata.SerializeToString())


@pytest.mark.parametrize("datatype", ("", "BF8", "float"))
def test_metadata_with_a_datatype_that_we_cannot_send_are_wrong(datatype: str) -> None:
    metadata = service_pb2.ModelMetadataResponse(name="m")
    metadata.inputs.add(name="x", datatype=datatype, shape=[1])
    metadata.outputs.add(name="y", datatype="FP32", shape=[1])

    with pytest.raises(WireError, match="datatype"):
        decode_metadata(metadata.SerializeToString())


def test_metadata_of_nothing_are_wrong() -> None:
    with pytest.raises(WireError, match="0 inputs"):
        decode_metadata(b"")


@pytest.mark.parametrize("read", (parse_infer_response, decode_metadata, decode_index))
def test_bytes_that_are_no_message_are_wrong(read: Any) -> None:
    with pytest.raises(WireError, match="not a valid"):
        read(b"\xff\xff\xff")


def test_requests_about_models_are_those_of_the_ordinary_client() -> None:
    assert service_pb2.ModelMetadataRequest(name="m") == service_pb2.ModelMetadataRequest.FromString(
        encode_metadata_request("m")
    )
    assert b"" == encode_index_request()


def test_an_index_becomes_names_in_order() -> None:
    index = service_pb2.RepositoryIndexResponse()
    for name, version in (("b", "1"), ("a", "1"), ("a", "2")):
        index.models.add(name=name, version=version, state="READY")
    index.models.add(name="gone", version="1", state="UNAVAILABLE")
    index.models.add(name="stateless")
    assert ["a", "b", "stateless"] == decode_index(index.SerializeToString())
