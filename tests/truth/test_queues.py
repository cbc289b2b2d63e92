"""Queues whose waiting times have closed forms, measured over a real network: minutes of load on a quiet machine.

That the server's account is that of such a queue whatever the machine does is in tests/testing/test_known_servers.py,
and that the instrument's is the server's in test_service_times.py. Here all three meet: over thousands of requests the
numbers of the report are those of the textbook, within the interval that the report itself gives.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from modeldyno.records.base import Estimate
from modeldyno.records.workload import Workload
from modeldyno.seeds import DEFAULT_SEED
from modeldyno.stats.intervals import mean_estimate
from modeldyno.testing import queues
from modeldyno.testing.known_servers import Behaviour
from modeldyno.testing.lanes import simulate
from modeldyno.testing.service_times import ServiceTimes
from modeldyno.traffic.schedules import planned_moments

from .accounts import TwoAccounts
from .conftest import Measure

MS = 1_000_000
DURATION_NS = 50_000 * MS
WIDER = 1.6
"""The intervals are of 95 %; several are looked at in each run, and so they are taken as if they were of 99.8 %."""


class Queue(NamedTuple):
    times: ServiceTimes
    lanes: int
    rate_per_s: float
    mean_wait_ns: Callable[["Queue"], float]


def _of_one_lane(queue: Queue) -> float:
    return queues.mean_wait_ns(queue.rate_per_s, queue.times.mean_ns, cv=queue.times.variation)


def _of_lanes(queue: Queue) -> float:
    return queues.mean_wait_of_lanes_ns(queue.rate_per_s, queue.times.mean_ns, queue.lanes)


QUEUES = {
    "M/M/1": Queue(ServiceTimes(shape="exponential", mean_ns=5 * MS), 1, 120, _of_one_lane),
    "M/D/1": Queue(ServiceTimes(mean_ns=5 * MS), 1, 120, _of_one_lane),
    "M/G/1 lognormal": Queue(ServiceTimes(shape="lognormal", mean_ns=5 * MS), 1, 120, _of_one_lane),
    "M/G/1 bimodal": Queue(ServiceTimes(shape="bimodal", mean_ns=5 * MS, cv=1.5), 1, 100, _of_one_lane),
    "M/M/3": Queue(ServiceTimes(shape="exponential", mean_ns=15 * MS), 3, 120, _of_lanes),
}


def is_within(expected: float, estimate: Estimate | None, added_ns: float = 0.0) -> bool:
    """Whether the wider interval, less what is added on the way, holds the expected value."""
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    low = estimate.value - WIDER * (estimate.value - estimate.low)
    high = estimate.value + WIDER * (estimate.high - estimate.value)
    return low - added_ns <= expected <= high


def added_ns(told: TwoAccounts) -> np.ndarray:
    """What way, timers and the instrument add to each request."""
    truth = told.matched_truth()
    response_ns = told.answered["done_ns"] - told.answered["planned_ns"]
    return np.asarray(response_ns - (truth["due_ns"] - truth["arrived_ns"]))


@pytest.mark.parametrize("name", QUEUES)
def test_what_is_planned_and_what_is_drawn_make_the_queue_of_the_textbook(name: str) -> None:
    """Without a network or a clock: the arrivals of a load, and the service times of the server."""
    queue, count = QUEUES[name], 100_000
    workload = Workload(
        url="", model="", rate_per_s=queue.rate_per_s, requests=count, warmup_requests=0, seed=DEFAULT_SEED
    )
    arrived = planned_moments(workload)
    service = queue.times.draw_ns(np.random.default_rng(1), count)
    stays = np.array(simulate(arrived.tolist(), service.tolist(), queue.lanes))
    assert pytest.approx(queue.mean_wait_ns(queue), rel=0.06) == (stays[:, 0] - arrived).mean()


@pytest.mark.slow
@pytest.mark.real_time
@pytest.mark.parametrize("name", QUEUES)
def test_the_report_of_a_queue_is_that_of_the_textbook(measure: Measure, name: str) -> None:
    queue = QUEUES[name]
    behaviour = Behaviour(service=queue.times, lanes=queue.lanes, tells_times=True, seed=1)
    told = measure(behaviour, rate_per_s=queue.rate_per_s, duration_ns=DURATION_NS, warmup_ns=1_000 * MS)
    truth, wait_ns = told.truth, queue.mean_wait_ns(queue)
    assert {} == told.summary.failures

    # The server's own account, in the order of arrival.
    assert is_within(wait_ns, mean_estimate((truth["begun_ns"] - truth["arrived_ns"]).astype(np.float64)))
    # The instrument's.
    added = added_ns(told)
    usual_ns = float(np.median(added))
    assert 0 < usual_ns < MS
    response = told.summary.response_time
    assert is_within(wait_ns + queue.times.mean_ns, response.mean_ns, float(added.mean()))
    if name.startswith("M/M/"):
        for fraction, estimate, error in ((0.5, response.p50_ns, 0.1), (0.9, response.p90_ns, 0.15), (0.99, None, 0.3)):
            expected = queues.response_quantile_ns(fraction, queue.rate_per_s, queue.times.mean_ns, queue.lanes)
            assert estimate is None or is_within(expected, estimate, usual_ns), fraction
            found = np.quantile(told.answered["done_ns"] - told.answered["planned_ns"], fraction)
            assert pytest.approx(expected, rel=error) == found - usual_ns, fraction


@pytest.mark.slow
@pytest.mark.real_time
def test_the_waits_of_constant_services_are_spread_as_erlang_says(measure: Measure) -> None:
    queue = QUEUES["M/D/1"]
    told = measure(
        Behaviour(service=queue.times, tells_times=True), rate_per_s=queue.rate_per_s, duration_ns=DURATION_NS, seed=2
    )
    waits = told.answered["server_queue_ns"]
    for services in (0, 0.5, 1, 2, 4):
        wait_ns = services * queue.times.mean_ns
        expected = queues.constant_wait_within(wait_ns, queue.rate_per_s, queue.times.mean_ns)
        # Successive requests wait alike: of 6,000 about a twentieth count as independent.
        error = 4 * math.sqrt(expected * (1 - expected) / (len(waits) / 20))
        assert pytest.approx(expected, abs=error) == np.mean(waits <= wait_ns), services


@pytest.mark.slow
@pytest.mark.real_time
def test_the_instrument_adds_less_than_half_a_millisecond(measure: Measure) -> None:
    times = ServiceTimes(shape="uniform", mean_ns=5 * MS)
    told = measure(Behaviour(service=times, lanes=0, tells_times=True), rate_per_s=200, requests=2000)
    truth = told.matched_truth()
    excess_ns = told.answered["done_ns"] - told.answered["sent_ns"] - (truth["done_ns"] - truth["arrived_ns"])
    assert np.median(excess_ns) < MS / 2
