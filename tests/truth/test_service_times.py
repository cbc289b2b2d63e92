"""Every request that the instrument reports, held against the server's own account of the same run.

None of these bounds depends on how fast the machine is: both accounts are of the same run, whatever happened in it.
"""

from typing import NamedTuple

import numpy as np
import pytest

from modeldyno.testing.known_servers import Behaviour
from modeldyno.testing.lanes import simulate
from modeldyno.testing.service_times import ServiceTimes

from .accounts import ClockOffset, TwoAccounts
from .conftest import Measure

MS = 1_000_000


class Case(NamedTuple):
    times: ServiceTimes
    lanes: int
    rate_per_s: float = 400
    requests: int = 300


CASES = {
    "lognormal": Case(ServiceTimes(shape="lognormal", mean_ns=3 * MS), 0),
    "bimodal": Case(ServiceTimes(shape="bimodal", mean_ns=3 * MS), 0),
    "M/D/1": Case(ServiceTimes(mean_ns=1_500_000), 1),
    "M/M/1": Case(ServiceTimes(shape="exponential", mean_ns=1_500_000), 1),
    "M/M/3": Case(ServiceTimes(shape="exponential", mean_ns=5 * MS), 3),
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def told(case: Case, measure: Measure) -> TwoAccounts:
    behaviour = Behaviour(service=case.times, lanes=case.lanes, tells_times=True, seed=3)
    return measure(behaviour, rate_per_s=case.rate_per_s, requests=case.requests)


def test_the_instrument_reports_what_the_server_did(case: Case, told: TwoAccounts) -> None:
    """One run for all that can be said of it: loads take seconds."""
    every_request_is_accounted_for_once(case, told)
    each_request_took_as_long_as_the_server_says_and_longer(told)
    the_two_accounts_fit_on_one_clock(told)
    the_percentiles_are_those_of_the_requests(told)
    the_split_adds_up_and_its_server_parts_are_the_servers(told)
    nobody_is_served_earlier_than_the_plan_allows(case, told)


def every_request_is_accounted_for_once(case: Case, told: TwoAccounts) -> None:
    assert case.requests == len(told.rows) == len(told.truth) == len(told.answered)
    assert {} == told.summary.failures
    expected = case.times.draw_ns(np.random.default_rng(3), 4096)[: case.requests]
    assert expected.tolist() == told.truth["service_ns"].tolist()
    assert np.sort(expected).tolist() == np.sort(told.rows["server_inference_ns"]).tolist()


def each_request_took_as_long_as_the_server_says_and_longer(told: TwoAccounts) -> None:
    rows, truth = told.answered, told.matched_truth()
    taken_ns = truth["done_ns"] - truth["arrived_ns"]
    excess_ns = rows["done_ns"] - rows["sent_ns"] - taken_ns
    assert excess_ns.min() >= 0
    assert np.all(rows["sent_ns"] >= rows["planned_ns"])
    assert np.all((rows["first_byte_ns"] >= rows["sent_ns"]) & (rows["first_byte_ns"] <= rows["done_ns"]))
    # Nothing is added but the way there and back, which the luckiest of hundreds of requests made hardly disturbed.
    assert excess_ns.min() < 20 * MS


def the_two_accounts_fit_on_one_clock(told: TwoAccounts) -> None:
    offset = ClockOffset.between(told.answered, told.matched_truth())
    assert offset.is_possible
    assert offset.high_ns - offset.low_ns < 20 * MS


def the_percentiles_are_those_of_the_requests(told: TwoAccounts) -> None:
    rows, summary = told.answered, told.summary
    service_ns, truth = rows["done_ns"] - rows["sent_ns"], told.matched_truth()
    response_ns = rows["done_ns"] - rows["planned_ns"]
    for latency, taken_ns in ((summary.service_time, service_ns), (summary.response_time, response_ns)):
        for fraction, estimate in ((0.5, latency.p50_ns), (0.9, latency.p90_ns)):
            if estimate is None:
                continue  # refused: the machine made too many of the requests wait alike
            assert np.quantile(truth["done_ns"] - truth["arrived_ns"], fraction, method="lower") <= estimate.value
            below, above = np.quantile(taken_ns, (fraction - 0.005, fraction + 0.005))
            assert below <= estimate.value <= above
        assert latency.mean_ns is None or pytest.approx(taken_ns.mean()) == latency.mean_ns.value
        assert latency.max_ns is not None
        assert taken_ns.max() == latency.max_ns.value


def the_split_adds_up_and_its_server_parts_are_the_servers(told: TwoAccounts) -> None:
    truth, split = told.truth, told.summary.split
    assert split is not None
    assert split.server_queue_ns is not None
    assert split.transmission_ns is not None
    assert split.inference_ns is not None
    assert pytest.approx((truth["begun_ns"] - truth["arrived_ns"]).mean()) == split.server_queue_ns
    assert pytest.approx(truth["service_ns"].mean()) == split.inference_ns
    # What the server does not name of its own time is its timer's lateness.
    lateness_ns = (truth["done_ns"] - truth["due_ns"]).mean()
    assert pytest.approx(lateness_ns, abs=1) == split.unaccounted_ns
    named = (split.client_wait_ns, getattr(split, "connect_ns", 0.0), split.transmission_ns, split.server_queue_ns)
    assert pytest.approx(split.response_ns) == sum(named) + split.inference_ns + split.unaccounted_ns
    assert split.transmission_ns > 0


def nobody_is_served_earlier_than_the_plan_allows(case: Case, told: TwoAccounts) -> None:
    """A queue whose arrivals are late ends no request earlier, so the ideal one is a lower bound."""
    planned = told.rows["planned_ns"]
    ideal = simulate(planned.tolist(), told.truth["service_ns"].tolist(), case.lanes)
    done = np.sort([stay.done_ns for stay in ideal])
    assert np.all(np.sort(told.rows["done_ns"]) >= done)


def test_a_constant_server_is_reported_with_its_constant(measure: Measure) -> None:
    told = measure(Behaviour(delay_ns=20 * MS), rate_per_s=200, requests=100, arrivals="constant")
    assert 20 * MS <= (told.rows["done_ns"] - told.rows["sent_ns"]).min() < 40 * MS
    middle = told.summary.service_time.p50_ns
    assert middle is None or middle.value >= 20 * MS  # None where the machine made the few requests wait alike
    assert ClockOffset.in_order(told.rows, told.truth).is_possible


def test_a_server_that_reads_and_writes_slowly_is_charged_for_every_byte(measure: Measure) -> None:
    behaviour = Behaviour(read_bytes_per_s=20_000, pieces=4, piece_gap_ns=10 * MS)
    told = measure(behaviour, rate_per_s=100, requests=60)
    assert {} == told.summary.failures
    assert np.all(told.rows["sent_bytes"] > 100)
    taken_ns = told.rows["done_ns"] - told.rows["sent_ns"]
    assert np.all(taken_ns >= told.rows["sent_bytes"] * 50_000 + 30 * MS)
    # The first byte is there when the first piece is: 30 ms before the last, but for what the client reads late.
    assert np.max(told.rows["done_ns"] - told.rows["first_byte_ns"]) > 20 * MS
    assert ClockOffset.in_order(told.rows, told.truth).is_possible
