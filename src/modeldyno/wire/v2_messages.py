"""The gRPC messages of the Open Inference Protocol v2, as classes of protobuf.

Sources: `specification/protocol/open_inference_grpc.proto` of the protocol; the rest are extensions of Triton's
(`grpc_service.proto` and `model_config.proto`; of the configuration, what clients read). The classes live in a pool of
their own: client libraries register the same names in the default one, and both must fit into one process.
"""

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from modeldyno.wire.errors import WireError

PACKAGE = "inference"
SERVICE = f"{PACKAGE}.GRPCInferenceService"

# Fields are numbered from 1 on in this order, or as "= N" says. "map T" is map<string, T>, "enum" is DataType.
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
        ("parameters", "map InferParameter"),
        ("inputs", "repeated ModelInferRequest.InferInputTensor"),
        ("outputs", "repeated ModelInferRequest.InferRequestedOutputTensor"),
        ("raw_input_contents", "repeated bytes"),
    ),
    "ModelInferRequest.InferInputTensor": (
        ("name", "string"),
        ("datatype", "string"),
        ("shape", "repeated int64"),
        ("parameters", "map InferParameter"),
        ("contents", "InferTensorContents"),
    ),
    "ModelInferRequest.InferRequestedOutputTensor": (("name", "string"), ("parameters", "map InferParameter")),
    "ModelInferResponse": (
        ("model_name", "string"),
        ("model_version", "string"),
        ("id", "string"),
        ("parameters", "map InferParameter"),
        ("outputs", "repeated ModelInferResponse.InferOutputTensor"),
        ("raw_output_contents", "repeated bytes"),
    ),
    "ModelInferResponse.InferOutputTensor": (
        ("name", "string"),
        ("datatype", "string"),
        ("shape", "repeated int64"),
        ("parameters", "map InferParameter"),
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
    "ModelRepositoryParameter": (
        ("bool_param", "oneof bool"),
        ("int64_param", "oneof int64"),
        ("string_param", "oneof string"),
        ("bytes_param", "oneof bytes"),
    ),
    "RepositoryModelLoadRequest": (
        ("repository_name", "string"),
        ("model_name", "string"),
        ("parameters", "map ModelRepositoryParameter"),
    ),
    "RepositoryModelLoadResponse": (),
    "RepositoryModelUnloadRequest": (
        ("repository_name", "string"),
        ("model_name", "string"),
        ("parameters", "map ModelRepositoryParameter"),
    ),
    "RepositoryModelUnloadResponse": (),
    "ModelStreamInferResponse": (("error_message", "string"), ("infer_response", "ModelInferResponse")),
    "ModelStatisticsRequest": (("name", "string"), ("version", "string")),
    "ModelStatisticsResponse": (("model_stats", "repeated ModelStatistics"),),
    "ModelStatistics": (
        ("name", "string"),
        ("version", "string"),
        ("last_inference", "uint64"),
        ("inference_count", "uint64"),
        ("execution_count", "uint64"),
        ("inference_stats", "InferStatistics"),
        ("batch_stats", "repeated InferBatchStatistics"),
    ),
    "InferStatistics": (
        ("success", "StatisticDuration"),
        ("fail", "StatisticDuration"),
        ("queue", "StatisticDuration"),
        ("compute_input", "StatisticDuration"),
        ("compute_infer", "StatisticDuration"),
        ("compute_output", "StatisticDuration"),
        ("cache_hit", "StatisticDuration"),
        ("cache_miss", "StatisticDuration"),
    ),
    "InferBatchStatistics": (
        ("batch_size", "uint64"),
        ("compute_input", "StatisticDuration"),
        ("compute_infer", "StatisticDuration"),
        ("compute_output", "StatisticDuration"),
    ),
    "StatisticDuration": (("count", "uint64"), ("ns", "uint64")),
    "TraceSettingRequest": (("settings", "map TraceSettingRequest.SettingValue"), ("model_name", "string")),
    "TraceSettingRequest.SettingValue": (("value", "repeated string"),),
    "TraceSettingResponse": (("settings", "map TraceSettingResponse.SettingValue"),),
    "TraceSettingResponse.SettingValue": (("value", "repeated string"),),
    "LogSettingsRequest": (("settings", "map LogSettingsRequest.SettingValue"),),
    "LogSettingsRequest.SettingValue": (
        ("bool_param", "oneof bool"),
        ("uint32_param", "oneof uint32"),
        ("string_param", "oneof string"),
    ),
    "LogSettingsResponse": (("settings", "map LogSettingsResponse.SettingValue"),),
    "LogSettingsResponse.SettingValue": (
        ("bool_param", "oneof bool"),
        ("uint32_param", "oneof uint32"),
        ("string_param", "oneof string"),
    ),
    "ModelConfigRequest": (("name", "string"), ("version", "string")),
    "ModelConfigResponse": (("config", "ModelConfig"),),
    "ModelConfig": (
        ("name", "string"),
        ("platform", "string"),
        ("version_policy", "ModelVersionPolicy"),
        ("max_batch_size", "int32"),
        ("input", "repeated ModelInput"),
        ("output", "repeated ModelOutput"),
        ("instance_group", "repeated ModelInstanceGroup"),
        ("default_model_filename", "string"),
        ("dynamic_batching", "ModelDynamicBatching = 11"),
        ("model_transaction_policy", "ModelTransactionPolicy = 19"),
        ("backend", "string = 17"),
        ("response_cache", "ModelResponseCache = 24"),
    ),
    "ModelInput": (
        ("name", "string"),
        ("data_type", "enum"),
        ("dims", "repeated int64 = 4"),
        ("is_shape_tensor", "bool = 6"),
        ("allow_ragged_batch", "bool = 7"),
        ("optional", "bool = 8"),
    ),
    "ModelOutput": (
        ("name", "string"),
        ("data_type", "enum"),
        ("dims", "repeated int64"),
        ("label_filename", "string"),
        ("is_shape_tensor", "bool = 6"),
    ),
    "ModelVersionPolicy": (("latest", "ModelVersionPolicy.Latest"), ("all", "ModelVersionPolicy.All")),
    "ModelVersionPolicy.Latest": (("num_versions", "uint32"),),
    "ModelVersionPolicy.All": (),
    "ModelInstanceGroup": (("name", "string"), ("count", "int32 = 2")),
    "ModelDynamicBatching": (
        ("preferred_batch_size", "repeated int32"),
        ("max_queue_delay_microseconds", "uint64"),
        ("preserve_ordering", "bool"),
        ("priority_levels", "uint64"),
        ("default_priority_level", "uint64"),
    ),
    "ModelTransactionPolicy": (("decoupled", "bool"),),
    "ModelResponseCache": (("enable", "bool"),),
}
_DATATYPES = (
    "INVALID", "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64",
    "STRING", "BF16",
)  # fmt: skip
"""`DataType` of the model configuration, from 0 on."""


