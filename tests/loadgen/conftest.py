from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modeldyno.clock import SystemClock
from modeldyno.loadgen.driver import run_load
from modeldyno.loadgen.load_result import LoadResult
from modeldyno.loadgen.wiring import PreparedRequest, Wiring
from modeldyno.protocols import Silent
from modeldyno.records.environment import Environment
from modeldyno.records.run import Run
from modeldyno.records.workload import Workload

BINARY = (("Content-Type", "application/octet-stream"), ("Inference-Header-Content-Length", "20"))
PATH = "/v2/models/digits/infer"
WORKLOAD = Workload(
    url="http://127.0.0.1:1",
    model="digits",
    arrivals="constant",
    rate_per_s=200,
    requests=40,
    warmup_requests=10,
    connections=2,
    max_connections=64,
    seed=1,
)

Offer = Callable[..., LoadResult]


class Listener(Silent):
    """A `Progress` that remembers."""

    def __init__(self) -> None:
        self.totals: list[float | None] = []
        self.shown: list[str] = []
        self.said: list[str] = []
        self.ends = 0

    def start(self, text: str, total: float | None = None) -> None:
        self.totals.append(total)

    def advance(self, done: float, text: str | None = None) -> None:
        self.shown.append(text or "")

    def say(self, line: str) -> None:
        self.said.append(line)

    def end(self) -> None:
        self.ends += 1


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def offer(tmp_path: Path, listener: Listener) -> Offer:
    """Run the little workload above, changed as asked, against a URL."""

    def run(
        url: str,
        *,
        prepared: Sequence[PreparedRequest] = (PreparedRequest(b"x" * 100, BINARY, 1, PATH),),
        server_pids: Sequence[int] = (),
        wiring: Wiring | None = None,
        **changes: Any,
    ) -> LoadResult:
        return run_load(
            msgspec.structs.replace(WORKLOAD, url=url, **changes),
            prepared,
            run_directory=tmp_path / "run",
            clock=SystemClock(),
            progress=listener,
            server_pids=server_pids,
            wiring=wiring,
        )

    return run


@pytest.fixture
def run_record() -> Run:
    """A run that has just begun, on a machine that does not exist."""
    environment = Environment(
        cpu_model="test", cpu_flags=(), cores_host=1, cores_affinity=1, cores_quota=None, cores=1, governor=None,
        memory_bytes=1, memory_limit_bytes=None, operating_system="test", kernel="0", python="3", libraries={},
        load_average_1min=0.0,
    )  # fmt: skip
    return Run(
        tool_version="0",
        state="running",
        started_at="2026-01-01T00:00:00+00:00",
        environment=environment,
        requested=WORKLOAD,
        effective=None,
    )
