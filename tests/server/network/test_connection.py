"""What a connection may do and what it is told: order, breaches, limits, time-outs."""

import asyncio
import json
from collections.abc import Callable
from unittest.mock import Mock

import pytest
from tests.server.gate import Gate

from modeldyno.records.server import ServerSettings
from modeldyno.server.network.http1 import Listener
from modeldyno.testing.clock import ManualClock
from modeldyno.testing.running_server import RunningServer, http_request, infer_request, make_model

Serving = Callable[..., RunningServer]
SHORT_NS = 50_000_000


class Transport(asyncio.Transport):
    """To a client that takes everything."""

    def __init__(self) -> None:
        super().__init__({"socket": Mock()})
        self.written: list[bytes] = []
        self._is_closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self._is_closing = True

    def is_closing(self) -> bool:
        return self._is_closing


def test_pipelined_requests_are_answered_in_order(serving: Serving) -> None:
    gate = Gate()
    server = serving(make_model(gate))
    with server.connect() as client, server.connect() as other:
        client.send(infer_request([[1, 2, 3, 4]]) + http_request("GET", "/v2") + http_request("GET", "/nowhere"))
        assert other.ask("GET", "/v2/health/live").status == 200
        gate.open()
        assert "inference-header-content-length" in client.read().headers
        assert json.loads(client.read().body)["name"] == "modeldyno"
        assert client.read().status == 404


def test_hundreds_of_pipelined_requests_are_all_answered(serving: Serving) -> None:
    with serving(make_model(max_rows=16)).connect() as client:
        client.send(infer_request([[1, 2, 3, 4]]) * 500)
        assert {200} == {client.read().status for _ in range(500)}


@pytest.mark.parametrize(
    ("data", "status"),
    (
        (b"nonsense\r\n\r\n", 400),
        (b"GET /v2 HTTP/1.1\r\n\r\n", 400),
        (b"POST /v2 HTTP/1.1\r\nHost: h\r\nContent-Length: 99999\r\n\r\n", 413),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", 431),
    ),
)
def test_a_breach_of_http_is_answered_and_ends_the_connection(serving: Serving, data: bytes, status: int) -> None:
    server = serving(make_model(), max_body_bytes=1000)
    with server.connect() as client:
        client.send(http_request("GET", "/v2") + data)
        assert client.read().status == 200
        reply = client.read()
        assert (status, "close") == (reply.status, reply.headers["connection"])
        assert json.loads(reply.body)["error"]
        assert client.is_ended()
    with server.connect() as client:
        assert client.ask("GET", "/v2").status == 200


def test_a_refused_upload_still_gets_its_answer(serving: Serving) -> None:
    with serving(make_model(), max_body_bytes=1000).connect() as client:
        client.send(http_request("POST", "/v2/models/sums/infer", b"x" * 5_000_000))
        assert client.read().status == 413


def test_a_body_is_asked_for_when_the_client_expects_that(serving: Serving) -> None:
    with serving(make_model()).connect() as client:
        body = b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[1,2,3,4]}]}'
        whole = http_request("POST", "/v2/models/sums/infer", body, Expect="100-continue")
        client.send(whole.removesuffix(body))
        assert client.read().status == 100
        client.send(body)
        assert client.read().status == 200


def test_a_client_that_says_it_is_the_last_request_sees_the_end(serving: Serving) -> None:
    with serving(make_model()).connect() as client:
        assert client.ask("GET", "/v2", Connection="close").headers["connection"] == "close"
        assert client.is_ended()


def test_an_http_1_0_client_may_keep_its_connection(serving: Serving) -> None:
    with serving(make_model()).connect() as client:
        for _ in range(2):
            client.send(b"GET /v2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert client.read().headers["connection"] == "keep-alive"
        client.send(b"GET /v2 HTTP/1.0\r\n\r\n")
        assert client.read().status == 200
        assert client.is_ended()


def test_connections_beyond_the_limit_are_told_so(serving: Serving) -> None:
    server = serving(make_model(), max_connections=1)
    with server.connect() as first:
        assert first.ask("GET", "/v2").status == 200
        with server.connect() as second:
            assert second.read().status == 503
            assert second.is_ended()
        assert first.ask("GET", "/v2").status == 200


def test_a_request_that_does_not_arrive_is_broken_off(serving: Serving) -> None:
    with serving(make_model(), read_timeout_ns=SHORT_NS).connect() as client:
        client.send(b"POST /v2/models/sums/infer HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
        assert client.read().status == 408
        assert client.is_ended()


def test_an_idle_connection_is_closed(serving: Serving) -> None:
    with serving(make_model(), idle_timeout_ns=SHORT_NS).connect() as client:
        assert client.ask("GET", "/v2").status == 200
        assert client.is_ended()


def test_a_connection_is_idle_from_when_nothing_is_asked_until_the_next_byte() -> None:
    clock, transport = ManualClock(), Transport()
    settings = ServerSettings(idle_timeout_ns=SHORT_NS)
    listener = Listener(settings, loop=Mock(spec=asyncio.AbstractEventLoop), clock=clock, on_drained=Mock())
    listener.router = Mock(handle=lambda _request, exchange: exchange.respond(200, b"{}"))
    connection = listener.connect()
    connection.connection_made(transport)
    for _ in range(5):  # each is asked for before the time-out is over, all of them take longer
        connection.check_time(clock.now_ns())
        clock.advance_ns(SHORT_NS - 1)
        connection.check_time(clock.now_ns())
        connection.data_received(http_request("GET", "/v2"))
    assert (5, False) == (len(transport.written), transport.is_closing())
    connection.check_time(clock.now_ns())
    connection.check_time(clock.now_ns() + SHORT_NS)
    assert not transport.is_closing()
    connection.check_time(clock.now_ns() + SHORT_NS + 1)
    assert transport.is_closing()


def test_a_client_that_never_reads_is_dropped_and_others_are_served(serving: Serving) -> None:
    server = serving(make_model(), read_timeout_ns=SHORT_NS)
    with server.connect() as deaf, server.connect() as other:
        deaf.send_until_refused(http_request("GET", "/v2/models/sums") * 1000)
        assert other.ask("GET", "/v2").status == 200
