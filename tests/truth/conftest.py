from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.truth.accounts import TwoAccounts

import modeldyno
from modeldyno.api.load.questions.ask import Ask
from modeldyno.api.load.workloads import Shape
from modeldyno.loadgen.recorder import read_run
from modeldyno.testing.known_servers import Behaviour, known_server

Measure = Callable[..., TwoAccounts]


@pytest.fixture
def measure(tmp_path: Path) -> Measure:
    """Load a server of known behaviour as a user would, and take both accounts."""

    def run(
        behaviour: Behaviour, *, rate_per_s: float | None = None, ask: Ask | None = None, **shape: Any
    ) -> TwoAccounts:
        directory = tmp_path / f"{len(list(tmp_path.iterdir()))}.run"
        with known_server(behaviour) as server:
            modeldyno.load(
                server.url,
                rate_per_s=rate_per_s,
                ask=ask,
                shape=Shape(**{"warmup_ns": 0, "connections": 64, **shape}),
                out=directory,
                server_pids=[server.pid],
            )
            truth = server.truth()
        record, rows = read_run(directory)
        return TwoAccounts(record, rows, truth)

    return run
