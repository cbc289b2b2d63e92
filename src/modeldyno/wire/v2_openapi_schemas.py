"""JSON Schemas of what goes over HTTP in the Open Inference Protocol, for `v2_openapi`."""

from typing import Any, Final, TypeAlias

from modeldyno.records.signature import DATATYPES

Json: TypeAlias = dict[str, Any]

COUNT: Final[Json] = {"type": "integer", "minimum": 0}
TEXT: Final[Json] = {"type": "string"}
_FLAG: Final[Json] = {"type": "boolean"}


def _object(required: Json, optional: Json | None = None) -> Json:
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


def _list(items: Json, **more: Any) -> Json:
    return {"type": "array", "items": items, **more}


def schema_of(name: str) -> Json:
    """A reference to one of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


_PARAMETERS: Final[Json] = {
    "type": "object",
    "description": "What is not known here is ignored.",
    "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
}
_TIMES: Final = (
    "success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss",
    "cache_saved",
)  # fmt: skip
_LOG_SETTINGS: Final[Json] = {
    "log_file": {"const": ""},
    "log_info": _FLAG,
    "log_warning": _FLAG,
    "log_error": _FLAG,
    "log_verbose_level": {**COUNT, "maximum": 2**32 - 1},
    "log_format": {"const": "default"},
}
_TRACE_SETTINGS: Final[Json] = {
    "trace_rate": "1000", "trace_count": "-1", "log_frequency": "0", "trace_file": "", "trace_mode": "triton",
}  # fmt: skip
_DATATYPE: Final[Json] = {"type": "string", "enum": list(DATATYPES)}
_DATA: Final[Json] = {
    "type": "array",
    "description": "Row by row, flat or nested as the shape is; text for BYTES. FP16 and BF16 are binary only.",
}
_SHAPE: Final[Json] = _list({"type": "integer", "minimum": 0})

SCHEMAS: Final[Json] = {
    "Error": _object({"error": {"type": "string", "minLength": 1}}),
    "Live": _object({"live": {"const": True}}),
    "Ready": _object({"ready": _FLAG}),
    "ModelReady": _object({"name": TEXT, "ready": _FLAG}),
    "Server": _object({"name": TEXT, "version": TEXT, "extensions": _list(TEXT)}),
    "TensorMetadata": _object(
        {"name": TEXT, "datatype": _DATATYPE, "shape": _list({"type": "integer", "minimum": -1})}
    ),
    "Model": _object(
        {
            "name": TEXT,
            "platform": TEXT,
            "inputs": _list(schema_of("TensorMetadata")),
            "outputs": _list(schema_of("TensorMetadata")),
        },
        {"versions": _list(TEXT)},
    ),
    "InferInput": _object(
        {"name": TEXT, "datatype": TEXT, "shape": _SHAPE},
        {
            "data": _DATA,
            "parameters": {
                **_PARAMETERS,
                "description": "`binary_data_size`: the tensor is behind the JSON, so many bytes, instead of `data`.",
            },
        },
    ),
    "RequestedOutput": _object(
        {"name": TEXT},
        {
            "parameters": {
                **_PARAMETERS,
                "description": "`binary_data`: the form it comes in; `classification`: only so many highest values.",
            }
        },
    ),
    "InferRequest": _object(
        {"inputs": _list(schema_of("InferInput"), minItems=1)},
        {
            "id": {"type": ["string", "null"], "description": "Comes back in the answer."},
            "outputs": _list(schema_of("RequestedOutput"), description="All of the model's, when there are none."),
            "parameters": {
                **_PARAMETERS,
                "description": "`binary_data_output`, `priority` (1 is the highest), `timeout` (microseconds).",
            },
        },
    ),
    "InferOutput": _object(
        {"name": TEXT, "datatype": _DATATYPE, "shape": _SHAPE},
        {"data": _DATA, "parameters": _object({"binary_data_size": COUNT})},
    ),
    "InferAnswer": _object(
        {"model_name": TEXT, "model_version": TEXT, "outputs": _list(schema_of("InferOutput"))}, {"id": TEXT}
    ),
    "CountedTime": _object({"count": COUNT, "ns": COUNT}),
    "Statistics": _object(
        {
            "model_stats": _list(
                _object(
                    {
                        "name": TEXT,
                        "version": TEXT,
                        "last_inference": {**COUNT, "description": "Milliseconds since 1970-01-01."},
                        "inference_count": COUNT,
                        "execution_count": COUNT,
                        "inference_stats": _object(dict.fromkeys(_TIMES, schema_of("CountedTime"))),
                        "batch_stats": _list(
                            _object({"batch_size": COUNT, **dict.fromkeys(_TIMES[3:6], schema_of("CountedTime"))})
                        ),
                    }
                )
            )
        }
    ),
    "ModelConfig": _object(
        {
            "name": TEXT,
            "platform": TEXT,
            "backend": TEXT,
            "max_batch_size": COUNT,
            "input": _list(schema_of("TensorConfig")),
            "output": _list(schema_of("TensorConfig")),
            "instance_group": _list({"type": "object"}),
            "model_transaction_policy": _object({"decoupled": _FLAG}),
            "response_cache": _object({"enable": _FLAG}),
        },
        {"dynamic_batching": {"type": "object"}},
    ),
    "TensorConfig": _object(
        {"name": TEXT, "data_type": {"type": "string", "pattern": "^TYPE_"}, "dims": _list({"type": "integer"})},
        {"reshape": {"type": "object"}},
    ),
    "IndexRequest": _object({}, {"ready": {**_FLAG, "description": "Only models that are ready."}}),
    "Index": _list(
        _object(
            {
                "name": TEXT,
                "version": TEXT,
                "state": {"type": "string", "enum": ["READY", "LOADING", "UNLOADING", "UNAVAILABLE"]},
                "reason": TEXT,
            }
        )
    ),
    "LoadRequest": _object(
        {}, {"parameters": {"type": "object", "maxProperties": 0, "description": "Overrides are not offered."}}
    ),
    "UnloadRequest": _object(
        {},
        {
            "parameters": {
                "type": "object",
                "properties": {"unload_dependents": {"type": ["boolean", "number", "string"]}},
                "additionalProperties": False,
            }
        },
    ),
    "Done": {"type": "object"},
    "LogSettings": _object(_LOG_SETTINGS),
    "LogUpdate": {**_object({}, _LOG_SETTINGS), "additionalProperties": False},
    "TraceSettings": _object({"trace_level": {"const": ["OFF"]}, **dict.fromkeys(_TRACE_SETTINGS, TEXT)}),
    "TraceUpdate": {
        **_object(
            {},
            {
                "trace_level": {"enum": [["OFF"], None]},
                **{name: {"enum": [value, None]} for name, value in _TRACE_SETTINGS.items()},
            },
        ),
        "additionalProperties": False,
        "description": "What would trace is refused; null asks for the default.",
    },
}
