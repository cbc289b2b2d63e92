import shutil
from pathlib import Path

import numpy as np
import pytest

from modeldyno.api import loading
from modeldyno.api.load import workloads
from modeldyno.clock import SystemClock
from modeldyno.errors import ObjectiveError, OutputError, UsageError
from modeldyno.loadgen.recorder import finish_run, read_run
from modeldyno.loadgen.wiring import PreparedRequest
from modeldyno.protocols import Silent
from modeldyno.records.run import Run
from modeldyno.testing.known_servers import Behaviour, known_server


def test_a_load_without_a_single_request_is_refused() -> None:
    with pytest.raises(UsageError, match="holds no request"):
        workloads.workload_of("http://x", "m", 0.1, workloads.Shape(duration_ns=1_000_000_000))


@pytest.mark.parametrize(
    "shape", (workloads.Shape(rows_per_request=0), workloads.Shape(connections=0), workloads.Shape(workers=-1))
)
def test_counts_below_one_are_refused(shape: workloads.Shape) -> None:
    with pytest.raises(UsageError, match=r"at least 1|cannot be -1"):
        workloads.workload_of("http://x", "m", 10, shape)


def test_a_number_of_requests_replaces_the_duration() -> None:
    assert 7 == workloads.workload_of("http://x", "m", 10, workloads.Shape(requests=7)).requests


def test_quality_objectives_point_to_evaluate() -> None:
    with pytest.raises(ObjectiveError) as caught:
        loading.speed_objectives("accuracy>=90%")
    assert "dyno evaluate" in caught.value.hint


def test_a_finished_run_that_cannot_be_written_is_kept_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = tmp_path / "full"
    real = finish_run

    def finish(directory: Path, run: Run, *arrays: np.ndarray) -> None:
        if directory == full:
            raise OutputError("no space left", why="the disk is full")
        real(directory, run, *arrays)

    monkeypatch.setattr(loading, "finish_run", finish)
    with known_server(Behaviour()) as server, pytest.raises(OutputError, match="no space left") as caught:
        loading.measure(
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
