"""A server's start and end: signals, drain, ports; the real function in a process of its own."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest
from tests.server.gate import Gate

from modeldyno.clock import SystemClock
from modeldyno.errors import UsageError
from modeldyno.records.server import ServerAccount, ServerSettings
from modeldyno.server.serving import serve
from modeldyno.testing.running_server import RunningServer, http_request, infer_request, make_model

Serving = Callable[..., RunningServer]

SERVER = """
import signal
import sys

from modeldyno.clock import SystemClock
from modeldyno.records.files import to_json
from modeldyno.records.server import ServerSettings
from modeldyno.server.serving import serve
from modeldyno.testing.running_server import make_model
signal.signal(signal.SIGHUP, signal.Handlers[sys.argv[1]])  # whatever the tests are run under
account = serve(
    [make_model(max_rows=4)], ServerSettings(port=0), clock=SystemClock(),
    on_ready=lambda urls: print(urls["main"], flush=True),
)
print(account.accepted, account.answered, account.failed, account.cancelled)
"""


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
def test_a_signal_ends_the_process_after_the_answers(number: signal.Signals) -> None:
    command = [sys.executable, "-c", SERVER, "SIG_DFL"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        host, _, port = process.stdout.readline().strip().removeprefix("http://").rpartition(":")
        requests = 200
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(infer_request([[1, 2, 3, 4]]) * requests)
            process.send_signal(number)
            received = b""
            while part := connection.recv(65536):
                received += part
        assert requests == received.count(b"HTTP/1.1 200 OK")
        assert process.wait(30) == 0
        assert f"{requests} {requests} 0 0" == process.stdout.read().strip()


def test_a_terminal_that_hangs_up_twice_does_not_cut_the_answers_off(serving: Serving) -> None:
    gate = Gate()
    server = serving(make_model(gate))
    with server.connect() as client:
        client.send(infer_request([[1, 2, 3, 4]]))
        gate.wait_entered()
        for _ in range(2):
            server._server.loop.call_soon_threadsafe(server._server._leave)
        assert server.wait_refusing()
        gate.open()
        assert 200 == client.read().status
        server.join()


def test_a_server_that_is_to_outlive_its_terminal_does() -> None:
    with subprocess.Popen([sys.executable, "-c", SERVER, "SIG_IGN"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        host, _, port = process.stdout.readline().strip().removeprefix("http://").rpartition(":")
        process.send_signal(signal.SIGHUP)
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(infer_request([[1, 2, 3, 4]]))
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        process.terminate()
        assert "1 1 0 0" == process.stdout.read().strip()


def test_draining_answers_what_was_accepted_and_refuses_readiness(serving: Serving) -> None:
    gate = Gate()
    server = serving(make_model(gate))
    with server.connect() as client, server.connect() as other:
        client.send(infer_request([[1, 2, 3, 4]]))
        gate.wait_entered()
        # The end of this request arrives while the server drains: it is read, answered, and is the last.
        probe = http_request("GET", "/v2/health/ready")
        other.send(probe[:-2])
        server.stop()
        assert server.wait_refusing()
        other.send(probe[-2:])
        reply = other.read()
        assert (503, "close") == (reply.status, reply.headers["connection"])
        assert other.is_ended()
        gate.open()
        reply = client.read()
        assert (200, "close") == (reply.status, reply.headers["connection"])
        assert client.is_ended()
        server.join()
    assert ServerAccount(accepted=1, answered=1, failed=0, cancelled=0, refused=0) == server.account


def test_a_drain_that_takes_too_long_is_cut_off_and_counted(serving: Serving) -> None:
    gate = Gate()
    server = serving(make_model(gate), drain_timeout_ns=100_000_000)
    with server.connect() as client:
        client.send(infer_request([[1, 2, 3, 4]]) * 3)
        gate.wait_entered()
        server.stop()
        server.join()
        assert client.is_ended()
    gate.open()
    assert ServerAccount(accepted=3, answered=0, failed=0, cancelled=3, refused=0) == server.account


def test_an_idle_keep_alive_connection_does_not_hold_the_server_up(serving: Serving) -> None:
    server = serving(make_model())
    with server.connect() as client:
        assert client.ask("GET", "/v2").status == 200
        server.stop()
        server.join()
        assert client.is_ended()


def test_a_port_in_use_is_named_with_what_to_type() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=str(port)) as caught:
            serve([make_model()], ServerSettings(port=port), clock=SystemClock(), on_ready=print)
    assert "--port" in caught.value.hint


@pytest.mark.parametrize(
    ("host", "port"), (("192.0.2.1", 0), ("no.such.host.invalid", 0), ("", 0), ("127.0.0.1", 65_536), ("127.0.0.1", -1))
)
def test_an_address_that_cannot_be_listened_on_is_named(host: str, port: int) -> None:
    with pytest.raises(UsageError, match=host or str(port)) as caught:
        serve([make_model()], ServerSettings(host=host, port=port), clock=SystemClock(), on_ready=print)
    assert caught.value.hint
