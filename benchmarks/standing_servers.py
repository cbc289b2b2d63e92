"""Servers that stand by until the block ends, and what a load costs each of them."""

import contextlib
import json
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow.parquet as pq
from model_servers import Command, ModelServer, Place
from nets import Net
from request_forms import find_fault, write_request
from running import HERE, Client, ClientError, running_client

READY_WITHIN_S = 60.0
WARM_UP_S = 0.4


class Standing(NamedTuple):
    """A server that answers."""

    process: Client
    place: Place
    request: list[str]
    """Arguments of `dyno load`."""


class StandingServers:
    """Each server is started when it is first asked for, on its core, and ended with the block.

    Args:
        directory: for the files of all.
        core: where they run; None for all cores.
        bearer: a file with the key that servers ask for.
    """

    def __init__(self, directory: Path, *, core: int | None, bearer: Path | None = None) -> None:
        self._directory = directory
        self._core = core
        self._bearer = bearer
        self._stack = contextlib.ExitStack()
        self._standing: dict[tuple[str, str, str], Standing] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_problem: object) -> None:
        self._stack.close()

    def stand(self, server: ModelServer, net: Net) -> Standing:
        """The server, which has answered the model's row rightly.

        Raises:
            ClientError: it does not start, or answers wrongly.
            NotInstallableError: it is not to be had here.
        """
        form = server.form(net)
        key = (server.name, net.name, form.path + form.headers["Content-Type"])
        if key not in self._standing:
            self._standing[key] = self._start(server, net)
        standing = self._standing[key]
        standing.process.check_running()
        return standing

    def _start(self, server: ModelServer, net: Net) -> Standing:
        place = free_place(self._directory)
        command = server.command(net, place)
        process = self._stack.enter_context(running_server(server.name, command, core=self._core))
        bearer = "" if self._bearer is None else self._bearer.read_text().strip()
        wait_right(server, net, place, process, bearer=bearer)
        access = [] if self._bearer is None else ["--bearer-file", str(self._bearer)]
        return Standing(process, place, [*write_request(server.form(net), place.directory / "request"), *access])


def running_server(name: str, command: Command, *, core: int | None) -> contextlib.AbstractContextManager[Client]:
    """A server as a process group of its own, one thread for every library that would take more."""
    limits = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE / "peers")}
    return running_client(name, command.words, core=core, environment={**limits, **command.environment})


def free_place(directory: Path) -> Place:
    """Three ports that nobody listens on, and a new directory."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    http, grpc, spare = ports
    return Place(http, grpc, spare, Path(tempfile.mkdtemp(dir=directory)))


def wait_right(
    server: ModelServer, net: Net, place: Place, process: Client, *, bearer: str = "", every_s: float = 0.1
) -> None:
    """Wait until the server answers the model's row.

    Raises:
        ClientError: it ends before, does not answer in time, or its answer is wrong.
    """
    url, form = f"http://127.0.0.1:{place.port}", server.form(net)
    give_up = time.monotonic() + READY_WITHIN_S
    fault: str | None = "no answer"
    while fault is not None:
        process.check_running()
        try:
            fault = find_fault(form, net, url, bearer)
        except OSError as problem:
            fault = str(problem)
        if fault is not None and time.monotonic() > give_up:
            raise ClientError(f"{server.name}: {fault}; {process.last_words()}")
        time.sleep(every_s if fault is not None else 0)


def loaded(
    standing: Standing, *, users: int, seconds: float, core: int | None, words: list[str] | None = None
) -> dict[str, float]:
    """One closed loop of `dyno load` against a server.

    Args:
        standing: the server.
        users: of the loop.
        seconds: of the measured phase.
        core: of the client; None for any.
        words: what is asked instead of the server's own request.

    Returns:
        Answers, answers per second, CPU of all of the server's processes in µs a request, that in cores, and the median
        time from the request sent to its answer in µs.

    Raises:
        ClientError: the load failed, or an answer did.
    """
    target = [f"http://127.0.0.1:{standing.place.port}", *standing.request] if words is None else words
    with tempfile.TemporaryDirectory() as directory:
        run = Path(directory) / "run"
        common = ["--concurrency", str(users), "--warmup", f"{WARM_UP_S}s", "--duration", f"{seconds}s"]
        common += ["--timeout", "60s", "--out", str(run), "--json", "-q"]
        first_cpu_s = standing.process.cpu_s()
        with running_client(
            "dyno load", [sys.executable, "-m", "modeldyno", "load", *target, *common], core=core
        ) as load:
            load.wait_done(seconds + 60)
            cpu_s = standing.process.cpu_s() - first_cpu_s
            said = load.last_words()
        if not (run / "requests.parquet").exists():
            raise ClientError(f"dyno load: {said}")
        return _figures(run, cpu_s)


def _figures(run: Path, cpu_s: float) -> dict[str, float]:
    rows = pq.read_table(run / "requests.parquet", columns=["sent_ns", "done_ns", "measured"])
    sent_ns, done_ns, measured = (rows.column(name).to_numpy() for name in ("sent_ns", "done_ns", "measured"))
    summary: Mapping[str, Any] = json.loads((run / "run.json").read_text())["summary"]
    if summary["failures"] or not measured.any():
        raise ClientError(f"dyno load had failures: {summary['failures']}")
    done = done_ns >= 0
    answers = int(done.sum())
    seconds = float(done_ns[done].max() - sent_ns[done].min()) / 1e9
    return {
        "answers": answers,
        "per_s": answers / seconds,
        "cpu_us": cpu_s / answers * 1e6,
        "per_cpu_s": answers / cpu_s,
        "cores": cpu_s / seconds,
        "median_us": float(np.median((done_ns - sent_ns)[done & measured])) / 1e3,
    }
