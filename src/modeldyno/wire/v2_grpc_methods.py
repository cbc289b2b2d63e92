"""The calls of the Open Inference Protocol over gRPC, but for inference, as requests of its HTTP form and back.

Both forms have the same documents: those of gRPC are the HTTP ones in protobuf's mapping of JSON.
"""

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
from google.protobuf import json_format

from modeldyno.wire.errors import WireError
from modeldyno.wire.grpc_health import CHECK, NOT_SERVING, SERVING, checked_service
from modeldyno.wire.v2_grpc_infer import model_path, parameters_of
from modeldyno.wire.v2_messages import SERVICE, message_class, method_path, parse_message

_NO = (400, 404, 503)
"""Statuses by which health endpoints say no."""


class HttpQuestion(NamedTuple):
    """What to ask the HTTP side."""

    method: bytes
    target: bytes
    body: bytes = b""


class Method(NamedTuple):
    """One call.

    `ask` reads the message; `answer` makes one of the status and the body of the HTTP answer, or None of an error.
    """

    ask: Callable[[bytes], HttpQuestion]
    answer: Callable[[int, bytes], bytes | None]


def error_text(body: bytes) -> str:
    """The words of an HTTP error."""
    try:
        return str(msgspec.json.decode(body, type=dict[str, str])["error"])
    except (msgspec.MsgspecError, KeyError):
        return body[:200].decode("utf-8", "replace")


def _get(target: bytes) -> Callable[[bytes], HttpQuestion]:
    return lambda _message: HttpQuestion(b"GET", target)


def _get_model(name: str, end: str) -> Callable[[bytes], HttpQuestion]:
    def ask(message: bytes) -> HttpQuestion:
        request = parse_message(name, message)
        return HttpQuestion(b"GET", model_path(request.name, request.version, end))

    return ask


def _ask_statistics(message: bytes) -> HttpQuestion:
    request = parse_message("ModelStatisticsRequest", message)
    if not request.name:
        return HttpQuestion(b"GET", b"/v2/models//stats")  # of all, whatever they are called
    return HttpQuestion(b"GET", model_path(request.name, request.version, "/stats"))


def _ask_index(message: bytes) -> HttpQuestion:
    request = parse_message("RepositoryIndexRequest", message)
    _require_no_repository(request)
    return HttpQuestion(b"POST", b"/v2/repository/index", msgspec.json.encode({"ready": request.ready}))


def _require_no_repository(request: Any) -> None:
    if request.repository_name:  # as Triton: whoever names one means some of the models
        raise WireError(
            f"the repository {request.repository_name!r} cannot be named: all models are in one", status=501
        )


def _ask_change(name: str, verb: str) -> Callable[[bytes], HttpQuestion]:
    def ask(message: bytes) -> HttpQuestion:
        request = parse_message(name, message)
        if not request.model_name:
            raise WireError("the name of the model is empty")
        _require_no_repository(request)
        target = f"/v2/repository/models/{quote(request.model_name, safe='')}/{verb}"
        body = msgspec.json.encode({"parameters": parameters_of(request.parameters)})
        return HttpQuestion(b"POST", target.encode(), body)

    return ask


def _ask_log_settings(message: bytes) -> HttpQuestion:
    settings = parameters_of(parse_message("LogSettingsRequest", message).settings)
    if not settings:
        return HttpQuestion(b"GET", b"/v2/logging")
    return HttpQuestion(b"POST", b"/v2/logging", msgspec.json.encode(settings))


def _ask_trace_setting(message: bytes) -> HttpQuestion:
    request = parse_message("TraceSettingRequest", message)
    model = model_path(request.model_name, "") if request.model_name else b"/v2"
    # A setting without a value is one to be cleared; with one it is a text, but for the levels, which are a list.
    settings = {
        name: None
        if not setting.value
        else list(setting.value)
        if name == "trace_level" or len(setting.value) > 1
        else setting.value[0]
        for name, setting in request.settings.items()
    }
    if not settings:
        return HttpQuestion(b"GET", model + b"/trace/setting")
    return HttpQuestion(b"POST", model + b"/trace/setting", msgspec.json.encode(settings))


