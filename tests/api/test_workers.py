"""`dyno serve --workers`: real processes behind one address."""

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import psutil
import pytest
import trustme
from tritonclient.utils import InferenceServerException

import modeldyno
from modeldyno.api.auditing import verify_audit
from modeldyno.api.keys import create_key
from modeldyno.api.served.server_process import ServerProcess
from modeldyno.clock import SystemClock
from modeldyno.errors import InputError, UsageError
from modeldyno.policies.restarting import STALE_BEATS
from modeldyno.records.server import ProtectionSettings, ServerAccount, ServerSettings
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.testing.bundles import write_echo_bundle
from modeldyno.testing.running_server import Client, connect_to, http_request
from modeldyno.testing.running_workers import RunningWorkers
from modeldyno.wire.v2_client import encode_infer_request

SIGNATURE = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 2)),),
    outputs=(TensorSpec(name="y", datatype="FP32", shape=("batch", 2)),),
)
BODY, HEADER_LENGTH = encode_infer_request({"x": np.array([[1, 2]], np.float32)}, SIGNATURE)
REQUEST = http_request("POST", "/v2/models/echo/infer", BODY, Inference_Header_Content_Length=str(HEADER_LENGTH))


def starting(*bundles: Path, **options: Any) -> RunningWorkers:
    """A server with two workers."""
    own = {name: options.pop(name) for name in ("repository", "protection") if name in options}
    settings = msgspec.convert({"port": 0, "workers": 2, **options}, ServerSettings)
    return RunningWorkers(*bundles, settings=settings, **own)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_echo_bundle(tmp_path_factory.mktemp("echo") / "echo.bundle")


@pytest.fixture(scope="module")
def shared(bundle: Path) -> Iterator[RunningWorkers]:
    """A server for tests that leave it as it was."""
    with starting(bundle, grpc_port=0) as server:
        yield server


@pytest.fixture
def peaceful(shared: RunningWorkers) -> RunningWorkers:
    shared.wait_until(lambda: not any(shared.supervisor.crew.open_connections(door) for door in shared.urls), "peace")
    return shared


def infer(client: Client) -> int:
    client.send(REQUEST)
    return client.read().status


def connections_of(process: psutil.Process) -> int:
    found: int = sum(one.status == psutil.CONN_ESTABLISHED for one in process.net_connections("tcp"))
    return found


def successes(page: str) -> int:
    (line,) = [one for one in page.splitlines() if one.startswith("nv_inference_request_success{")]
    return int(float(line.rpartition(" ")[2]))


def rows_for(triton: Any) -> Any:
    """The input of the model, for one of the clients of Triton."""
    tensor = triton.InferInput("x", [1, 2], "FP32")
    tensor.set_data_from_numpy(np.array([[1, 2]], np.float32))
    return tensor


def check_reconciled(account: ServerAccount | None) -> ServerAccount:
    assert account is not None
    assert 0 == account.unaccounted
    return account


def test_connections_are_spread_evenly_and_metrics_and_accounts_are_summed(bundle: Path) -> None:
    with starting(bundle) as server, contextlib.ExitStack() as stack:
        assert ["echo"] == server.served
        clients = [stack.enter_context(server.connect()) for _ in range(8)]
        for number, client in enumerate(clients):
            assert [200] * (number + 1) == [infer(client) for _ in range(number + 1)]
        assert [4, 4] == [connections_of(server.worker(number)) for number in range(2)]

        # What the other process left last is a quarter of a second old.
        def have_all() -> bool:
            pages = [client.ask("GET", "/metrics").body.decode() for client in clients[:2]]
            return [successes(page) for page in pages] == [36, 36]

        server.wait_until(have_all, "the metrics of both processes in both")
    account = check_reconciled(server.account)
    assert (36, 36) == (account.accepted, account.answered)


