"""Servers that share answers through Redis: a real one where there is one, and what only listens in its place."""

import contextlib
import itertools
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from modeldyno.clock import SystemClock
from modeldyno.errors import InputError, UsageError
from modeldyno.records.deployment import Cache
from modeldyno.records.server import RedisCache, ServerSettings
from modeldyno.server.serving import ServedModel, Server
from modeldyno.testing.redis_process import PROGRAM, RedisProcess, running_redis
from modeldyno.testing.running_server import RunningServer, infer_request, make_model
from modeldyno.testing.sessions import FunctionSession
from modeldyno.wire.v2_client import decode_infer_response

Serving = Callable[..., RunningServer]
CACHE = Cache(max_bytes=10**6, ttl_ns=3600 * 10**9)
PATIENT = 20 * 10**9
"""A limit that a busy machine keeps too."""
needs_redis = pytest.mark.skipif(PROGRAM is None, reason="redis-server is not installed")


@pytest.fixture
def redis() -> Iterator[RedisProcess]:
    with running_redis() as process:
        yield process


def settings_of(port: int, *, limit_ns: int = PATIENT, **more: object) -> dict[str, Any]:
    return {"redis": {"host": "127.0.0.1", "port": port, "limit_ns": limit_ns, **more}}


def batches_of(model: ServedModel) -> int:
    (session,) = model.sessions
    assert isinstance(session, FunctionSession)
    return len(session.batches)


def ask(server: RunningServer, value: float) -> None:
    """Ask for a sum; the answer must be right."""
    with server.connect() as client:
        client.send(infer_request([[value, 0, 0, 0]]))
        reply = client.read()
    assert 200 == reply.status, reply.body
    length = reply.headers["inference-header-content-length"]
    assert [value] == decode_infer_response(reply.body, int(length))["sum"].tolist()


def metrics_of(server: RunningServer) -> str:
    with server.connect() as client:
        return client.ask("GET", "/metrics").body.decode()


def count(server: RunningServer, name: str, result: str) -> int:
    page = metrics_of(server)
    found = re.search(rf'^modeldyno_shared_cache_{name}_total\{{.*result="{result}"\}} (\d+)$', page, re.MULTILINE)
    assert found is not None
    return int(found[1])


def wait_until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up, "it did not become true within a minute"
        time.sleep(0.02)


LOADING = "LOADING Redis is loading the dataset in memory"
UNLIKE = itertools.count(1_000_000)


def wait_asked(server: RunningServer) -> None:
    """Ask unlike questions until Redis answered one: there is a connection."""

    def is_asked() -> bool:
        ask(server, next(UNLIKE) % 2**24)
        return count(server, "looks", "miss") > before

    before = count(server, "looks", "miss")
    wait_until(is_asked)


def wait_shared(server: RunningServer) -> None:
    """Until what was computed is in Redis."""
    wait_until(lambda: count(server, "writes", "kept") == count(server, "looks", "miss"))


def wait_more(server: RunningServer, name: str, result: str, *, than: int) -> None:
    wait_until(lambda: count(server, name, result) > than)


def end(server: RunningServer) -> None:
    server.stop()
    server.join()
    assert server.account is not None
    assert (0, 0, 0) == (server.account.unaccounted, server.account.lost, server.account.failed)
    assert server.account.accepted == server.account.answered


@needs_redis
def test_two_servers_compute_once_what_both_are_asked(serving: Serving, redis: RedisProcess) -> None:
    models = [make_model(cache=CACHE) for _ in range(2)]
    first, second = (serving(model, **settings_of(redis.port)) for model in models)
    for server in (first, second):
        wait_asked(server)
    before = batches_of(models[1])
    ask(first, 1)
    wait_shared(first)
    for _ in range(3):
        ask(second, 1)
    assert (before, 1) == (batches_of(models[1]), count(second, "looks", "hit"))
    for server in (first, second):
        end(server)


@needs_redis
def test_other_models_other_tenants_and_other_namespaces_share_nothing(serving: Serving, redis: RedisProcess) -> None:
    models = [make_model(cache=CACHE), make_model(cache=CACHE, version="2"), make_model(cache=CACHE)]
    servers = [
        serving(models[0], **settings_of(redis.port)),
        serving(models[1], **settings_of(redis.port)),
        serving(models[2], **settings_of(redis.port, namespace="elsewhere")),
    ]
    for server in servers:
        wait_asked(server)
    for server in servers:
        ask(server, 1)
        wait_shared(server)
    assert [0, 0, 0] == [count(server, "looks", "hit") for server in servers]