def method_path(method: str) -> str:
    """The path of a call, such as `ModelInfer`."""
    return f"/{SERVICE}/{method}"


@cache
def message_class(name: str) -> Any:
    """The class of a message, by its name within the package, such as `ModelInferRequest`."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{PACKAGE}.{name}"))


def parse_message(name: str, content: bytes) -> Any:
    """A message of that class.

    Raises:
        WireError: it is none.
    """
    try:
        return message_class(name).FromString(content)
    except DecodeError as problem:
        raise WireError(f"not a valid {name}: {problem}") from problem


@cache
def _pool() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="open_inference.proto", package=PACKAGE, syntax="proto3")
    described: dict[str, Any] = {}
    for name, fields in _MESSAGES.items():
        outer, _, inner = name.rpartition(".")
        message = described[outer].nested_type.add(name=inner) if outer else file.message_type.add(name=name)
        described[name] = message
        for place, (field, described_kind) in enumerate(fields, start=1):
            kind, _, number = described_kind.partition(" = ")
            _add_field(message, name, (field, int(number or place), kind))
    datatypes = file.enum_type.add(name="DataType")
    for place, datatype in enumerate(_DATATYPES):
        datatypes.value.add(name=f"TYPE_{datatype}", number=place)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _add_field(message: Any, owner: str, described: tuple[str, int, str]) -> None:
    types = descriptor_pb2.FieldDescriptorProto
    name, number, kind = described
    label, _, kind = kind.rpartition(" ")
    field = message.field.add(name=name, number=number, label=types.LABEL_OPTIONAL)
    if label == "map":
        entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
        entry.options.map_entry = True
        _add_field(entry, owner, ("key", 1, "string"))
        _add_field(entry, owner, ("value", 2, kind))
        label, kind = "repeated", f"{owner}.{entry.name}"
    if label == "repeated":
        field.label = types.LABEL_REPEATED
    if label == "oneof":
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
        field.oneof_index = 0
    if kind == "enum":
        field.type, field.type_name = types.TYPE_ENUM, f".{PACKAGE}.DataType"
    elif kind[0].isupper():
        field.type, field.type_name = types.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    else:
        field.type = types.Type.Value(f"TYPE_{kind.upper()}")