def test_each_worker_has_its_share_of_the_cores(peaceful: RunningWorkers) -> None:
    cores = sorted(os.sched_getaffinity(0))
    shares = [peaceful.worker(number).cpu_affinity() for number in range(2)]
    assert [cores[:1] if len(cores) < 2 else cores[: len(cores) // 2], cores[len(cores) // 2 :]] == shares


def test_a_connection_that_is_closed_makes_room_for_the_next_one(peaceful: RunningWorkers) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(peaceful.connect()) for _ in range(4)]
        assert [200] * 4 == [infer(client) for client in clients]
        for client in clients[::2]:
            client.close()
        peaceful.wait_until(lambda: peaceful.supervisor.crew.open_connections("main") == 2, "two closed connections")
        more = [stack.enter_context(peaceful.connect()) for _ in range(2)]
        assert [200] * 2 == [infer(client) for client in more]
        assert [2, 2] == [connections_of(peaceful.worker(number)) for number in range(2)]


def test_more_connections_than_allowed_are_refused_for_all_workers_together(bundle: Path) -> None:
    with starting(bundle, max_connections=3) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(4)]
        assert [200, 200, 200] == [infer(client) for client in clients[:3]]
        clients[3].send(REQUEST)
        reply = clients[3].read()
        assert (503, "1") == (reply.status, reply.headers["retry-after"])
        assert b"more than 3 connections" in reply.body
        assert clients[3].is_ended()
    assert 1 == check_reconciled(server.account).refused


class Load:
    """Clients that ask again and again, and connect again when their connection breaks."""

    def __init__(self, url: str, clients: int) -> None:
        self._url = url
        self._ends = threading.Event()
        self.answered = [0] * clients
        self.broken = [0] * clients
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(clients)]
        self._clients = [connect_to(url) for _ in range(clients)]
        assert [200] * clients == [infer(client) for client in self._clients]
        self.answered = [1] * clients

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _ask(self, number: int) -> None:
        client = self._clients[number]
        while not self._ends.is_set():
            try:
                status = infer(client)
            except ConnectionError:
                client.close()
                self.broken[number] += 1
                try:
                    client = connect_to(self._url)
                except ConnectionError:  # the server is gone
                    return
                continue
            assert 200 == status
            self.answered[number] += 1
        client.close()


def test_a_killed_worker_takes_only_its_connections_with_it_and_is_replaced(bundle: Path) -> None:
    with starting(bundle) as server:
        with Load(server.urls["main"], clients=4) as load:
            victim = server.worker(0)
            victim.kill()
            server.wait_until(
                lambda: len(server.members) == 2 and server.members[0].process.pid != victim.pid, "a new worker"
            )
            before = sum(load.answered)
            server.wait_until(lambda: sum(load.answered) > before + 100, "further answers")
        assert [0, 0, 1, 1] == sorted(load.broken)
        with server.connect() as client:
            page = client.ask("GET", "/metrics").body.decode()
    account = check_reconciled(server.account)
    assert 0 == account.failed
    # Of the killed worker, what it answered since its last word, a quarter of a second at most, is not known.
    assert account.answered <= sum(load.answered)
    assert 0 < successes(page) <= sum(load.answered)


def test_a_worker_that_is_told_to_end_breaks_nothing_and_is_replaced(bundle: Path) -> None:
    with starting(bundle) as server, Load(server.urls["main"], clients=4) as load:
        victim = server.worker(1)
        victim.terminate()
        server.wait_until(
            lambda: len(server.members) == 2 and server.members[1].process.pid != victim.pid, "a new worker"
        )
    account = check_reconciled(server.account)
    # Its clients are told `Connection: close` and come again, to the other worker; no request is lost.
    assert [0, 0, 1, 1] == sorted(load.broken)
    assert (sum(load.answered), sum(load.answered)) == (account.accepted, account.answered)


@pytest.mark.slow
def test_a_worker_that_hangs_is_replaced(bundle: Path) -> None:
    with starting(bundle, worker_silence_ns=5 * 10**9) as server:
        with Load(server.urls["main"], clients=4) as load:
            victim = server.worker(0)
            victim.suspend()
            server.wait_until(
                lambda: len(server.members) == 2 and server.members[0].process.pid != victim.pid, "a new worker"
            )
        assert [0, 0, 1, 1] == sorted(load.broken)
    check_reconciled(server.account)


@pytest.mark.slow
def test_a_silent_worker_gets_no_connections_until_it_is_heard_of_again(bundle: Path) -> None:
    with starting(bundle) as server, contextlib.ExitStack() as stack:
        silent, other = server.members
        victim = server.worker(0)
        victim.suspend()
        try:
            server.wait_until(lambda: silent.silent_beats > STALE_BEATS, "a silent worker")
            clients = [stack.enter_context(server.connect()) for _ in range(4)]
            assert [200] * 4 == [infer(client) for client in clients]
            assert (0, 4) == (silent.open_connections("main"), other.open_connections("main"))
        finally:
            victim.resume()
        server.wait_until(lambda: silent.silent_beats <= STALE_BEATS, "a sign of life")
        clients += [stack.enter_context(server.connect()) for _ in range(4)]
        assert [200] * 8 == [infer(client) for client in clients]
        assert (4, 4) == (silent.open_connections("main"), other.open_connections("main"))


