"""The closed forms against one another, against textbook numbers, and against simulated queues."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeldyno.errors import UsageError
from modeldyno.testing import queues
from modeldyno.testing.lanes import simulate
from modeldyno.testing.service_times import ServiceTimes, Shape

MS = 1_000_000
loads = st.floats(0.05, 0.95)


@given(loads)
def test_one_lane_of_many_is_one_lane(load: float) -> None:
    rate = load * 1000
    assert pytest.approx(load) == queues.wait_probability(rate, MS)
    assert pytest.approx(queues.mean_wait_ns(rate, MS, cv=1)) == queues.mean_wait_of_lanes_ns(rate, MS, 1)
    assert pytest.approx(MS * load / (1 - load)) == queues.mean_wait_ns(rate, MS, cv=1)
    assert pytest.approx(queues.mean_wait_ns(rate, MS, cv=1) / 2) == queues.mean_wait_ns(rate, MS, cv=0)


@given(loads, st.floats(0, 20))
def test_the_response_time_of_one_lane_is_exponential(load: float, times: float) -> None:
    expected = math.exp(-times * (1 - load))
    assert pytest.approx(expected, abs=1e-12) == queues.response_beyond(times * MS, load * 1000, MS)


@given(loads, st.integers(1, 200), st.floats(0.01, 0.999))
def test_a_quantile_is_where_that_share_ends(load: float, lanes: int, fraction: float) -> None:
    quantile = queues.response_quantile_ns(fraction, load * 1000 * lanes, MS, lanes)
    assert pytest.approx(1 - fraction, rel=1e-6) == queues.response_beyond(quantile, load * 1000 * lanes, MS, lanes)


@settings(max_examples=20)
@given(loads, st.integers(1, 8))
def test_the_mean_is_the_area_under_what_is_beyond(load: float, lanes: int) -> None:
    rate = load * 1000 * lanes
    ends = np.linspace(0, 30 / (1 - load), 3001) * MS
    beyond = [queues.response_beyond(float(end), rate, MS, lanes) for end in ends]
    expected = queues.mean_wait_of_lanes_ns(rate, MS, lanes) + MS
    assert pytest.approx(expected, rel=0.01) == np.trapezoid(beyond, ends)


def test_erlangs_table_is_met() -> None:
    # D. Gross and C. M. Harris, example 2.2: three lanes of 20 minutes at 6 an hour, so 2 Erlang.
    assert pytest.approx(4 / 9) == queues.wait_probability(6 / 3600, 1200e9, 3)
    assert pytest.approx(8 / 9 / 6 * 3600e9) == queues.mean_wait_of_lanes_ns(6 / 3600, 1200e9, 3)


@given(loads)
def test_nobody_waits_in_an_empty_constant_queue_and_all_wait_less_than_forever(load: float) -> None:
    assert pytest.approx(1 - load) == queues.constant_wait_within(0, load * 1000, MS)
    assert pytest.approx(1, abs=1e-4) == queues.constant_wait_within(15 * MS, 500, MS)


def test_half_the_lanes_at_the_same_share_wait_longer() -> None:
    waits = [queues.mean_wait_of_lanes_ns(700 * lanes, MS, lanes) for lanes in (1, 2, 4, 300)]
    assert sorted(waits, reverse=True) == waits
    assert waits[-1] < waits[0] / 1000


@pytest.mark.parametrize("load", (0.0, 1.0, 1.5))
def test_a_queue_that_never_ends_has_no_closed_form(load: float) -> None:
    for closed_form in (queues.wait_probability, queues.mean_wait_of_lanes_ns):
        with pytest.raises(UsageError):
            closed_form(load * 2000, MS, 2)
    with pytest.raises(UsageError):
        queues.mean_wait_ns(load * 1000, MS, cv=1)


def test_a_wait_that_erlangs_formula_cannot_give_is_refused() -> None:
    with pytest.raises(UsageError):
        queues.constant_wait_within(40 * MS, 500, MS)


COUNT = 100_000


def simulated(times: ServiceTimes, load: float, lanes: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Waits and response times of a queue with Poisson arrivals."""
    generator = np.random.default_rng(11)
    arrived = np.cumsum(generator.exponential(times.mean_ns / load / lanes, COUNT)).astype(np.int64)
    stays = np.array(simulate(arrived.tolist(), times.draw_ns(generator, COUNT).tolist(), lanes))
    return stays[:, 0] - arrived, stays[:, 1] - arrived


@pytest.mark.parametrize("shape", ("constant", "uniform", "exponential", "lognormal", "bimodal"))
def test_the_mean_wait_of_a_simulated_queue_is_that_of_pollaczek_and_khinchine(shape: Shape) -> None:
    times = ServiceTimes(shape=shape, mean_ns=MS)
    waits, _ = simulated(times, 0.5)
    assert pytest.approx(queues.mean_wait_ns(500, MS, cv=times.variation), rel=0.08) == waits.mean()


@pytest.mark.parametrize("lanes", (1, 2, 5))
def test_simulated_lanes_are_those_of_erlang(lanes: int) -> None:
    waits, responses = simulated(ServiceTimes(shape="exponential", mean_ns=MS), 0.6, lanes)
    rate = 600 * lanes
    assert pytest.approx(queues.wait_probability(rate, MS, lanes), abs=0.01) == np.mean(waits > 0)
    assert pytest.approx(queues.mean_wait_of_lanes_ns(rate, MS, lanes), rel=0.06) == waits.mean()
    for fraction in (0.5, 0.9, 0.99):
        expected = queues.response_quantile_ns(fraction, rate, MS, lanes)
        assert pytest.approx(expected, rel=0.05) == np.quantile(responses, fraction)


def test_a_simulated_constant_queue_waits_as_erlang_says() -> None:
    waits, _ = simulated(ServiceTimes(mean_ns=MS), 0.6)
    for wait in (0, MS // 2, MS, 3 * MS, 6 * MS):
        assert pytest.approx(queues.constant_wait_within(wait, 600, MS), abs=0.01) == np.mean(waits <= wait)