@needs_redis
def test_answers_live_in_redis_as_long_as_they_may_be_given(serving: Serving, redis: RedisProcess) -> None:
    server = serving(make_model(cache=CACHE), **settings_of(redis.port, database=3))
    wait_asked(server)
    wait_more(server, "writes", "kept", than=0)
    with contextlib.closing(socket.create_connection(("127.0.0.1", redis.port), timeout=30)) as connection:
        connection.sendall(b"SELECT 3\r\nRANDOMKEY\r\n")
        stream = connection.makefile("rb")
        stream.readline()
        key = stream.read(int(stream.readline()[1:]) + 2)[:-2]
        connection.sendall(b"PTTL " + key + b"\r\n")
        left_ms = int(stream.readline()[1:])
        stream.close()
    assert key.startswith(b"modeldyno:1:sums:1:3600000:")
    assert 0 < left_ms <= 3_600_000


@needs_redis
def test_what_others_wrote_under_the_keys_changes_no_answer(serving: Serving, redis: RedisProcess) -> None:
    writer, reader = (serving(make_model(cache=CACHE), **settings_of(redis.port)) for _ in range(2))
    for server in (writer, reader):
        wait_asked(server)
    for value in (1, 2, 3):
        ask(writer, value)
    wait_shared(writer)
    with contextlib.closing(socket.create_connection(("127.0.0.1", redis.port), timeout=30)) as connection:
        stream = connection.makefile("rb")
        connection.sendall(b"KEYS *\r\n")
        number = int(stream.readline()[1:])
        keys = [stream.read(int(stream.readline()[1:]) + 2)[:-2] for _ in range(number)]
        stream.close()
    for number, key in enumerate(keys):
        if number % 2:
            redis.ask("SET", key, b"\xff\x00 garbage")
        else:
            redis.ask("DEL", key)
            redis.ask("LPUSH", key, "of another type")
    for value in (1, 2, 3):
        ask(reader, value)
    assert (0, 0) == (count(reader, "looks", "hit"), count(reader, "looks", "error"))
    end(reader)


