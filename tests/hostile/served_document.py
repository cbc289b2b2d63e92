"""The OpenAPI document as one server with fakes fills it in: its names, its models, and what its model takes."""

from copy import deepcopy
from typing import Any

from modeldyno.wire.v2_openapi import openapi_document

Json = dict[str, Any]
TENSOR: Json = {
    "type": "object",
    "required": ["name", "datatype", "shape", "data"],
    "properties": {
        "name": {"const": "x"},
        "datatype": {"const": "FP64"},
        "shape": {"const": [2, 4]},
        "data": {
            "type": "array",
            "minItems": 8,
            "maxItems": 8,
            "items": {"type": "number"},
        },
        "parameters": {
            "type": "object",
            "properties": {"binary_data_size": False, "shared_memory_region": False},
            "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        },
    },
}
"""What the model takes: strict, so that all that fits it must be answered, and nothing else."""


def served_document(name: str = "highest", version: str = "1") -> Json:
    """The document, of a server of one model that says the highest of four numbers."""
    document = deepcopy(openapi_document())
    for path, item in document["paths"].items():
        for parameter in item.get("parameters", ()):
            parameter["schema"] = {"enum": [name if parameter["name"] == "name" else version]}
        if path.endswith("/infer"):
            del item["post"]["requestBody"]["content"]["application/octet-stream"]  # its form is not one of a schema
            item["post"]["parameters"] = []
    schemas = document["components"]["schemas"]
    schemas["InferInput"] = TENSOR
    schemas["InferRequest"]["properties"]["inputs"] = {"type": "array", "items": TENSOR, "minItems": 1, "maxItems": 1}
    schemas["RequestedOutput"]["properties"]["name"] = {"const": "highest"}
    schemas["InferRequest"]["properties"]["outputs"]["maxItems"] = 1
    # A whole number written as 1.0 is one for a schema and none for us: decision 6.
    del schemas["LogUpdate"]["properties"]["log_verbose_level"]
    return document


def closed(document: Json) -> Json:
    """The same with no member allowed in an answer but those it names: what is answered and not told is found."""
    asked = {"InferRequest", "InferInput", "RequestedOutput", "IndexRequest", "LoadRequest", "UnloadRequest"}
    for name, schema in document["components"]["schemas"].items():
        if name not in asked:
            _close(schema)
    return document


def _close(schema: Any) -> None:
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            schema["additionalProperties"] = False
        for part in schema.values():
            _close(part)
    elif isinstance(schema, list):
        for part in schema:
            _close(part)
