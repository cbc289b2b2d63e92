import shutil
from pathlib import Path

import numpy as np
import pytest

from modeldyno.api.load import measuring, workloads
from modeldyno.clock import SystemClock
from modeldyno.errors import OutputError
from modeldyno.loadgen.recorder import finish_run, read_run
from modeldyno.loadgen.wiring import PreparedRequest
from modeldyno.protocols import Silent
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
