import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modeldyno.api.load import measuring, workloads
from modeldyno.clock import SystemClock
from modeldyno.errors import OutputError
from modeldyno.loadgen.driver import run_load
from modeldyno.loadgen.load_result import LoadResult
from modeldyno.loadgen.recorder import finish_run, read_run
from modeldyno.loadgen.wiring import PreparedRequest
from modeldyno.protocols import Silent
from modeldyno.records.requests import Outcome
from modeldyno.records.run import Run
from modeldyno.testing.known_servers import Behaviour, known_server


def test_a_finished_run_that_cannot_be_written_is_kept_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = tmp_path / "full"
    real = finish_run

    def finish(directory: Path, run: Run, *arrays: np.ndarray) -> None:
        if directory == full:
            raise OutputError("no space left", why="the disk is full")
        real(directory, run, *arrays)

    monkeypatch.setattr(measuring, "finish_run", finish)
    with known_server(Behaviour()) as server, pytest.raises(OutputError, match="no space left") as caught:
        measuring.measure(
            workloads.workload_of(server.url, "m", 50, workloads.Shape(requests=20, warmup_ns=0)),
            [PreparedRequest(b"{}", (), 1)],
            (),
            directory=full,
            server_pids=(),
            progress=Silent(),
            clock=SystemClock(),
        )
    refuge = Path(caught.value.hint.rsplit(" ", 1)[1])
    run, requests = read_run(refuge)
    assert "complete" == run.state
    assert 20 == len(requests)
    shutil.rmtree(refuge)


def test_a_run_that_the_user_stops_is_summarised_up_to_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*load: Any, **options: Any) -> LoadResult:
        result = run_load(*load, **options)
        rows = result.requests.copy()
        rows["sent_ns"][60:] = rows["done_ns"][60:] = -1
        rows["outcome"][60:] = Outcome.NOT_SENT
        return replace(result, requests=rows, interrupted=True)

    monkeypatch.setattr(measuring, "run_load", stopped)
    with known_server(Behaviour()) as server:
        run, requests = measuring.measure(
            workloads.workload_of(server.url, "m", 200, workloads.Shape(requests=100, warmup_ns=0)),
            [PreparedRequest(b"{}", (), 1)],
            (),
            directory=tmp_path / "stopped.run",
            server_pids=(),
            progress=Silent(),
            clock=SystemClock(),
        )
    assert run.summary is not None
    assert run.verdict is not None
    assert 100 == len(requests)
    assert (60, 60, {}) == (run.summary.requests, run.summary.answered, run.summary.failures)
    assert run.summary.response_time.mean_ns is not None
    assert "the run was interrupted after 60 of 100 requests; let it run to its end" == run.verdict.reasons[0]