def _ask_health(message: bytes) -> HttpQuestion:
    service = checked_service(message)
    if service not in {"", SERVICE}:
        raise WireError(f"unknown service {service!r}; known are '' and {SERVICE!r}", status=404)
    return HttpQuestion(b"GET", b"/v2/health/ready")


def _answer_flag(name: str, field: str) -> Callable[[int, bytes], bytes | None]:
    def answer(status: int, _body: bytes) -> bytes | None:
        if status == 200 or status in _NO:
            return bytes(message_class(name)(**{field: status == 200}).SerializeToString())
        return None

    return answer


def _answer_document(name: str, *, member: str = "") -> Callable[[int, bytes], bytes | None]:
    """The JSON as a message, or as one member of it."""

    def answer(status: int, body: bytes) -> bytes | None:
        if status >= 400:
            return None
        document = msgspec.json.decode(body) if body else {}
        message = message_class(name)()
        json_format.ParseDict({member: document} if member else document, message, ignore_unknown_fields=True)
        return bytes(message.SerializeToString())

    return answer


def _answer_log_settings(status: int, body: bytes) -> bytes | None:
    if status >= 400:
        return None
    message = message_class("LogSettingsResponse")()
    for name, value in msgspec.json.decode(body, type=dict[str, bool | int | str]).items():
        if isinstance(value, bool):
            message.settings[name].bool_param = value
        elif isinstance(value, int):
            message.settings[name].uint32_param = value
        else:
            message.settings[name].string_param = value
    return bytes(message.SerializeToString())


def _answer_trace_setting(status: int, body: bytes) -> bytes | None:
    if status >= 400:
        return None
    message = message_class("TraceSettingResponse")()
    for name, value in msgspec.json.decode(body, type=dict[str, list[str] | str | int]).items():
        message.settings[name].value.extend(value if isinstance(value, list) else [str(value)])
    return bytes(message.SerializeToString())


def _answer_health(status: int, _body: bytes) -> bytes | None:
    if status == 200:
        return SERVING
    return NOT_SERVING if status in _NO else None


METHODS: dict[bytes, Method] = {
    CHECK: Method(_ask_health, _answer_health),
    **{
        method_path(name).encode(): method
        for name, method in {
            "ServerLive": Method(_get(b"/v2/health/live"), _answer_flag("ServerLiveResponse", "live")),
            "ServerReady": Method(_get(b"/v2/health/ready"), _answer_flag("ServerReadyResponse", "ready")),
            "ModelReady": Method(
                _get_model("ModelReadyRequest", "/ready"), _answer_flag("ModelReadyResponse", "ready")
            ),
            "ServerMetadata": Method(_get(b"/v2"), _answer_document("ServerMetadataResponse")),
            "ModelMetadata": Method(_get_model("ModelMetadataRequest", ""), _answer_document("ModelMetadataResponse")),
            "ModelConfig": Method(
                _get_model("ModelConfigRequest", "/config"), _answer_document("ModelConfigResponse", member="config")
            ),
            "ModelStatistics": Method(_ask_statistics, _answer_document("ModelStatisticsResponse")),
            "RepositoryIndex": Method(_ask_index, _answer_document("RepositoryIndexResponse", member="models")),
            "RepositoryModelLoad": Method(
                _ask_change("RepositoryModelLoadRequest", "load"), _answer_document("RepositoryModelLoadResponse")
            ),
            "RepositoryModelUnload": Method(
                _ask_change("RepositoryModelUnloadRequest", "unload"), _answer_document("RepositoryModelUnloadResponse")
            ),
            "LogSettings": Method(_ask_log_settings, _answer_log_settings),
            "TraceSetting": Method(_ask_trace_setting, _answer_trace_setting),
        }.items()
    },
}
"""By path. Those of shared memory are not offered."""
INFER = method_path("ModelInfer").encode()
STREAM_INFER = method_path("ModelStreamInfer").encode()
