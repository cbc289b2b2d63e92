from collections.abc import Callable

import numpy as np
from msgspec.structs import replace

from modeldyno.records.requests import Outcome
from modeldyno.records.workload import Workload
from modeldyno.stats.throughput import throughput_estimate


def test_a_server_that_keeps_up_shows_the_rate_asked_not_the_chance_of_the_schedule(
    make_run: Callable[..., np.ndarray], workload: Workload
) -> None:
    for seed in range(20):
        found = throughput_estimate(make_run(1000, seed=seed), workload)
        assert found is not None
        assert abs(found.value / 500 - 1) < 0.005
        assert (found.low or 0) <= found.value <= (found.high or 0)


def test_an_overloaded_server_shows_what_it_can_do(
    make_queue: Callable[..., tuple[np.ndarray, np.ndarray]],
    make_run: Callable[..., np.ndarray],
    workload: Workload,
) -> None:
    planned, done = make_queue(1, 20_000, 2.0, seed=3)  # asked 2,000/s, serves 1,000/s
    rows = make_run(20_000)
    rows["planned_ns"], rows["done_ns"] = planned[0], done[0]
    found = throughput_estimate(rows, replace(workload, rate_per_s=2000.0))
    assert found is not None
    assert (found.low or 0) < 1000 < (found.high or 0)
    assert abs(found.value / 1000 - 1) < 0.05


def test_failures_do_not_count_and_rows_do(make_run: Callable[..., np.ndarray], workload: Workload) -> None:
    rows = make_run(2000)
    rows["rows"] = 4
    rows["outcome"][::2] = Outcome.TIMEOUT
    found = throughput_estimate(rows, workload)
    assert found is not None
    assert abs(found.value / 1000 - 1) < 0.01


def test_a_closed_loop_shows_the_rate_answered(make_run: Callable[..., np.ndarray], workload: Workload) -> None:
    closed = replace(workload, arrivals="closed", rate_per_s=0.0, concurrency=8)
    found = throughput_estimate(make_run(2000), closed)
    assert found is not None
    assert abs(found.value / 500 - 1) < 0.06


def test_nothing_is_said_of_too_few_or_unanswered_requests(
    make_run: Callable[..., np.ndarray], workload: Workload
) -> None:
    rows = make_run(100)
    rows["outcome"] = Outcome.REFUSED
    assert throughput_estimate(rows, workload) is None
    assert throughput_estimate(make_run(49), workload) is None
