"""The OpenAPI 3.1 document of what the server answers over HTTP, which `docs/generate.py` writes to `docs/reference`.

The specification's own file (specification/protocol/open_inference_rest.yaml of kserve/open-inference-protocol) wants
versions in paths, has a dollar sign in the names of its variables, and knows no answer but 200. Decisions where the
text leaves a choice: docs/decisions/0006-open-inference-protocol.md.
"""

from typing import Final

import msgspec

from modeldyno.wire.v2_openapi_schemas import COUNT, SCHEMAS, TEXT, Json, schema_of

_JSON: Final = "application/json"
_BINARY: Final = "application/octet-stream"
_LENGTH: Final = "Inference-Header-Content-Length"
_REASONS: Final = {
    400: "it cannot be understood, or does not fit the model; the text says why",
    401: "a key is needed, and there is none or one that is not valid",
    403: "the key does not allow it, or it is for the admin port only",
    404: "there is no such model or version",
    408: "it did not arrive in time",
    413: "the body is too large, expanded or not",
    415: "the Content-Encoding is not known",
    429: "the key's rate or quota is used up",
    500: "the model failed, or gave what its signature does not allow",
    501: "the Transfer-Encoding is not known",
    503: "not ready, full, or short of memory; Retry-After says when to come back",
    504: "the deadline passed",
}
_ALWAYS: Final = (401, 403, 408, 413, 415, 501, 503)
"""Whatever is asked: keys, the audit log and the reader of requests come before the endpoints."""


def _content(schema: Json, kind: str = _JSON) -> Json:
    return {"content": {kind: {"schema": schema}}}


def _answers(schema: str, *statuses: int, **of_status: str) -> Json:
    """The answers of an operation: with 200 a document, else an error; but for a status that has its own document."""
    found: Json = {"200": {"description": "done", **_content(schema_of(schema))}}
    for status in sorted({*_ALWAYS, *statuses}):
        own = of_status.get(f"as_{status}")
        if own is None:
            found[str(status)] = {"$ref": f"#/components/responses/{status}"}
        else:
            document = {"oneOf": [schema_of(own), schema_of("Error")]}
            found[str(status)] = {"description": _REASONS[status], **_content(document)}
    return found


def _get(operation: str, summary: str, answers: Json) -> Json:
    """An operation without a body; HEAD is answered wherever GET is."""
    headless = {status: {"description": _REASONS.get(int(status), "done, without the body")} for status in answers}
    return {
        "get": {"operationId": operation, "summary": summary, "responses": answers},
        "head": {"operationId": f"{operation}Head", "summary": summary, "responses": headless},
    }


def _post(operation: str, summary: str, body: Json, answers: Json) -> Json:
    return {
        "post": {
            "operationId": operation,
            "summary": summary,
            "requestBody": body,
            "responses": answers,
        }
    }


def _infer(operation: str) -> Json:
    answers = _answers("InferAnswer", 400, 404, 429, 500, 504)
    answers["200"]["headers"] = {_LENGTH: {"description": "bytes of JSON before the tensors", "schema": COUNT}}
    answers["200"]["content"][_BINARY] = {}
    body = _content(schema_of("InferRequest"))
    body["content"][_BINARY] = {}
    length = {
        "name": _LENGTH,
        "in": "header",
        "description": "Bytes of JSON at the start of the body, before the binary tensors; 0 for a body that is the "
        "only input's tensor. It decides how the body is read, whatever the Content-Type.",
        "schema": {"type": "integer", "minimum": 0},
    }
    asked = _post(operation, "infer", {"required": True, **body}, answers)
    asked["post"]["parameters"] = [length]
    return asked


def _trace(operation: str, *statuses: int) -> Json:
    body = _content(schema_of("TraceUpdate"))
    return {
        **_get(f"{operation}Settings", "what is traced: nothing", _answers("TraceSettings", *statuses)),
        **_post(
            f"{operation}Update", "refused unless tracing stays off", body, _answers("TraceSettings", 400, *statuses)
        ),
    }


def _change(operation: str, summary: str, schema: str, name: Json) -> Json:
    answers = _answers("Done", 400, 404, 500)
    return {**_post(operation, summary, _content(schema_of(schema)), answers), "parameters": [name]}


def _of_model(path: str, suffix: str, parameters: list[Json]) -> Json:
    """The paths of one model, with its version or without."""
    found: Json = {
        path: _get(f"model{suffix}", "metadata of the model", _answers("Model", 404)),
        f"{path}/ready": _get(
            f"modelReady{suffix}", "whether the model is ready", _answers("ModelReady", 404, as_503="ModelReady")
        ),
        f"{path}/config": _get(f"modelConfig{suffix}", "how the model is served", _answers("ModelConfig", 404)),
        f"{path}/stats": _get(f"modelStatistics{suffix}", "what was counted", _answers("Statistics", 404)),
        f"{path}/trace/setting": _trace(f"modelTrace{suffix}", 404),
        f"{path}/infer": _infer(f"infer{suffix}"),
    }
    for item in found.values():
        item["parameters"] = parameters
    return found


def _paths() -> Json:
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    version = {"name": "version", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    page = {"200": {"description": "metrics", **_content(TEXT, "text/plain")}}
    page["200"]["content"]["application/openmetrics-text"] = {"schema": TEXT}
    page |= {status: answer for status, answer in _answers("Error").items() if status != "200"}
    return {
        "/v2": _get("server", "metadata of the server", _answers("Server")),
        "/v2/health/live": _get("live", "whether the server lives", _answers("Live")),
        "/v2/health/ready": _get(
            "ready", "whether the server and its models are ready", _answers("Ready", as_503="Ready")
        ),
        **_of_model("/v2/models/{name}", "", [name]),
        **_of_model("/v2/models/{name}/versions/{version}", "OfVersion", [name, version]),
        "/v2/models/stats": _get("statistics", "what was counted, of all models", _answers("Statistics")),
        "/v2/repository/index": _post(
            "index", "the models", _content(schema_of("IndexRequest")), _answers("Index", 400)
        ),
        "/v2/repository/models/{name}/load": _change("load", "load a model, or load it anew", "LoadRequest", name),
        "/v2/repository/models/{name}/unload": _change("unload", "serve a model no longer", "UnloadRequest", name),
        "/v2/logging": {
            **_get("logSettings", "what is logged", _answers("LogSettings")),
            **_post(
                "logUpdate", "change what is logged", _content(schema_of("LogUpdate")), _answers("LogSettings", 400)
            ),
        },
        "/v2/trace/setting": _trace("trace"),
        "/metrics": _get("metrics", "metrics for Prometheus", page),
    }


def openapi_document() -> Json:
    """The document."""
    error = _content(schema_of("Error"))
    retry = {"headers": {"Retry-After": {"description": "seconds", "schema": COUNT}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Open Inference Protocol, as Modeldyno serves it",
            "version": "2",
            "description": "Written by `python docs/generate.py`. Paths are also answered with a slash at their end; "
            "any other verb gets 405 with `Allow`, any other path 404, both with an error. Bodies may be compressed "
            "(gzip, deflate). Load, unload and every POST to logging and tracing are for the admin port: else 403.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:8000"}],
        "security": [{}, {"bearer": []}, {"key": []}],
        "paths": _paths(),
        "components": {
            "schemas": SCHEMAS,
            "responses": {
                str(status): {"description": reason, **error, **(retry if status in {429, 503} else {})}
                for status, reason in _REASONS.items()
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def openapi_page() -> str:
    """The document as it is written."""
    return msgspec.json.format(msgspec.json.encode(openapi_document()), indent=2).decode() + "\n"
