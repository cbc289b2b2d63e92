"""The endpoints of the protocol apart from infer, over a real connection."""

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from modeldyno.testing.running_server import RunningServer, make_model

Serving = Callable[..., RunningServer]


def get(server: RunningServer, path: str, method: str = "GET", body: bytes = b"") -> tuple[int, Any]:
    with server.connect() as client:
        reply = client.ask(method, path, body)
        return reply.status, json.loads(reply.body)


@pytest.mark.parametrize("path", ("/v2", "/v2/", "/v2?verbose=1"))
def test_the_server_says_what_it_is_and_can(serving: Serving, path: str) -> None:
    status, document = get(serving(make_model()), path)
    assert (200, "modeldyno") == (status, document["name"])
    assert [
        "classification",
        "schedule_policy",
        "model_configuration",
        "binary_tensor_data",
        "parameters",
        "statistics",
        "logging",
    ] == document["extensions"]


@pytest.mark.parametrize("path", ("/v2/models/sums", "/v2/models/sums/versions/1"))
def test_a_model_says_what_it_takes_and_gives(serving: Serving, path: str) -> None:
    assert get(serving(make_model()), path) == (
        200,
        {
            "name": "sums",
            "versions": ["1"],
            "platform": "fake",
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
            "outputs": [{"name": "sum", "datatype": "FP32", "shape": [-1]}],
        },
    )


@pytest.mark.parametrize(
    "path", ("/v2/health/live", "/v2/health/ready", "/v2/models/sums/ready", "/v2/models/sums/versions/1/ready")
)
@pytest.mark.parametrize("method", ("GET", "HEAD"))
def test_health_is_200(serving: Serving, path: str, method: str) -> None:
    with serving(make_model()).connect() as client:
        assert client.ask(method, path).status == 200
        assert client.ask(method, path).status == 200


def test_the_answer_to_head_announces_the_body_it_leaves_out(serving: Serving) -> None:
    with serving(make_model()).connect() as client:
        length = client.ask("GET", "/v2").headers["content-length"]
        assert length == client.ask("HEAD", "/v2").headers["content-length"]


def test_the_index_lists_the_models(serving: Serving) -> None:
    server = serving(make_model(), make_model(name="other", version="3"))
    ready = {"state": "READY", "reason": ""}
    models = [{"name": "sums", "version": "1", **ready}, {"name": "other", "version": "3", **ready}]
    assert get(server, "/v2/repository/index", "POST") == (200, models)
    assert get(server, "/v2/repository/index", "POST", b'{"ready":true}') == (200, models)
    assert get(server, "/v2/repository/index", "POST", b'{"ready":false,"mine":"yes"}') == (200, models)
    for damaged in (b"[", b"[]", b'{"ready":"yes"}', b"\xff"):
        assert get(server, "/v2/repository/index", "POST", damaged)[0] == 400


def test_of_several_versions_the_highest_number_answers(serving: Serving) -> None:
    server = serving(*(make_model(version=version) for version in ("9", "10", "2")))
    assert get(server, "/v2/models/sums")[1]["versions"] == ["2", "9", "10"]
    body = b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[1,2,3,4]}]}'
    assert get(server, "/v2/models/sums/infer", "POST", body)[1]["model_version"] == "10"
    assert get(server, "/v2/models/sums/versions/2/infer", "POST", body)[1]["model_version"] == "2"


def test_a_name_with_odd_characters_is_found_quoted(serving: Serving) -> None:
    server = serving(make_model(name="a b/ü"))
    assert get(server, "/v2/models/a%20b%2F%C3%BC")[1]["name"] == "a b/ü"
    body = b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[1,2,3,4]}]}'
    assert get(server, "/v2/models/a%20b%2f%c3%bc/infer", "POST", body)[1]["model_name"] == "a b/ü"


def test_a_model_called_stats_hides_no_statistics(serving: Serving) -> None:
    server = serving(make_model(name="stats"), make_model(name="other"))
    assert get(server, "/v2/models/stats")[1]["name"] == "stats"
    for path, names in (("/v2/models/stats/stats", ["stats"]), ("/v2/models//stats", ["stats", "other"])):
        assert [one["name"] for one in get(server, path)[1]["model_stats"]] == names


