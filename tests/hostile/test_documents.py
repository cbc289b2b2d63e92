"""Bodies that are no documents, to everything but inference that takes one: refused with a reason, never a fault."""

import json
from collections.abc import Iterator

import pytest
from tests.hostile.willing import willing_server

from modeldyno.testing.running_server import RunningServer

PATHS = (
    "/v2/repository/index",
    "/v2/logging",
    "/v2/trace/setting",
    "/v2/models/highest/trace/setting",
    "/v2/repository/models/highest/load",
    "/v2/repository/models/highest/unload",
)
BODIES = (
    b"{", b"[]", b"7", b'"text"', b"\xff", b"\0", b'{"\xff":true}', b'{"a":"\xff"}', b'{"log_file":"\xff"}',
    b"[" * 200_000, b'{"a":' * 200_000, b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}", b'{"parameters":7}',
    b'{"parameters":{"a":' + b"[" * 200_000, b'{"ready":1}', b'{"ready":"yes"}', b'{"log_info":1e999}',
    b'{"log_verbose_level":' + b"9" * 100_000 + b"}", b'{"\\ud800":true}', b'{"trace_level":["\\ud800"]}',
    b'{"parameters":{"config":"{}"}}', b'{"parameters":{"file:model.onnx":"AAAA"}}', b'{"log_file":"/etc/passwd"}',
)  # fmt: skip


NO_JSON = (b"\x0b", b"\xa0", b"\0", b"{", b"}")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with willing_server() as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_is_no_such_document_is_never_a_fault_of_the_server(server: RunningServer, path: str) -> None:
    with server.connect_to(server.admin_url) as client:
        for body in BODIES:
            reply = client.ask("POST", path, body)
            assert 200 <= reply.status < 500, (body[:50], reply)
            if reply.status != 200:
                assert 0 < len(json.loads(reply.body)["error"]) < 3000
        assert 200 == client.ask("GET", "/v2/logging").status


@pytest.mark.parametrize("path", PATHS)
def test_an_empty_body_asks_for_nothing_in_particular_and_what_is_no_json_is_refused(
    server: RunningServer, path: str
) -> None:
    with server.connect_to(server.admin_url) as client:
        assert 200 == client.ask("POST", path).status
        assert [400] * len(NO_JSON) == [client.ask("POST", path, body).status for body in NO_JSON]
