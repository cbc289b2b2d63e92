"""A machine that fails the server: no memory, no space on the disk, a clock that is set; over real limits."""

import json
import resource
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.hostile.attacked import MB, Neighbour, Target, target, unharmed, wait_until

from modeldyno.api.auditing import verify_audit
from modeldyno.api.keys import create_key
from modeldyno.clock import SystemClock, epoch_ms, wall_time_of
from modeldyno.records.deployment import Cache
from modeldyno.records.server import ProtectionSettings, ServerSettings
from modeldyno.server.protection.protection import Protection
from modeldyno.testing.running_server import Client, HttpReply, RunningServer, http_request, infer_request, make_model
from modeldyno.testing.sessions import FunctionSession

SETTINGS = ServerSettings(port=0, grpc_port=0, drain_timeout_ns=10**9)
DAY_MS = 86_400_000
MINUTE_MS = 60_000


@pytest.fixture
def server() -> Iterator[Target]:
    with target(SETTINGS) as running:
        yield running


def ask_greedily(client: Client, megabytes: int) -> HttpReply:
    client.send(infer_request([[megabytes, 0, 0, 0]], model="greedy"))
    return client.read()


def test_a_request_for_which_there_is_no_memory_gets_503_and_the_others_their_answers(server: Target) -> None:
    with server.connect() as client:
        assert 200 == ask_greedily(client, 1).status
        spare = psutil.Process(server.pid).memory_info().vms + 500 * MB
        resource.prlimit(server.pid, resource.RLIMIT_AS, (spare, spare))
        with unharmed(server):
            for _ in range(20):
                reply = ask_greedily(client, 2000)
                assert (503, "1") == (reply.status, reply.headers["retry-after"])
                assert "memory" in json.loads(reply.body)["error"]
                assert 200 == ask_greedily(client, 50).status
    account = server.end()
    assert (20, 0) == (account.failed, account.unaccounted)


def test_bodies_for_which_there_is_no_memory_do_not_end_the_server(server: Target) -> None:
    """The server itself finds none, at no place that anybody chose."""
    with server.connect() as client:
        assert 200 == ask_greedily(client, 1).status
    limit = psutil.Process(server.pid).memory_info().vms + 40 * MB
    ample = resource.prlimit(server.pid, resource.RLIMIT_AS)
    resource.prlimit(server.pid, resource.RLIMIT_AS, (limit, ample[1]))
    head = b"POST /v2/models/sums/infer HTTP/1.1\r\nHost: h\r\nContent-Length: 30000000\r\n\r\n"
    with Neighbour(server) as neighbour:
        neighbour.wait_answered(5)
        clients = [server.connect() for _ in range(6)]
        for client in clients:
            client.send(head + bytes(29 * MB))
        for client in clients:
            client.send(bytes(MB))
            client.close()
        neighbour.wait_answered(20)
        resource.prlimit(server.pid, resource.RLIMIT_AS, ample)
        neighbour.wait_answered(20)
    assert 0 == server.end().unaccounted


def test_a_full_disk_under_the_audit_log_refuses_requests_until_there_is_space(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    with target(SETTINGS, ProtectionSettings(audit=str(log))) as server, server.connect() as client:

        def status_of_one() -> int:
            client.send(infer_request([[1, 2, 3, 4]]))
            return client.read().status

        assert 200 == status_of_one()
        ample = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (log.stat().st_size + 1000, ample[1]))
        wait_until(lambda: status_of_one() == 503, lambda: "requests are answered though none can be written down")
        assert 503 == client.ask("GET", "/v2/health/ready").status
        assert 200 == client.ask("GET", "/v2/health/live").status
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, ample)
        wait_until(lambda: status_of_one() == 200, lambda: "requests are still refused though there is space")
        account = server.end()
    assert 0 == account.unaccounted
    report = verify_audit([log])
    assert (None, True) == (report.broken, report.is_closed)
    assert account.answered <= report.requests


class SetClock(SystemClock):
    """The clock of this machine, whose date somebody sets."""

    ahead_ms = 0

    def wall_time(self) -> str:
        return wall_time_of(epoch_ms(super().wall_time()) + self.ahead_ms)


def test_a_clock_that_is_set_forth_and_back_ends_keys_by_their_date_and_harms_nothing_else(tmp_path: Path) -> None:
    keys = tmp_path / "keys.db"
    short = create_key(keys, "short", expires_in_ns=DAY_MS * 1_000_000).secret
    endless = create_key(keys, "endless").secret
    clock = SetClock()
    settings = ServerSettings(port=0, read_timeout_ns=10**10)
    guarding = Protection(ProtectionSettings(keys=str(keys), audit=str(tmp_path / "audit.jsonl")), clock=clock)
    with guarding, RunningServer(make_model(), settings=settings, protection=guarding) as server:

        def status_of(secret: str) -> int:
            with server.connect() as client:
                bearer = f"Host: test\r\nAuthorization: Bearer {secret}".encode()
                client.send(infer_request([[1, 2, 3, 4]]).replace(b"Host: test", bearer))
                return client.read().status

        for ahead_ms, expected in ((0, 200), (400 * DAY_MS, 401), (0, 200), (-400 * DAY_MS, 200), (2 * DAY_MS, 401)):
            clock.ahead_ms = ahead_ms
            # Expiry is looked at when the file is, and that is every second.
            wait_until(lambda want=expected: status_of(short) == want, lambda: f"{clock.ahead_ms} ms ahead")  # type: ignore[misc]
            assert 200 == status_of(endless)
    assert None is verify_audit([tmp_path / "audit.jsonl"]).broken


def test_what_is_remembered_gets_no_older_when_the_date_is_set() -> None:
    clock = SetClock()
    model = make_model(cache=Cache(max_bytes=10**6, ttl_ns=MINUTE_MS * 1_000_000 * 60))
    with RunningServer(model, settings=ServerSettings(port=0), clock=clock) as server, server.connect() as client:
        for ahead_ms in (0, 400 * DAY_MS, -400 * DAY_MS):
            clock.ahead_ms = ahead_ms
            client.send(infer_request([[1, 2, 3, 4]]))
            assert 200 == client.read().status
    (session,) = model.sessions
    assert isinstance(session, FunctionSession)
    assert [1] == session.batches


def test_a_server_out_of_descriptors_answers_those_it_has_and_takes_more_when_it_can(server: Target) -> None:
    with server.connect() as client:
        assert 200 == client.ask("GET", "/v2/health/live").status
        ample = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        with Neighbour(server) as neighbour:
            neighbour.wait_answered(5)
            taken = server.usage().descriptors
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (taken + 5, ample[1]))
            crowd = [server.connect() for _ in range(50)]
            neighbour.wait_answered(20)
            assert 200 == client.ask("GET", "/v2/health/live").status
            for one in crowd:
                one.close()
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, ample)
            with server.connect() as late:
                late.send(http_request("GET", "/v2/health/live"))
                assert 200 == late.read().status
    assert 0 == server.end().unaccounted
