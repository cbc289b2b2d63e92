"""Against the published counts, sums of log-gamma terms, and the defect that LoadGen had."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from modeldyno.stats.early_stopping import (
    CONFIDENCE,
    chance_of_so_few,
    early_estimate,
    least_queries,
    most_over_latency,
)

OVER = (0, 1, 2, 5, 10, 20)
PUBLISHED = {
    0.9: (44, 64, 81, 127, 197, 325),
    0.95: (90, 130, 165, 259, 398, 656),
    0.99: (459, 662, 838, 1_307, 2_010, 3_304),
    0.999: (4_603, 6_636, 8_403, 13_105, 20_140, 33_097),
}
percentiles = st.sampled_from((0.5, 0.9, 0.95, 0.97, 0.99, 0.999))


def summed_chance(queries: int, over_latency: int, percentile: float) -> float:
    """The binomial distribution function, term by term."""
    k = np.arange(over_latency + 1)
    terms = (
        special.gammaln(queries + 1)
        - special.gammaln(k + 1)
        - special.gammaln(queries - k + 1)
        + k * math.log(1 - percentile)
        + (queries - k) * math.log(percentile)
    )
    return float(np.exp(special.logsumexp(terms)))


@pytest.mark.parametrize("percentile", PUBLISHED)
def test_the_counts_are_the_published_ones(percentile: float) -> None:
    assert PUBLISHED[percentile] == tuple(least_queries(over, percentile) for over in OVER)


@given(st.integers(0, 3_000), percentiles)
def test_a_count_is_enough_and_one_less_is_not(over: int, percentile: float) -> None:
    least = least_queries(over, percentile)
    assert summed_chance(least, over, percentile) <= 1 - CONFIDENCE
    assert summed_chance(least - 1, over, percentile) > 1 - CONFIDENCE


@given(st.integers(1, 2_000_000), st.integers(0, 3_000), percentiles)
def test_the_chance_is_the_sum_of_its_terms(queries: int, over: int, percentile: float) -> None:
    over = min(over, queries - 1)
    assert summed_chance(queries, over, percentile) == pytest.approx(
        chance_of_so_few(queries, over, percentile), rel=1e-6, abs=1e-12
    )


@given(st.integers(1, 5_000_000), percentiles)
def test_the_most_allowed_is_allowed_and_one_more_is_not(queries: int, percentile: float) -> None:
    most = most_over_latency(queries, percentile)
    if most is None:
        assert queries < least_queries(0, percentile)
    else:
        assert least_queries(most, percentile) <= queries < least_queries(most + 1, percentile)


@pytest.mark.parametrize("percentile", PUBLISHED)
def test_nothing_breaks_beyond_1024_over_latency_queries(percentile: float) -> None:
    counts = [least_queries(over, percentile) for over in range(1_000, 1_060)]
    steps = np.diff(counts)
    assert (steps >= 1 / (1 - percentile) - 1).all()
    assert (steps <= 1.1 / (1 - percentile) + 1).all()


def test_millions_of_queries_allow_nearly_the_share_that_the_percentile_does() -> None:
    queries, percentile = 6_000_000, 0.9
    spread = math.sqrt(queries * percentile * (1 - percentile))
    assert queries * (1 - percentile) - 2.326 * spread == pytest.approx(
        most_over_latency(queries, percentile), abs=0.01 * spread
    )


def test_the_estimate_is_the_largest_after_the_allowed_ones_are_discarded() -> None:
    latencies = np.arange(1.0, 82.0)  # 81 queries show p90 with two over-latency ones: one is discarded
    assert (80.0, 1) == early_estimate(latencies[::-1], 0.9)
    assert (64.0, 0) == early_estimate(latencies[:64], 0.9)


def test_too_few_queries_give_no_estimate() -> None:
    assert early_estimate(np.arange(63.0), 0.9) is None
    assert early_estimate(np.empty(0), 0.9) is None


def test_an_estimate_that_failures_reach_is_unbounded() -> None:
    assert (math.inf, 0) == early_estimate(np.append(np.ones(63), math.inf), 0.9)


def test_the_estimate_covers_the_true_percentile_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    true_p90 = -math.log(0.1)
    found = [early_estimate(random.exponential(size=500), 0.9) for _ in range(2_000)]
    covered = np.mean([one is not None and one[0] >= true_p90 for one in found])
    assert 0.983 <= covered <= 0.999
