from typing import Any

import msgspec
import pytest
from tritonclient.grpc import service_pb2

from modeldyno.wire.errors import WireError
from modeldyno.wire.grpc_health import CHECK
from modeldyno.wire.v2_grpc_methods import METHODS, HttpQuestion, error_text
from modeldyno.wire.v2_messages import method_path


def ask(name: str, request: Any) -> HttpQuestion:
    return METHODS[method_path(name).encode()].ask(request.SerializeToString())


def answer(name: str, status: int, document: object) -> Any:
    message = METHODS[method_path(name).encode()].answer(status, msgspec.json.encode(document))
    return None if message is None else getattr(service_pb2, f"{name}Response").FromString(message)


@pytest.mark.parametrize(
    ("name", "request_message", "method", "target"),
    (
        ("ServerLive", service_pb2.ServerLiveRequest(), b"GET", b"/v2/health/live"),
        ("ServerReady", service_pb2.ServerReadyRequest(), b"GET", b"/v2/health/ready"),
        ("ModelReady", service_pb2.ModelReadyRequest(name="a"), b"GET", b"/v2/models/a/ready"),
        ("ModelReady", service_pb2.ModelReadyRequest(name="a", version="2"), b"GET", b"/v2/models/a/versions/2/ready"),
        ("ServerMetadata", service_pb2.ServerMetadataRequest(), b"GET", b"/v2"),
        ("ModelMetadata", service_pb2.ModelMetadataRequest(name="a/b"), b"GET", b"/v2/models/a%2Fb"),
        ("ModelConfig", service_pb2.ModelConfigRequest(name="a"), b"GET", b"/v2/models/a/config"),
        ("ModelStatistics", service_pb2.ModelStatisticsRequest(), b"GET", b"/v2/models//stats"),
        ("ModelStatistics", service_pb2.ModelStatisticsRequest(name="a"), b"GET", b"/v2/models/a/stats"),
        ("RepositoryIndex", service_pb2.RepositoryIndexRequest(ready=True), b"POST", b"/v2/repository/index"),
        (
            "RepositoryModelLoad",
            service_pb2.RepositoryModelLoadRequest(model_name="a"),
            b"POST",
            b"/v2/repository/models/a/load",
        ),
        (
            "RepositoryModelUnload",
            service_pb2.RepositoryModelUnloadRequest(model_name="a"),
            b"POST",
            b"/v2/repository/models/a/unload",
        ),
        ("LogSettings", service_pb2.LogSettingsRequest(), b"GET", b"/v2/logging"),
        ("TraceSetting", service_pb2.TraceSettingRequest(), b"GET", b"/v2/trace/setting"),
        ("TraceSetting", service_pb2.TraceSettingRequest(model_name="a"), b"GET", b"/v2/models/a/trace/setting"),
    ),
)
def test_every_call_has_its_request_of_http(name: str, request_message: Any, method: bytes, target: bytes) -> None:
    assert (method, target) == ask(name, request_message)[:2]


def test_settings_and_parameters_go_along() -> None:
    log = service_pb2.LogSettingsRequest()
    log.settings["log_verbose_level"].uint32_param = 2
    log.settings["log_info"].bool_param = False
    trace = service_pb2.TraceSettingRequest()
    trace.settings["trace_level"].value.append("TIMESTAMPS")
    trace.settings["trace_rate"].value.append("9")
    trace.settings["trace_file"].SetInParent()
    load = service_pb2.RepositoryModelLoadRequest(model_name="a")
    load.parameters["config"].string_param = "{}"

    assert {"log_verbose_level": 2, "log_info": False} == msgspec.json.decode(ask("LogSettings", log).body)
    assert {"trace_level": ["TIMESTAMPS"], "trace_rate": "9", "trace_file": None} == msgspec.json.decode(
        ask("TraceSetting", trace).body
    )
    assert b"POST" == ask("TraceSetting", trace).method
    assert {"parameters": {"config": "{}"}} == msgspec.json.decode(ask("RepositoryModelLoad", load).body)


@pytest.mark.parametrize(
    ("name", "request_message"),
    (
        ("RepositoryIndex", service_pb2.RepositoryIndexRequest(repository_name="mine")),
        ("RepositoryModelLoad", service_pb2.RepositoryModelLoadRequest(repository_name="mine", model_name="a")),
        ("RepositoryModelUnload", service_pb2.RepositoryModelUnloadRequest(repository_name="mine", model_name="a")),
    ),
)
def test_one_of_several_repositories_is_not_taken_for_all(name: str, request_message: Any) -> None:
    with pytest.raises(WireError, match="'mine' cannot be named") as caught:
        ask(name, request_message)
    assert 501 == caught.value.status


def test_documents_become_messages() -> None:
    stats = {
        "model_stats": [{"name": "a", "inference_count": 3, "inference_stats": {"success": {"count": 2, "ns": 9}}}]
    }
    config = {
        "name": "a",
        "max_batch_size": 4,
        "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": [3]}],
        "new": 1,
    }

    assert 2 == answer("ModelStatistics", 200, stats).model_stats[0].inference_stats.success.count
    assert [3] == list(answer("ModelConfig", 200, config).config.input[0].dims)
    assert "READY" == answer("RepositoryIndex", 200, [{"name": "a", "state": "READY"}]).models[0].state
    assert answer("LogSettings", 200, {"log_info": True}).settings["log_info"].bool_param
    assert ["OFF"] == list(answer("TraceSetting", 200, {"trace_level": ["OFF"]}).settings["trace_level"].value)


@pytest.mark.parametrize(("status", "ready"), ((200, True), (503, False), (400, False), (404, False)))
def test_health_says_yes_or_no(status: int, *, ready: bool) -> None:
    assert ready == answer("ModelReady", status, {}).ready
    assert (b"\x08\x01" if ready else b"\x08\x02") == METHODS[CHECK].answer(status, b"{}")


@pytest.mark.parametrize("name", ("ModelReady", "ModelMetadata", "RepositoryIndex", "LogSettings", "TraceSetting"))
def test_an_error_is_no_answer(name: str) -> None:
    assert answer(name, 401, {"error": "a key is needed"}) is None


def test_an_error_is_told_in_its_words() -> None:
    assert "why" == error_text(b'{"error":"why"}')
    assert "<html>" == error_text(b"<html>")


@pytest.mark.parametrize("path", sorted(METHODS))
def test_bytes_that_are_no_message_are_refused(path: bytes) -> None:
    if path in {method_path(name).encode() for name in ("ServerLive", "ServerReady", "ServerMetadata")}:
        return  # they say nothing that is read
    with pytest.raises(WireError):
        METHODS[path].ask(b"\xff\xff")


def test_a_model_without_a_name_is_refused() -> None:
    with pytest.raises(WireError, match="empty"):
        ask("ModelMetadata", service_pb2.ModelMetadataRequest())
