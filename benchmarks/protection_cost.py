"""What keys, the audit log and Server-Timing cost a request of this server, in its own process and without sockets.

    python benchmarks/protection_cost.py [--rounds 60] [--requests 1600]

Bytes of requests go through the reader, the guard, the router and the batcher to an answer with its head. The socket
and the model are left out: they cost every case the same, and so the ratios here are larger than a whole server's.
Cases are measured in turns; what counts is CPU time of all threads of the process, so that what the audit log's thread
does is in it. Rounds are compared one by one, since the cores of a shared machine are now fast and now slow. To measure
the compiled server, run this with the Python of an environment that has its wheel.
"""

import argparse
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.api.keys import create_key
from modeldyno.clock import SystemClock
from modeldyno.protocols import Tensors
from modeldyno.records.deployment import Batching, Deployment
from modeldyno.records.server import ProtectionSettings
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.server.exchange import Exchange, Handler
from modeldyno.server.plane import Plane
from modeldyno.server.protection.guard import GuardedRouter
from modeldyno.server.protection.protection import Protection
from modeldyno.server.routes import Router
from modeldyno.server.serving import ServedModel
from modeldyno.wire.http1_reader import RequestReader
from modeldyno.wire.http1_request import RequestLimits
from modeldyno.wire.v2_client import encode_infer_request

SIGNATURE = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 64)),),
    outputs=(TensorSpec(name="probabilities", datatype="FP32", shape=("batch", 10)),),
)
CONCURRENCY = 8
SETTLING_S = 0.15
"""In which the audit log's thread writes what a block left it."""


class Case(NamedTuple):
    """What is switched on."""

    name: str
    keys: bool = False
    limits: bool = False
    audit: bool = False
    timing: bool = False


CASES = (
    Case("off"),
    Case("keys", keys=True),
    Case("keys with limits", keys=True, limits=True),
    Case("audit", audit=True),
    Case("Server-Timing", timing=True),
    Case("all", keys=True, audit=True, timing=True),
    Case("all, with limits", keys=True, limits=True, audit=True, timing=True),
)


class TurnLoop:
    """An event loop whose turns are taken by hand, and whose timers never fire."""

    def __init__(self) -> None:
        self._callbacks: deque[tuple[Callable[..., object], tuple[object, ...]]] = deque()

    def call_soon(self, callback: Callable[..., object], *args: object) -> None:
        """Take it into the next turn."""
        self._callbacks.append((callback, args))

    call_soon_threadsafe = call_soon

    def call_later(self, _delay: float, _callback: Callable[..., object], *_args: object) -> "TurnLoop":
        """Take a timer, which is its own handle."""
        return self

    def cancel(self) -> None:
        """End a timer."""

    def run(self, is_done: Callable[[], bool]) -> None:
        """Take turns until then; the model's first batches are computed on a thread."""
        while not is_done():
            while self._callbacks:
                callback, args = self._callbacks.popleft()
                callback(*args)


class CountingOutlet:
    """Where answers end."""

    def __init__(self) -> None:
        self.answers = 0

    def must_close(self) -> bool:
        """Never."""
        return False

    def flush(self) -> None:
        """Count an answer."""
        self.answers += 1


