"""The gRPC messages of the Open Inference Protocol v2, as classes of protobuf.

Sources: `specification/protocol/open_inference_grpc.proto` of the protocol; `RepositoryIndex` is an extension of
Triton's (`grpc_service.proto`), which most servers offer. The classes live in a pool of their own: client libraries
register the same names in the default one, and both must fit into one process.
"""

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "inference"
SERVICE = f"{PACKAGE}.GRPCInferenceService"

# Fields are numbered from 1 on in this order. "map" is map<string, InferParameter>.
_MESSAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "ServerLiveRequest": (),
    "ServerLiveResponse": (("live", "bool"),),
    "ServerReadyRequest": (),
    "ServerReadyResponse": (("ready", "bool"),),
    "ModelReadyRequest": (("name", "string"), ("version", "string")),
    "ModelReadyResponse": (("ready", "bool"),),
    "ServerMetadataRequest": (),
    "ServerMetadataResponse": (("name", "string"), ("version", "string"), ("extensions", "repeated string")),
    "ModelMetadataRequest": (("name", "string"), ("version", "string")),
    "ModelMetadataResponse": (
        ("name", "string"),
        ("versions", "repeated string"),
        ("platform", "string"),
        ("inputs", "repeated ModelMetadataResponse.TensorMetadata"),
        ("outputs", "repeated ModelMetadataResponse.TensorMetadata"),
    ),
    "ModelMetadataResponse.TensorMetadata": (("name", "string"), ("datatype", "string"), ("shape", "repeated int64")),
    "InferParameter": (
        ("bool_param", "oneof bool"),
        ("int64_param", "oneof int64"),
        ("string_param", "oneof string"),
        ("double_param", "oneof double"),
        ("uint64_param", "oneof uint64"),
    ),
    "InferTensorContents": (
        ("bool_contents", "repeated bool"),
        ("int_contents", "repeated int32"),
        ("int64_contents", "repeated int64"),
        ("uint_contents", "repeated uint32"),
        ("uint64_contents", "repeated uint64"),
        ("fp32_contents", "repeated float"),
        ("fp64_contents", "repeated double"),
        ("bytes_contents", "repeated bytes"),
    ),
    "ModelInferRequest": (
        ("model_name", "string"),
        ("model_version", "string"),
        ("id", "string"),
        ("parameters", "map"),
        ("inputs", "repeated ModelInferRequest.InferInputTensor"),
        ("outputs", "repeated ModelInferRequest.InferRequestedOutputTensor"),
        ("raw_input_contents", "repeated bytes"),
    ),
    "ModelInferRequest.InferInputTensor": (
        ("name", "string"),
        ("datatype", "string"),
        ("shape", "repeated int64"),
        ("parameters", "map"),
        ("contents", "InferTensorContents"),
    ),
    "ModelInferRequest.InferRequestedOutputTensor": (("name", "string"), ("parameters", "map")),
    "ModelInferResponse": (
        ("model_name", "string"),
        ("model_version", "string"),
        ("id", "string"),
        ("parameters", "map"),
        ("outputs", "repeated ModelInferResponse.InferOutputTensor"),
        ("raw_output_contents", "repeated bytes"),
    ),
    "ModelInferResponse.InferOutputTensor": (
        ("name", "string"),
        ("datatype", "string"),
        ("shape", "repeated int64"),
        ("parameters", "map"),
        ("contents", "InferTensorContents"),
    ),
    "RepositoryIndexRequest": (("repository_name", "string"), ("ready", "bool")),
    "RepositoryIndexResponse": (("models", "repeated RepositoryIndexResponse.ModelIndex"),),
    "RepositoryIndexResponse.ModelIndex": (
        ("name", "string"),
        ("version", "string"),
        ("state", "string"),
        ("reason", "string"),
    ),
}


def method_path(method: str) -> str:
    """The path of a call, such as `ModelInfer`."""
    return f"/{SERVICE}/{method}"


@cache
def message_class(name: str) -> Any:
    """The class of a message, by its name within the package, such as `ModelInferRequest`."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{PACKAGE}.{name}"))


@cache
def _pool() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="open_inference.proto", package=PACKAGE, syntax="proto3")
    described: dict[str, Any] = {}
    for name, fields in _MESSAGES.items():
        outer, _, inner = name.rpartition(".")
        message = described[outer].nested_type.add(name=inner) if outer else file.message_type.add(name=name)
        described[name] = message
        for number, (field, kind) in enumerate(fields, start=1):
            _add_field(message, name, (field, number, kind))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _add_field(message: Any, owner: str, described: tuple[str, int, str]) -> None:
    types = descriptor_pb2.FieldDescriptorProto
    name, number, kind = described
    label, _, kind = kind.rpartition(" ")
    field = message.field.add(name=name, number=number, label=types.LABEL_OPTIONAL)
    if kind == "map":
        entry = message.nested_type.add(name="ParametersEntry")
        entry.options.map_entry = True
        _add_field(entry, owner, ("key", 1, "string"))
        _add_field(entry, owner, ("value", 2, "InferParameter"))
        label, kind = "repeated", f"{owner}.ParametersEntry"
    if label == "repeated":
        field.label = types.LABEL_REPEATED
    if label == "oneof":
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
        field.oneof_index = 0
    if kind[0].isupper():
        field.type, field.type_name = types.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    else:
        field.type = types.Type.Value(f"TYPE_{kind.upper()}")
