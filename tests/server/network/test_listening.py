"""Connections that another process accepted, given to a server that listens nowhere."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from modeldyno.clock import SystemClock
from modeldyno.records.server import ServerAccount, ServerSettings
from modeldyno.server.serving import Server
from modeldyno.testing.running_server import Client, http_request, infer_request, make_model


class Adopter:
    """A server in a thread that gets its connections from the test."""

    def __init__(self) -> None:
        self.server = Server([make_model()], ServerSettings(), clock=SystemClock(), accepts=False)
        self.listener = self.server.listeners["main"]
        self.closed = threading.Semaphore(0)
        self.listener.on_closed = self.closed.release
        self.account: ServerAccount | None = None
        self.is_ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self.is_ready.wait(60)

    def _run(self) -> None:
        self.account = self.server.run(lambda _url: self.is_ready.set())

    def connect(self) -> Client:
        with socket.create_server(("127.0.0.1", 0)) as door:
            client = socket.create_connection(door.getsockname(), timeout=30)
            accepted, _ = door.accept()
        accepted.settimeout(0.0)
        self.server.loop.call_soon_threadsafe(self.listener.adopt, accepted)
        return Client(client)

    def end(self) -> None:
        self.server.stop()
        self._thread.join(60)
        assert not self._thread.is_alive()


@pytest.fixture
def adopter() -> Iterator[Adopter]:
    made = Adopter()
    yield made
    made.end()


def test_requests_on_an_adopted_connection_are_answered_and_its_end_is_told(adopter: Adopter) -> None:
    with adopter.connect() as client:
        client.send(infer_request([[1, 2, 3, 4]]) * 2)
        assert [200, 200] == [client.read().status for _ in range(2)]
        assert not adopter.closed.acquire(blocking=False)
    assert adopter.closed.acquire(timeout=60)
    adopter.end()
    assert adopter.account is not None
    assert 2 == adopter.account.answered


def test_a_client_that_is_gone_already_is_told_too(adopter: Adopter) -> None:
    adopter.connect().close()
    assert adopter.closed.acquire(timeout=60)


def test_an_adopted_connection_is_drained(adopter: Adopter) -> None:
    with adopter.connect() as idle, adopter.connect() as busy:
        assert 200 == idle.ask("GET", "/v2").status
        busy.send(http_request("GET", "/v2")[:-2])
        busy.send(http_request("GET", "/v2")[-2:])
        assert 200 == busy.read().status
        adopter.end()
        with contextlib.suppress(ConnectionResetError):
            assert idle.is_ended()
            assert busy.is_ended()


def test_a_connection_that_comes_after_the_end_is_closed_and_told(adopter: Adopter) -> None:
    adopter.end()
    one, other = socket.socketpair()
    with other:
        adopter.listener.adopt(one)
        assert b"" == other.recv(1)
    assert adopter.closed.acquire(blocking=False)