@needs_redis
def test_redis_that_is_killed_under_load_costs_no_request_and_is_found_again(
    serving: Serving, redis: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    server = serving(make_model(cache=CACHE), **settings_of(redis.port))
    wait_asked(server)
    stopping, problems = threading.Event(), []

    def load() -> None:
        try:
            while not stopping.is_set():
                ask(server, next(UNLIKE) % 2**24)
        except BaseException as problem:
            problems.append(problem)
            raise

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            redis.kill()
            errors = count(server, "looks", "error")
            wait_more(server, "looks", "error", than=errors)
            redis.start()
            wait_asked(server)
    finally:
        stopping.set()
        for thread in threads:
            thread.join(60)
    assert [] == problems
    end(server)
    left_out = [record for record in caplog.records if "left out" in record.getMessage()]
    assert 1 <= len(left_out) <= 2 + 1  # once each time, not once a request; a killed one may look killed again
    assert any("answers again" in record.getMessage() for record in caplog.records)


@needs_redis
def test_redis_that_is_slow_is_not_waited_for(
    serving: Serving, redis: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    server = serving(make_model(cache=CACHE), **settings_of(redis.port, limit_ns=5 * 10**6))
    wait_asked(server)
    redis.ask("CLIENT", "PAUSE", "3600000", "ALL")
    errors = count(server, "looks", "error")
    for _ in range(12):
        ask(server, next(UNLIKE) % 2**24)
    assert errors + 12 == count(server, "looks", "error")
    wait_until(lambda: any("left out" in record.getMessage() for record in caplog.records))
    end(server)


@needs_redis
def test_redis_that_is_full_costs_no_answer_and_is_told_once(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    with running_redis("--maxmemory", "1", "--maxmemory-policy", "noeviction") as redis:
        server = serving(make_model(cache=CACHE), **settings_of(redis.port))
        wait_asked(server)
        for _ in range(5):
            ask(server, next(UNLIKE) % 2**24)
        wait_until(lambda: count(server, "writes", "error") >= 5)
        assert 0 == count(server, "writes", "kept")
        end(server)
    assert 1 == sum("keeps no more answers" in record.getMessage() for record in caplog.records)


@needs_redis
@pytest.mark.parametrize("user", ("", "reader"))
def test_a_password_is_taken_from_the_environment_and_shown_nowhere(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, user: str
) -> None:
    with running_redis("--requirepass", "open sesame") as redis:
        redis.ask("ACL", "SETUSER", "reader", "on", ">open sesame", "~*", "+@all", password="open sesame")  # noqa: S106 - of a server of this test
        caplog.set_level(logging.DEBUG)
        monkeypatch.setenv("OTHER_VARIABLE", "wrong secret")
        shut_out = serving(
            make_model(cache=CACHE),
            **settings_of(redis.port, password_variable="OTHER_VARIABLE", user=user),  # noqa: S106 - a name
        )
        for value in (1, 1, 2):
            ask(shut_out, value)
        wait_until(lambda: any("left out" in record.getMessage() for record in caplog.records))
        assert 2 == count(shut_out, "looks", "error")
        monkeypatch.setenv("DYNO_REDIS_PASSWORD", "open sesame")
        let_in = serving(make_model(cache=CACHE), **settings_of(redis.port, user=user))
        wait_asked(let_in)
        for server in (shut_out, let_in):
            end(server)
    for secret in ("wrong secret", "open sesame"):
        assert secret not in caplog.text


@needs_redis
def test_redis_behind_tls_is_reached_when_its_certificate_is_good(serving: Serving, tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    for name, one in (("good.pem", authority), ("bad.pem", stranger)):
        one.cert_pem.write_to_path(tmp_path / name)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    options = ["--tls-port", str(port), "--tls-cert-file", str(tmp_path / "cert.pem")]
    options += ["--tls-key-file", str(tmp_path / "key.pem"), "--tls-auth-clients", "no"]
    with running_redis(*options):
        good, bad = (
            serving(make_model(cache=CACHE), **settings_of(port, tls=True, authorities=str(tmp_path / name)))
            for name in ("good.pem", "bad.pem")
        )
        wait_asked(good)
        for value in (1, 2, 3):
            ask(bad, value)
        assert 3 == count(bad, "looks", "error")
        for server in (good, bad):
            end(server)


@needs_redis
def test_a_look_ends_with_its_connection(serving: Serving, redis: RedisProcess) -> None:
    server = serving(make_model(cache=CACHE), **settings_of(redis.port, limit_ns=3600 * 10**9))
    wait_asked(server)
    redis.ask("CLIENT", "PAUSE", "3600000", "ALL")
    looking = threading.Thread(target=ask, args=(server, next(UNLIKE) % 2**24))
    looking.start()
    wait_until(lambda: 'modeldyno_requests_in_progress{model="sums",version="1"} 1\n' in metrics_of(server))
    redis.kill()
    looking.join(60)
    assert not looking.is_alive()
    assert 1 == count(server, "looks", "error")
    end(server)


@contextlib.contextmanager
def listening(answer: bytes | None, *, closes: bool = False) -> Iterator[tuple[int, list[socket.socket]]]:
    """Something that is no Redis: its port, and who came; it says this to whoever says something, or nothing at all."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        ended = threading.Event()
        kept: list[socket.socket] = []

        def work() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, _ = listener.accept()
                    kept.append(connection)
                    if answer is not None:
                        connection.recv(1000)
                        connection.sendall(answer)
                    if closes:
                        connection.close()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield int(listener.getsockname()[1]), kept
        finally:
            ended.set()
            thread.join(30)
            for connection in kept:
                connection.close()


@pytest.mark.parametrize(
    "answer",
    (None, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"-NOAUTH Authentication required.\r\n", b"$999999999\r\n"),
)
def test_whatever_listens_in_the_place_of_redis_costs_no_answer(serving: Serving, answer: bytes | None) -> None:
    with listening(answer) as (port, _):
        server = serving(make_model(cache=CACHE), **settings_of(port))
        for value in (1, 2, 1, 2):
            ask(server, value)
        assert (2, 2) == (count(server, "looks", "error"), count(server, "writes", "error"))
        end(server)


def test_an_outage_is_told_once_however_often_it_is_tried_again(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    with listening(b"-LOADING Redis is loading the dataset in memory\r\n") as (port, came):
        server = serving(make_model(cache=CACHE), **settings_of(port))
        wait_until(lambda: len(came) >= 3)
        end(server)
    messages = [record.getMessage() for record in caplog.records]
    assert [f"the shared cache at 127.0.0.1:{port} is left out until it answers again: {LOADING}"] == messages


def test_a_connection_that_ends_behind_the_greeting_is_no_connection(serving: Serving) -> None:
    with listening(b"+PONG\r\n", closes=True) as (port, came):
        server = serving(make_model(cache=CACHE), **settings_of(port))
        wait_until(lambda: len(came) >= 3)
        ask(server, 1)
        end(server)


def test_redis_that_is_not_there_costs_no_answer_and_is_told_once(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = serving(make_model(cache=CACHE), **settings_of(port))
    wait_until(lambda: any("left out" in record.getMessage() for record in caplog.records))
    for value in (1, 2, 1, 2):
        ask(server, value)
    assert 2 == count(server, "looks", "error")
    end(server)
    assert 1 == sum("left out" in record.getMessage() for record in caplog.records)


def test_a_name_that_no_machine_can_have_costs_no_answer_either(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    server = serving(make_model(cache=CACHE), redis={"host": "a..b"})
    wait_until(lambda: any("left out" in record.getMessage() for record in caplog.records))
    ask(server, 1)
    end(server)


def test_a_server_without_a_cache_has_nothing_to_share(serving: Serving) -> None:
    settings = ServerSettings(port=0, redis=RedisCache(host="127.0.0.1"))
    with pytest.raises(UsageError, match="no model keeps any"):
        Server([make_model()], settings, clock=SystemClock()).run(lambda _url: None)


def test_authorities_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "missing.pem"):
        redis = RedisCache(host="127.0.0.1", tls=True, authorities=str(tmp_path / name))
        with pytest.raises(InputError, match="authorities"):
            Server([make_model(cache=CACHE)], ServerSettings(port=0, redis=redis), clock=SystemClock())