class Site:
    """A server of one case, without sockets."""

    def __init__(self, case: Case, handler: Handler, loop: TurnLoop, plane: Plane, request: bytes) -> None:
        self.case = case
        self.plane = plane
        self._handler = handler
        self._loop = loop
        self._request = request
        self._readers = [RequestReader(RequestLimits()) for _ in range(CONCURRENCY)]
        self._clock = SystemClock()

    def answer(self, count: int) -> None:
        """Answer so many requests, as many at once as there are connections."""
        outlet, timing, last = CountingOutlet(), self.case.timing, None
        for turn in range(1, count // CONCURRENCY + 1):
            for reader in self._readers:
                started_ns = self._clock.now_ns()
                for request in reader.feed(self._request):
                    last = Exchange(
                        outlet,
                        started_ns=started_ns,
                        with_timing=timing,
                        accepted=request.headers.get(b"accept-encoding"),
                    )
                    self._handler.handle(request, last)
            due = turn * CONCURRENCY
            self._loop.run(lambda due=due: outlet.answers >= due)  # type: ignore[misc]
        message = b"" if last is None else last.message or b""
        if not message.startswith(b"HTTP/1.1 200"):
            raise ValueError(f"{self.case.name}: answered {message!r}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--requests", type=int, default=1600)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        sites = [make_site(case, Path(directory), stack) for case in CASES]
        for site in sites:
            site.answer(CONCURRENCY * 50)
        found: dict[str, list[float]] = {case.name: [] for case in CASES}
        for _ in range(arguments.rounds):
            for site in sites:
                found[site.case.name].append(cpu_us(site, arguments.requests))
        print("\n".join(rows(found)))


def cpu_us(site: Site, requests: int) -> float:
    """CPU time of a request in this process, what is written later included."""
    count = requests // CONCURRENCY * CONCURRENCY
    before_ns = time.process_time_ns()
    site.answer(count)
    if site.case.audit:
        time.sleep(SETTLING_S)
    return (time.process_time_ns() - before_ns) / count / 1e3


def rows(found: dict[str, list[float]]) -> Iterator[str]:
    """A line for each case: its CPU, and round by round what it adds to the case without."""
    base = found[CASES[0].name]
    yield f"{'case':20} {'median µs':>10} {'least µs':>9} {'added µs':>9} {'times':>6}"
    for case in CASES:
        own = found[case.name]
        added = statistics.median(mine - other for mine, other in zip(own, base, strict=True))
        times = statistics.median(mine / other for mine, other in zip(own, base, strict=True))
        yield f"{case.name:20} {statistics.median(own):10.2f} {min(own):9.2f} {added:9.2f} {times:6.3f}"


def make_site(case: Case, directory: Path, stack: ExitStack) -> Site:
    """The server of a case; the stack ends it."""
    clock, loop = SystemClock(), TurnLoop()
    name = case.name.replace(" ", "-").replace(",", "")
    deployment = Deployment(artifact="digits", runtime="onnxruntime", batching=Batching(max_rows=32))
    model = ServedModel(
        name="digits", version="1", platform="onnx_onnxv1", signature=SIGNATURE, sessions=[KnownAnswer()],
        deployment=deployment,
    )  # fmt: skip
    plane = Plane([model], loop=loop, clock=clock)
    stack.callback(lambda: plane.close(clock.now_ns() + 10**9))
    settings = ProtectionSettings(
        keys=str(directory / f"{name}.db") if case.keys else "",
        audit=str(directory / f"{name}.log") if case.audit else "",
    )
    secret = ""
    if case.keys:
        limits = {"rows_per_s": 1e9, "burst_rows": 10**9, "rows_per_day": 10**12} if case.limits else {}
        secret = create_key(settings.keys, "bench", **limits).secret  # type: ignore[arg-type]
    guard = stack.enter_context(Protection(settings, clock=clock)).guard
    router: Handler = Router(plane, version="0")
    if guard is not None:
        router = GuardedRouter(router, guard, plane.tally)
    return Site(case, router, loop, plane, make_request(secret))


def make_request(secret: str) -> bytes:
    """A row of digits in the binary form."""
    infer = encode_infer_request({"x": np.ones((1, 64), np.float32)}, SIGNATURE)
    lines = [
        "POST /v2/models/digits/infer HTTP/1.1",
        "Host: 127.0.0.1:8000",
        f"Content-Length: {len(infer.body)}",
        f"Inference-Header-Content-Length: {infer.header_length}",
        *([f"Authorization: Bearer {secret}"] if secret else []),
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + infer.body


class KnownAnswer:
    """A session that computes nothing: what a model costs would only hide what is looked for."""

    signature = SIGNATURE

    def __init__(self) -> None:
        self._answer = np.full((32, 10), 0.1, np.float32)

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        """See `Session`."""
        return {"probabilities": self._answer[: len(inputs["x"])]}

    def close(self) -> None:
        """See `Session`."""


if __name__ == "__main__":
    main()
