import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.stats.quantiles import quantile_bounds, quantile_estimate, requests_for, summarise_latency


def exponential(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).exponential(1e6, count)


@pytest.mark.parametrize(
    ("count", "fraction"),
    ((71, 0.99), (367, 0.99), (450, 0.99), (1000, 0.999), (20, 0.9), (8, 0.5), (0, 0.5), (1, 0.5)),
)
def test_a_percentile_that_the_sample_cannot_support_is_refused(count: int, fraction: float) -> None:
    assert quantile_estimate(exponential(count), fraction) is None


@pytest.mark.parametrize(("count", "fraction"), ((700, 0.99), (7000, 0.999), (120, 0.9), (60, 0.5), (700, 0.01)))
def test_a_percentile_that_the_sample_supports_is_given_inside_its_interval(count: int, fraction: float) -> None:
    found = quantile_estimate(exponential(count), fraction)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value <= found.high


def test_a_short_correlated_run_is_refused_what_an_independent_one_is_given() -> None:
    slow = np.repeat(exponential(40), 25)
    assert quantile_estimate(exponential(1000), 0.9) is not None
    assert quantile_estimate(slow, 0.9) is None


def test_values_that_are_all_equal_are_their_own_percentile() -> None:
    found = quantile_estimate(np.full(2000, 6e6), 0.99)
    assert found is not None
    assert (found.low, found.value, found.high) == (6e6, 6e6, 6e6)


def test_a_value_that_occurred_is_reported_and_never_a_mean_of_two() -> None:
    values = np.arange(1.0, 1001.0)
    np.random.default_rng(2).shuffle(values)
    found = quantile_estimate(values, 0.99)
    assert found is not None
    assert found.value == 990


def test_a_percentile_that_reaches_a_failure_is_not_a_number() -> None:
    values = exponential(5000)
    values[::50] = math.inf
    assert quantile_estimate(values, 0.99) is None
    assert quantile_estimate(values, 0.9) is not None
    bounds = quantile_bounds(values, (0.99,))[0]
    assert bounds is not None
    assert bounds.value == math.inf


def test_a_percentile_whose_upper_bound_reaches_a_failure_is_refused_too() -> None:
    values = exponential(2000)
    values[np.random.default_rng(3).choice(2000, 15, replace=False)] = math.inf
    bounds = quantile_bounds(values, (0.99,))[0]
    assert bounds is not None
    assert math.isfinite(bounds.value)
    assert bounds.high == math.inf
    assert quantile_estimate(values, 0.99) is None


def test_a_summary_has_whole_nanoseconds_and_no_mean_among_failures() -> None:
    values = exponential(2000)
    summary = summarise_latency(values)
    assert summary.p999_ns is None
    assert summary.p99_ns is not None
    assert isinstance(summary.p99_ns.value, int)
    assert summary.max_ns is not None
    assert (summary.max_ns.low, summary.max_ns.high) == (None, None)
    values[7] = math.inf
    failed = summarise_latency(values)
    assert failed.mean_ns is None
    assert failed.max_ns is None
    assert failed.p50_ns is not None


def test_no_mean_of_durations_may_be_below_zero() -> None:
    rare = np.zeros(60)
    rare[::30] = 3e9
    mean = summarise_latency(rare).mean_ns
    assert mean is not None
    assert 0 == mean.low
    assert 1e8 == mean.value


def test_nothing_measured_is_a_summary_of_nothing() -> None:
    summary = summarise_latency(np.array([], np.int64))
    assert {getattr(summary, name) for name in summary.__struct_fields__} == {None}


def test_the_needed_number_of_requests_is_the_number_at_which_it_is_given() -> None:
    independent = np.random.default_rng(3).standard_exponential(4000)
    needed = requests_for(independent, 0.99)
    assert 400 <= needed <= 800
    in_runs_of_ten = np.repeat(independent, 10)
    assert requests_for(in_runs_of_ten, 0.99) == pytest.approx(10 * needed, rel=0.25)


def test_a_median_that_wanders_with_the_clock_rate_does_not_take_the_tail_away() -> None:
    random = np.random.default_rng(4)
    clock = np.repeat(np.exp(random.normal(0, 0.12, 40)), 250)
    wandering = random.lognormal(0, 0.3, 10_000) * clock
    assert quantile_estimate(wandering, 0.99) is not None


@given(st.integers(0, 2**32), st.integers(600, 3000), st.floats(0.3, 0.95))
def test_an_interval_scales_and_shifts_with_its_values(seed: int, count: int, fraction: float) -> None:
    values = np.round(exponential(count, seed))
    plain, changed = quantile_estimate(values, fraction), quantile_estimate(values * 4 + 64, fraction)
    assert (plain is None) == (changed is None)
    if plain and changed and plain.low is not None and plain.high is not None:
        assert (plain.low * 4 + 64, plain.value * 4 + 64, plain.high * 4 + 64) == (
            changed.low,
            changed.value,
            changed.high,
        )


@given(st.lists(st.sampled_from([1.0, 2.0, math.inf]), min_size=1, max_size=300), st.floats(0.01, 0.999))
def test_ties_and_failures_in_any_number_never_break_the_order_of_an_interval(
    values: list[float], fraction: float
) -> None:
    found = quantile_bounds(np.asarray(values), (fraction,))[0]
    if found is not None and found.low is not None and found.high is not None:
        assert found.low <= found.value <= found.high
