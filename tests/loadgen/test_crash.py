"""What is left when a run does not come to its end: in each case, what was measured."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest

from modeldyno.loadgen.recorder import part_path, read_run
from modeldyno.records.requests import Outcome
from modeldyno.records.run import Run
from modeldyno.testing.known_servers import Behaviour, known_server

SCRIPT = Path(__file__).with_name("long_run.py")
PLANNED = 20_010


class LongRun:
    """A process that runs `long_run.py`, seen sending."""

    def __init__(self, url: str, directory: Path, record: Run) -> None:
        command = [sys.executable, "-P", str(SCRIPT), url, str(directory), msgspec.json.encode(record).decode()]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
        )
        self.wait_for_shown("p99")
        self.workers = psutil.Process(self.process.pid).children()

    def wait_for_shown(self, words: str) -> None:
        assert self.process.stdout is not None
        while words not in (line := self.process.stdout.readline()):
            assert line, "the run ended too soon"

    def press_ctrl_c(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)  # as a terminal does: to every process of the group

    def wait_end(self) -> tuple[int, str]:
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors

    def wait_workers_end(self) -> None:
        _, alive = psutil.wait_procs(self.workers, timeout=60)
        assert [] == alive


@pytest.fixture
def long_run(tmp_path: Path, run_record: Run) -> Iterator[LongRun]:
    with known_server(Behaviour(delay_ns=20_000_000)) as server:
        run = LongRun(server.url, tmp_path, run_record)
        try:
            yield run
        finally:
            run.process.kill()
            run.process.communicate()


def outcomes(requests: np.ndarray) -> dict[Outcome, int]:
    return {
        Outcome(kind): int(count)
        for kind, count in zip(*np.unique(requests["outcome"], return_counts=True), strict=True)
    }


def test_ctrl_c_keeps_what_was_measured(long_run: LongRun, tmp_path: Path) -> None:
    long_run.press_ctrl_c()
    code, errors = long_run.wait_end()

    run, requests = read_run(tmp_path)
    assert (130, "") == (code, errors)
    assert "interrupted" == run.state
    assert PLANNED == len(requests)
    assert outcomes(requests)[Outcome.OK] > 0
    assert outcomes(requests)[Outcome.NOT_SENT] > 0
    assert set(outcomes(requests)) <= {Outcome.OK, Outcome.INTERRUPTED, Outcome.NOT_SENT}


def test_ctrl_c_ends_the_sending_processes(long_run: LongRun) -> None:
    assert 2 == len(long_run.workers)
    long_run.press_ctrl_c()

    long_run.wait_end()
    long_run.wait_workers_end()


def test_a_killed_run_leaves_its_rows_and_no_processes(long_run: LongRun, tmp_path: Path) -> None:
    long_run.process.kill()
    long_run.wait_end()
    long_run.wait_workers_end()

    run, requests = read_run(tmp_path)
    assert "interrupted" == run.state
    assert not (tmp_path / "requests.parquet").exists()
    assert PLANNED == len(requests), "the sending processes write down what they did not send, too"
    assert outcomes(requests)[Outcome.OK] > 0
    assert [0, 1] == np.unique(requests["worker"]).tolist()


def test_a_sending_process_that_is_killed_ends_the_run_with_a_reason(long_run: LongRun, tmp_path: Path) -> None:
    victim = min(long_run.workers, key=lambda worker: worker.pid)
    victim.kill()
    code, errors = long_run.wait_end()
    long_run.wait_workers_end()

    assert 1 == code
    assert errors.startswith("ToolError: sending process ")
    assert "killed by signal 9" in errors
    assert "Traceback" not in errors
    assert outcomes(read_run(tmp_path)[1])[Outcome.OK] > 0


def test_rows_reach_the_disk_while_the_run_goes_on(long_run: LongRun, tmp_path: Path) -> None:
    parts = [part_path(tmp_path, 0), part_path(tmp_path, 1)]
    while not all(part.exists() and part.stat().st_size for part in parts):
        long_run.wait_for_shown("p99")

    assert long_run.process.poll() is None
