"""A server in a process of its own, what it takes of the machine, and a neighbour that must not notice an attack."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import grpc
import msgspec
import numpy as np
import psutil

from modeldyno.clock import SystemClock
from modeldyno.records.server import ProtectionSettings, ServerAccount, ServerSettings
from modeldyno.testing.running_server import Client, infer_request
from modeldyno.testing.sessions import sum_signature
from modeldyno.wire.v2_client import decode_infer_response
from modeldyno.wire.v2_grpc import encode_infer_request, infer_outputs, parse_infer_response
from modeldyno.wire.v2_messages import method_path

MB = 1_000_000
ROOM_BYTES = 64 * MB
"""What an allocator may keep for itself; each attack would leave several times as much, were it kept."""
LONGEST_S = 60.0


class Usage(NamedTuple):
    """What a process has."""

    rss_bytes: int
    descriptors: int
    threads: int


class Target:
    """The server: how to reach it, and what it takes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._stats = psutil.Process(process.pid)
        self._ending = b""
        assert process.stdout is not None
        urls = msgspec.json.decode(process.stdout.readline(), type=list[str])
        self.url = urls[0]
        self.grpc_address = urls[1].partition("://")[2] if len(urls) > 1 else ""

    @property
    def pid(self) -> int:
        return self._process.pid

    def connect(self) -> Client:
        """A new HTTP connection."""
        host, port = self.url.removeprefix("http://").rsplit(":", 1)
        return Client(socket.create_connection((host, int(port)), timeout=LONGEST_S))

    def usage(self) -> Usage:
        stats = self._stats
        return Usage(stats.memory_info().rss, stats.num_fds(), stats.num_threads())

    def forget_peak(self) -> None:
        """Let `peak_bytes` begin anew (`/proc/PID/clear_refs` in proc(5))."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak_bytes(self) -> int:
        """The most memory that it had at once."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        (kilobytes,) = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
        return kilobytes * 1024

    def wait_back_to(self, before: Usage) -> None:
        """Until it has no more than before."""
        wait_until(lambda: _is_within(self.usage(), before), lambda: f"still {self.usage()}, where it had {before}")

    def end(self) -> ServerAccount:
        """Drain it, and have its account."""
        self._process.send_signal(signal.SIGTERM)
        said, _ = self._process.communicate(timeout=LONGEST_S)
        return msgspec.json.decode(said.splitlines()[-1], type=ServerAccount)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


def wait_until(is_so: Callable[[], bool], told: Callable[[], str]) -> None:
    """Return once it is so; or fail, when it is not for very long, with what is told then."""
    clock = SystemClock()
    until_ns = clock.now_ns() + round(LONGEST_S * 1e9)
    while not is_so():
        assert clock.now_ns() < until_ns, told()
        clock.sleep_until_ns(clock.now_ns() + 20_000_000)


def _is_within(now: Usage, before: Usage) -> bool:
    return (
        now.rss_bytes <= before.rss_bytes + ROOM_BYTES
        and now.descriptors <= before.descriptors
        and now.threads <= before.threads
    )


@contextmanager
def target(settings: ServerSettings, protection: ProtectionSettings | None = None) -> Iterator[Target]:
    """A server in a process of its own, that ends with the context."""
    program = Path(__file__).with_name("target.py")
    records = (settings, protection or ProtectionSettings())
    arguments = [msgspec.json.encode(record).decode() for record in records]
    process = subprocess.Popen([sys.executable, str(program), *arguments], stdout=subprocess.PIPE)
    running = None
    try:
        running = Target(process)
        yield running
    finally:
        process.kill()
        process.communicate()


class Neighbour:
    """Asks over HTTP and gRPC without a pause, from entering the context to leaving it, and checks each answer."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._is_over = threading.Event()
        self._answered = {"http": 0, "grpc": 0}
        self._problems: list[BaseException] = []
        asking = [self._ask_http, *([self._ask_grpc] if target.grpc_address else [])]
        self._threads = [threading.Thread(target=self._watch, args=(ask,)) for ask in asking]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(LONGEST_S)
        if problem is None and self._problems:
            raise self._problems[0]

    def wait_answered(self, more: int) -> None:
        """Until so many more were answered on each of its connections."""
        names = ["http", "grpc"][: len(self._threads)]
        wanted = {name: self._answered[name] + more for name in names}
        wait_until(
            lambda: bool(self._problems) or all(self._answered[name] >= wanted[name] for name in names),
            lambda: f"answered {self._answered}, not {wanted}",
        )  # problems are raised at the end of the context

    def _watch(self, ask: Callable[[], None]) -> None:
        try:
            ask()
        except BaseException as problem:  # noqa: BLE001 - the test that looks at it is in another thread
            self._problems.append(problem)

    def _ask_http(self) -> None:
        with self._target.connect() as client:
            while not self._is_over.is_set():
                value = float(self._answered["http"] % 1000)
                client.send(infer_request([[value, 1, 0, 0]]))
                reply = client.read()
                assert reply.status == 200, reply
                length = int(reply.headers["inference-header-content-length"])
                assert [value + 1] == decode_infer_response(reply.body, length)["sum"].tolist()
                self._answered["http"] += 1

    def _ask_grpc(self) -> None:
        with grpc.insecure_channel(self._target.grpc_address) as channel:
            infer = channel.unary_unary(method_path("ModelInfer"))
            while not self._is_over.is_set():
                value = float(self._answered["grpc"] % 1000)
                message = encode_infer_request({"x": np.array([[value, 1, 0, 0]], np.float32)}, sum_signature(), "sums")
                answer = infer_outputs(parse_infer_response(infer(message, timeout=LONGEST_S)))
                assert [value + 1] == answer["sum"].tolist()
                self._answered["grpc"] += 1


@contextmanager
def unharmed(target: Target) -> Iterator[Neighbour]:
    """What is done in the context must not be noticed: not by a neighbour, and not afterwards by the machine."""
    with Neighbour(target) as neighbour:
        neighbour.wait_answered(10)
    before = target.usage()
    with Neighbour(target) as neighbour:
        yield neighbour
        neighbour.wait_answered(20)
    target.wait_back_to(before)
