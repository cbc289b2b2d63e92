"""Servers and clients as processes: pinned to a core, watched from outside, ended with all that they started."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

HERE = Path(__file__).parent
"""Where the benchmarks are."""


class ClientError(Exception):
    """A client that did not do what it was asked to; its text says what it said."""


@contextlib.contextmanager
def running_server(*arguments: str, core: int, is_real_time: bool = False) -> Iterator[str]:
    """A Python program on a core of its own: the first line it prints; ended by SIGTERM.

    At real-time priority it goes before every other process of the machine, the clients included.
    """
    ahead = ["chrt", "-f", "30"] if is_real_time else []
    command = [*ahead, "taskset", "-c", str(core), sys.executable, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.terminate()


class Client:
    """A load generator that runs in a process group of its own."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self._name = name
        self._process = process
        self._log = log

    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def check_running(self) -> None:
        """Raises ClientError when it has ended."""
        if not self.is_running():
            raise ClientError(f"{self._name} ended early with {self._process.returncode}: {self.last_words()}")

    def last_words(self) -> str:
        """The end of what it printed."""
        return " / ".join(self._log.read_text(errors="replace").strip().splitlines()[-4:])[-400:]

    def cpu_s(self) -> float:
        """User and system time of all its processes so far, those that ended included."""
        total = 0.0
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += sum(process.cpu_times()[:4])
        return total

    def processes(self) -> list[psutil.Process]:
        """Its own and those it started, none when it has ended."""
        try:
            root = psutil.Process(self._process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def wait_done(self, timeout_s: float) -> None:
        """Wait for its own end.

        Raises:
            ClientError: it does not come.
        """
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as problem:
            raise ClientError(f"{self._name} did not end in time: {self.last_words()}") from problem


@contextlib.contextmanager
def running_client(
    name: str,
    command: Sequence[str],
    *,
    core: int | None,
    environment: Mapping[str, str] | None = None,
    is_real_time: bool = False,
) -> Iterator[Client]:
    """A client pinned to a core, or to none; it and its children are ended when the block is left."""
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "log"
        ahead = ["chrt", "-f", "20"] if is_real_time else []
        pin = ["taskset", "-c", str(core)] if core is not None else []
        with (
            log.open("wb") as output,
            subprocess.Popen(
                [*ahead, *pin, *command],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(environment or {})},
                cwd=directory,
                start_new_session=True,
            ) as process,
        ):
            try:
                yield Client(name, process, log)
            finally:
                _end_group(process)


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            continue
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def count_at(port: str) -> int:
    """How many requests the server on that port of this machine says it has seen."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/count", timeout=10) as answer:
        return int(json.load(answer)["requests"])


def wait_under_way(
    count: Callable[[], int], client: Client, *, least: int, every_s: float = 0.02, timeout_s: float = 120.0
) -> None:
    """Wait until the server has seen `least` requests more than now.

    Raises:
        ClientError: the client ended before, or sent too little.
    """
    before = count()
    give_up = time.monotonic() + timeout_s
    while count() - before < least:
        client.check_running()
        if time.monotonic() > give_up:
            raise ClientError(f"too few requests came within {timeout_s:g} s: {client.last_words()}")
        time.sleep(every_s)