@pytest.mark.parametrize(
    ("method", "path", "reason"),
    (
        ("GET", "/", "nothing is served at '/'"),
        ("GET", "/v1/models", "nothing is served"),
        ("GET", "/v2/models", "nothing is served"),
        ("GET", "/v2/models/sums/configs", "nothing is served"),
        ("GET", "/v2/models/none/config", "unknown model 'none'"),
        ("GET", "/v2/models/none/trace/setting", "unknown model 'none'"),
        ("GET", "/v2/models/none", "unknown model 'none'; served here: 'sums'"),
        ("POST", "/v2/models/none/infer", "unknown model 'none'"),
        ("POST", "/v2/models/sums/versions/7/infer", "no version '7', only 1"),
    ),
)
def test_what_is_not_there_is_404(serving: Serving, method: str, path: str, reason: str) -> None:
    status, document = get(serving(make_model()), path, method)
    assert status == 404
    assert reason in document["error"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    (
        ("POST", "/v2/health/live", "GET, HEAD"),
        ("DELETE", "/v2/models/sums", "GET, HEAD"),
        ("GET", "/v2/models/sums/infer", "POST"),
        ("PUT", "/v2/repository/index", "POST"),
    ),
)
def test_a_wrong_method_is_405_and_told_the_right_ones(serving: Serving, method: str, path: str, allowed: str) -> None:
    with serving(make_model()).connect() as client:
        reply = client.ask(method, path)
        assert (405, allowed) == (reply.status, reply.headers["allow"])
        assert "error" in json.loads(reply.body)


@pytest.mark.parametrize("path", ("/v2/models/sums/config", "/v2/models/sums/versions/1/config"))
def test_a_model_says_how_it_is_served(serving: Serving, path: str) -> None:
    status, document = get(serving(make_model(max_rows=8)), path)
    assert (200, "sums", 8) == (status, document["name"], document["max_batch_size"])
    assert [{"name": "x", "data_type": "TYPE_FP32", "dims": [4]}] == document["input"]


def test_a_model_that_is_ready_says_its_name(serving: Serving) -> None:
    assert (200, {"name": "sums", "ready": True}) == get(serving(make_model()), "/v2/models/sums/ready")


@pytest.mark.parametrize("path", ("/v2/trace/setting", "/v2/models/sums/trace/setting"))
def test_trace_settings_say_that_nothing_is_traced(serving: Serving, path: str) -> None:
    server = serving(make_model(), admin_port=0)
    assert ["OFF"] == get(server, path)[1]["trace_level"]
    assert 403 == get(server, path, "POST", b'{"trace_level":["TIMESTAMPS"]}')[0]
    assert (400, True) == ask_admin(server, path, b'{"trace_level":["TIMESTAMPS"]}', "not offered")
    assert (200, True) == ask_admin(server, path, b'{"trace_level":["OFF"]}', "OFF")


def ask_admin(server: RunningServer, path: str, body: bytes, text: str) -> tuple[int, bool]:
    request = urllib.request.Request(f"{server.admin_url}{path}", body, method="POST")  # noqa: S310 - http, ours
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 - as above
            return reply.status, text in reply.read().decode()
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, text in problem.read().decode()


def test_the_log_is_turned_on_and_off_at_the_admin_port(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("modeldyno.server")
    server = serving(make_model(), admin_port=0)
    before = get(server, "/v2/logging")
    assert (200, "", True) == (before[0], before[1]["log_file"], before[1]["log_error"])
    assert 403 == get(server, "/v2/logging", "POST", b'{"log_error":false}')[0]
    for body, shown in (
        (b'{"log_info":true,"log_warning":false}', ["info", "error"]),
        (b'{"log_error":false,"log_info":false}', []),
        (b'{"log_verbose_level":1}', ["debug", "info", "warning", "error"]),
    ):
        assert (200, True) == ask_admin(server, "/v2/logging", body, "log_verbose_level")
        caplog.clear()
        for level in ("debug", "info", "warning", "error"):
            getattr(log, level)(level)
        assert shown == [record.getMessage() for record in caplog.records]
    assert 1 == get(server, "/v2/logging")[1]["log_verbose_level"]
    assert 400 == ask_admin(server, "/v2/logging", b'{"log_file":"/tmp/x"}', "")[0]
    server.stop()
    server.join()
    assert (logging.NOTSET, []) == (log.level, log.filters)


def test_the_absolute_form_of_a_target_is_understood(serving: Serving) -> None:
    assert 200 == get(serving(make_model()), "http://test/v2/models/sums")[0]
