from collections.abc import Callable

import numpy as np
import pytest
from msgspec.structs import replace

from modeldyno.records.base import Estimate
from modeldyno.records.requests import Outcome, empty_requests
from modeldyno.records.run import LowLoad, Summary
from modeldyno.records.workload import Workload
from modeldyno.stats.queueing import estimate_queueing
from modeldyno.stats.summary import summarise

Queue = Callable[..., tuple[np.ndarray, np.ndarray]]
COUNT = 40_000


def rows_of(planned: np.ndarray, done: np.ndarray) -> np.ndarray:
    rows = empty_requests(len(planned))
    rows["planned_ns"] = rows["sent_ns"] = planned
    rows["done_ns"] = done
    rows["outcome"], rows["measured"], rows["rows"] = Outcome.OK, True, 1
    return rows


@pytest.fixture
def summary_at(make_queue: Queue, workload: Workload) -> Callable[[float], Summary]:
    def make(load: float) -> Summary:
        planned, done = make_queue(1, COUNT, load)
        return summarise(rows_of(planned[0], done[0]), workload, ())

    return make


def low_load(summary: Summary) -> LowLoad:
    mean = summary.service_time.mean_ns
    assert mean is not None
    return LowLoad(rate_per_s=50, answered=summary.answered, service_ns=mean)


def test_the_queueing_of_a_known_queue_is_estimated(summary_at: Callable[[float], Summary]) -> None:
    # M/M/1 with 1 ms of service: W = 1 / (mu - lambda), so 2 ms at a load of 0.5 and 1.053 ms at 0.05.
    found = estimate_queueing(summary_at(0.5), low_load(summary_at(0.05)))
    assert found is not None
    assert found.queueing_ns.low is not None
    assert found.queueing_ns.high is not None
    assert found.queueing_ns.low < 2e6 - 1e6 / 0.95 < found.queueing_ns.high
    assert pytest.approx(1.0, rel=0.1) == found.requests_in_flight  # L = load / (1 - load)
    assert pytest.approx(0.5 * (2 - 1 / 0.95), rel=0.2) == found.waiting_requests


def test_the_same_load_twice_has_no_queueing_to_tell(summary_at: Callable[[float], Summary]) -> None:
    found = estimate_queueing(summary_at(0.05), low_load(summary_at(0.05)))
    assert found is not None
    assert found.queueing_ns.low is not None
    assert found.queueing_ns.low <= 0
    assert 0 == found.queueing_ns.value


def test_a_run_that_is_faster_than_the_low_load_has_nobody_waiting(summary_at: Callable[[float], Summary]) -> None:
    slow = LowLoad(rate_per_s=50, answered=100, service_ns=Estimate(value=9e9))
    found = estimate_queueing(summary_at(0.5), slow)
    assert found is not None
    assert found.queueing_ns.value < 0
    assert (None, None) == (found.queueing_ns.low, found.queueing_ns.high)
    assert 0 == found.waiting_requests


def test_without_a_mean_there_is_no_estimate(summary_at: Callable[[float], Summary]) -> None:
    summary = summary_at(0.5)
    bare = replace(summary, service_time=replace(summary.service_time, mean_ns=None))
    assert estimate_queueing(bare, low_load(summary)) is None
    assert estimate_queueing(summary, None) is None