@pytest.mark.slow
def test_without_any_worker_the_supervisor_says_so_itself(bundle: Path) -> None:
    import tritonclient.grpc as triton

    with starting(bundle, grpc_port=0) as server:
        silent = server.members
        victims = [server.worker(number) for number in range(2)]
        for victim in victims:
            victim.suspend()
        try:
            server.wait_until(lambda: all(one.silent_beats > STALE_BEATS for one in silent), "silent workers")
            for path, status in (("/v2/health/ready", 503), ("/v2/models/echo", 503), ("/v2/health/live", 200)):
                with server.connect() as client:
                    assert status == client.ask("GET", path).status
            with server.connect() as client:
                client.send(REQUEST)
                assert "1" == client.read().headers["retry-after"]
                assert client.is_ended()
            with triton.InferenceServerClient(server.urls["grpc"].removeprefix("grpc://")) as stub:
                assert stub.is_server_live()
                with pytest.raises(InferenceServerException, match="no worker process"):
                    stub.infer("echo", [rows_for(triton)])
        finally:
            for victim in victims:
                victim.resume()
        server.wait_until(lambda: all(one.silent_beats <= STALE_BEATS for one in silent), "signs of life")
        with server.connect() as client:
            assert 200 == infer(client)
    assert 1 == check_reconciled(server.account).answered


def test_grpc_calls_are_answered_by_both_workers(peaceful: RunningWorkers) -> None:
    import tritonclient.grpc as triton

    # Clients of one process share a connection unless they are told not to.
    options = [("grpc.use_local_subchannel_pool", 1)]
    with contextlib.ExitStack() as stack:
        address = peaceful.urls["grpc"].removeprefix("grpc://")
        for _ in range(4):
            client = stack.enter_context(triton.InferenceServerClient(address, channel_args=options))
            np.testing.assert_array_equal([[1, 2]], client.infer("echo", [rows_for(triton)]).as_numpy("y"))
        assert [2, 2] == [one.open_connections("grpc") for one in peaceful.members]


