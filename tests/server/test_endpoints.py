"""The endpoints of the protocol apart from infer, over a real connection."""

import json
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
    assert ["binary_tensor_data", "statistics"] == document["extensions"]


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
    assert get(server, "/v2/repository/index", "POST", b"[")[0] == 400


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


@pytest.mark.parametrize(
    ("method", "path", "reason"),
    (
        ("GET", "/", "nothing is served at '/'"),
        ("GET", "/v1/models", "nothing is served"),
        ("GET", "/v2/models", "nothing is served"),
        ("GET", "/v2/models/sums/config", "nothing is served"),
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
