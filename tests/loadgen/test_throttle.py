import os
from pathlib import Path

import pytest

from modeldyno.loadgen.throttle import throttled_share


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    (tmp_path / "sched_rt_runtime_us").write_text("900000\n")
    (tmp_path / "sched_rt_period_us").write_text("1000000\n")
    return tmp_path


@pytest.mark.parametrize("policy", (os.SCHED_FIFO, os.SCHED_RR))
def test_the_kernel_keeps_a_share_from_processes_at_a_real_time_priority(policy: int, kernel: Path) -> None:
    assert pytest.approx(0.1) == throttled_share(policy, kernel)


def test_it_keeps_nothing_from_an_ordinary_process(kernel: Path) -> None:
    assert 0.0 == throttled_share(os.SCHED_OTHER, kernel)


def test_it_keeps_nothing_where_its_limit_is_lifted(kernel: Path) -> None:
    (kernel / "sched_rt_runtime_us").write_text("-1\n")

    assert 0.0 == throttled_share(os.SCHED_FIFO, kernel)


def test_where_it_does_not_say_its_usual_share_is_taken(tmp_path: Path) -> None:
    assert 0.05 == throttled_share(os.SCHED_FIFO, tmp_path)