def test_encrypted_connections_reach_the_workers_and_certificates_are_renewed(bundle: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate, key, known = (str(tmp_path / name) for name in ("server.pem", "server.key", "ca.pem"))
    authority.cert_pem.write_to_path(known)

    def issue(name: str) -> None:
        made = authority.issue_cert("127.0.0.1", common_name=name)
        made.private_key_and_cert_chain_pem.write_to_path(certificate)
        made.private_key_pem.write_to_path(key)

    issue("first")
    context = ssl.create_default_context(cafile=known)
    with starting(bundle, tls={"certificate": certificate, "key": key}) as server:
        port = int(server.urls["main"].rpartition(":")[2])

        def name_of_certificate() -> str:
            with (
                socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1") as client,
            ):
                client.sendall(http_request("GET", "/v2", Connection="close"))
                assert client.recv(4096).startswith(b"HTTP/1.1 200")
                found: Any = client.getpeercert()
                return str(dict(pair[0] for pair in found["subject"])["commonName"])

        assert ["first"] * 4 == [name_of_certificate() for _ in range(4)]
        with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
            plain.sendall(REQUEST)  # not TLS: it is closed, and counted
            with contextlib.suppress(ConnectionResetError):
                while plain.recv(4096):
                    pass
        server.wait_until(lambda: server.supervisor.crew.open_connections("main") == 0, "all closed")
        issue("second")
        server.supervisor.loop.call_soon_threadsafe(server.supervisor.renew)
        server.wait_until(lambda: [name_of_certificate() for _ in range(2)] == ["second"] * 2, "the new certificate")


def test_each_worker_writes_an_audit_log_that_verifies(bundle: Path, tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    with starting(bundle, protection=ProtectionSettings(audit=str(log))) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(4)]
        assert [200] * 4 == [infer(client) for client in clients]
        victim = server.worker(1)
        victim.kill()
        server.wait_until(lambda: len(server.members) == 2 and server.members[1].process.pid != victim.pid, "another")
        assert [200] * 2 == [infer(client) for client in clients[::2]]
    report = verify_audit([log])
    assert report.broken is None
    assert 2 == len(report.chains)
    # What a killed process had not written yet is not there: up to a tenth of a second.
    assert 4 <= report.requests + report.lost <= 6


def test_limits_of_a_key_hold_for_all_workers_together(bundle: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.db"
    key = create_key(keys, "test", rows_per_s=0.001, burst_rows=10)
    headers = {"Inference_Header_Content_Length": str(HEADER_LENGTH), "X_API_Key": key.secret}
    asked = http_request("POST", "/v2/models/echo/infer", BODY, **headers)
    with starting(bundle, protection=ProtectionSettings(keys=str(keys))) as server, contextlib.ExitStack() as stack:
        statuses = []
        for client in [stack.enter_context(server.connect()) for _ in range(4)]:
            for _ in range(5):
                client.send(asked)
                statuses.append(client.read().status)
    assert 10 == statuses.count(200)
    assert 10 == statuses.count(429)


def replace_version(repository: Path, version: int) -> Path:
    target = repository / "echo" / str(version)
    target.parent.mkdir(parents=True, exist_ok=True)
    return write_echo_bundle(target)


def versions_of(server: RunningWorkers) -> list[list[str]]:
    """What each of the two workers serves of the model: connections go to them in turn."""
    found = []
    with contextlib.ExitStack() as stack:
        for client in [stack.enter_context(server.connect()) for _ in range(2)]:
            reply = client.ask("GET", "/v2/models/echo")
            found.append(json.loads(reply.body)["versions"] if reply.status == 200 else [])
    return found


def ask_admin(server: RunningWorkers, path: str, body: bytes = b"{}") -> tuple[int, str]:
    with server.connect("admin") as client:
        reply = client.ask("POST", path, body)
    return reply.status, reply.body.decode()


def test_a_model_is_loaded_by_all_workers_or_by_none(tmp_path: Path) -> None:
    repository = tmp_path / "models"
    replace_version(repository, 1)
    with starting(repository=repository, admin_port=0) as server:
        assert [["1"], ["1"]] == versions_of(server)
        with Load(server.urls["main"], clients=2) as load:
            replace_version(repository, 2)
            assert 200 == ask_admin(server, "/v2/repository/models/echo/load")[0]
            assert [["2"], ["2"]] == versions_of(server)
            damaged = replace_version(repository, 3)
            (damaged / "model.onnx").write_bytes(b"something else")
            status, body = ask_admin(server, "/v2/repository/models/echo/load")
            assert 400 == status, body
            assert [["2"], ["2"]] == versions_of(server)
        assert [0, 0] == load.broken
        assert 404 == ask_admin(server, "/v2/repository/models/absent/unload")[0]
    account = check_reconciled(server.account)
    assert sum(load.answered) == account.answered == account.accepted


def test_a_worker_that_is_replaced_serves_what_the_others_serve(tmp_path: Path) -> None:
    repository = tmp_path / "models"
    replace_version(repository, 1)
    (repository / "other").mkdir()
    write_echo_bundle(repository / "other" / "1")
    with starting(repository=repository, admin_port=0) as server:
        assert 200 == ask_admin(server, "/v2/repository/models/other/unload")[0]
        replace_version(repository, 2)  # it is there, but nobody asked to load it
        victim = server.worker(0)
        victim.kill()
        server.wait_until(lambda: len(server.members) == 2 and server.members[0].process.pid != victim.pid, "another")
        assert [["1"], ["1"]] == versions_of(server)
        with server.connect() as one, server.connect() as two:
            assert [404, 404] == [client.ask("GET", "/v2/models/other").status for client in (one, two)]
        assert 200 == ask_admin(server, "/v2/repository/models/echo/load")[0]
        assert [["2"], ["2"]] == versions_of(server)


def test_log_settings_hold_for_all_workers_and_for_those_that_come(bundle: Path) -> None:
    def are_on() -> list[bool]:
        with server.connect("admin") as one, server.connect("admin") as two:
            return [json.loads(client.ask("GET", "/v2/logging").body)["log_info"] for client in (one, two)]

    with starting(bundle, admin_port=0) as server:
        assert [False, False] == are_on()
        assert 200 == ask_admin(server, "/v2/logging", b'{"log_info": true}')[0]
        server.wait_until(lambda: are_on() == [True, True], "both log")
        victim = server.worker(0)
        victim.kill()
        server.wait_until(lambda: len(server.members) == 2 and server.members[0].process.pid != victim.pid, "another")
        assert [True, True] == are_on()


COMMAND = ["--port", "0", "--json", "--workers", "2"]


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGHUP))
def test_a_signal_ends_the_server_after_the_answers(bundle: Path, number: signal.Signals) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("the tests are run under nohup, and so is what they start")
    process = subprocess.Popen(
        [sys.executable, "-m", "modeldyno", "serve", str(bundle), *COMMAND], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process:
        with Load(json.loads(process.stdout.readline())["url"], clients=4) as load:
            process.send_signal(number)
            account = msgspec.json.decode(process.stdout.read(), type=ServerAccount)
        assert 0 == process.wait(60)
    assert sum(load.answered) == account.answered == account.accepted


def test_workers_do_not_outlive_a_killed_supervisor(bundle: Path, tmp_path: Path) -> None:
    with ServerProcess("modeldyno", ["serve", str(bundle), *COMMAND], log=tmp_path / "log", clock=SystemClock()) as one:
        workers = psutil.Process(one.pid).children()
        assert 2 == len(workers)
        workers[0].suspend()  # a worker that hangs must go, too
        psutil.Process(one.pid).kill()
        psutil.wait_procs(workers, timeout=60)
    assert not any(worker.is_running() for worker in workers)


def test_a_process_that_takes_no_signal_does_not_outlive_its_parent_either() -> None:
    child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
    script = (
        "import subprocess, sys\n"
        "from modeldyno.api.served.server_process import dying_with_us\n"
        f"command = [*dying_with_us('KILL'), sys.executable, '-c', {child!r}]\n"
        "one = subprocess.Popen(command, stdout=subprocess.PIPE)\n"
        "one.stdout.readline()\n"
        "print(one.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        orphan = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    orphan.wait(timeout=60)
    assert not orphan.is_running()


def test_a_worker_that_hears_nothing_any_more_does_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    # Not a stopped one: that would be woken and hung up on, when it is left alone, by the kernel itself.
    told = tmp_path / "told"
    (tmp_path / "deaf_worker.py").write_text(
        "import os, signal, time\n"
        "for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):\n"
        "    signal.signal(one, signal.SIG_IGN)\n"
        f"open({str(told)!r} + '.new', 'w').write(str(os.getpid()))\n"
        f"os.rename({str(told)!r} + '.new', {str(told)!r})\n"
        "time.sleep(600)\n"
    )
    script = (
        "import socket, sys\n"
        "from modeldyno.api.served import worker_crew\n"
        "worker_crew._MODULE = 'deaf_worker'\n"
        "own, its = socket.socketpair()\n"
        "worker = worker_crew._start(its.fileno())\n"
        "sys.stdin.read()\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, env=environment) as supervisor:
        for _ in range(600):
            if told.exists():
                break
            time.sleep(0.1)
        worker = psutil.Process(int(told.read_text()))
        supervisor.kill()
    try:
        worker.wait(timeout=30)
    finally:
        if worker.is_running():
            worker.kill()


def test_a_server_whose_workers_cannot_start_says_why_in_their_words(tmp_path: Path) -> None:
    bundle = write_echo_bundle(tmp_path / "echo.bundle")
    (bundle / "model.onnx").write_bytes(b"something else")
    server = RunningWorkers(bundle, settings=ServerSettings(port=0, workers=2))
    with server:
        pass
    assert isinstance(server.problem, InputError)
    assert "model.onnx" in server.problem.what


def test_a_port_in_use_is_named_before_a_worker_is_started(bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = RunningWorkers(bundle, settings=ServerSettings(port=port, workers=2))
        with server:
            pass
    assert isinstance(server.problem, UsageError)
    assert str(port) in server.problem.what
    assert "--port" in server.problem.hint


def test_no_workers_at_all_are_refused(bundle: Path) -> None:
    with pytest.raises(UsageError, match="0 workers") as caught:
        modeldyno.serve(bundle, settings=ServerSettings(workers=0))
    assert "--workers" in caught.value.hint
