"""The choice of the percentile intervals, justified: how often they hold the true quantile of simulated queues.

In the default run every case is small, so that all take a few seconds; the bounds are what binomial noise of that
many runs allows around 95 %. The slow test is the one the numbers in `stats/quantiles.py` come from.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from scipy import signal, special

from modeldyno.stats.intervals import mean_estimate
from modeldyno.stats.quantiles import quantile_bounds

FRACTIONS = (0.5, 0.9, 0.99)
LOADS = (0.3, 0.6, 0.8, 0.9)
Queues = Callable[..., tuple[np.ndarray, np.ndarray]]
Truth = Callable[[float], float]


def shares(series: np.ndarray, truth: Truth) -> Iterator[tuple[float, float, float]]:
    """For each fraction: it, the share of runs in which an interval was given, and the share in which it was wrong."""
    found = [quantile_bounds(run, FRACTIONS) for run in series]
    for index, fraction in enumerate(FRACTIONS):
        given = [estimates[index] for estimates in found if estimates[index] is not None]
        wrong = [one for one in given if one and not (one.low or 0) <= truth(fraction) <= (one.high or 0)]
        yield fraction, len(given) / len(series), len(wrong) / len(series)


def assert_honest(series: np.ndarray, truth: Truth, *, slack: float) -> None:
    for fraction, given, wrong in shares(series, truth):
        assert wrong <= 0.08 + slack, f"p{fraction * 100:g}: wrong intervals in {wrong:.1%} of the runs"
        if given >= 0.95:
            assert 0.02 - slack <= wrong / given <= 0.08 + slack, f"p{fraction * 100:g}: {1 - wrong / given:.1%} cover"


def sojourn_quantile(load: float) -> Truth:
    return lambda fraction: -math.log(1 - fraction) / (1 - load) * 1e6


def autoregressive(runs: int, count: int, memory: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((runs, count)) * math.sqrt(1 - memory**2)
    noise[:, 0] /= math.sqrt(1 - memory**2)
    return np.asarray(signal.lfilter([1], [1, -memory], noise, axis=1))


@pytest.mark.parametrize("load", LOADS)
def test_intervals_of_a_queue_cover_at_every_load(load: float, make_queue: Queues) -> None:
    planned, done = make_queue(150, 4000, load, seed=11)
    assert_honest((done - planned).astype(np.float64), sojourn_quantile(load), slack=0.03)


@pytest.mark.parametrize("memory", (0.0, 0.5, 0.9))
def test_intervals_of_an_autoregressive_series_cover(memory: float) -> None:
    assert_honest(autoregressive(150, 4000, memory, 12), lambda fraction: float(special.ndtri(fraction)), slack=0.035)


def test_a_short_congested_run_is_refused_although_its_tail_looks_uncorrelated(make_queue: Queues) -> None:
    planned, done = make_queue(150, 1000, 0.6, seed=15)
    given = {
        fraction: share for fraction, share, _ in shares((done - planned).astype(np.float64), sojourn_quantile(0.6))
    }
    assert given[0.5] >= 0.95
    assert given[0.99] <= 0.02


def test_ignoring_the_correlation_would_not_cover(make_queue: Queues) -> None:
    planned, done = make_queue(100, 4000, 0.8, seed=13)
    series = (done - planned).astype(np.float64)
    shuffled = np.random.default_rng(1).permuted(series, axis=1)
    _, given, wrong = next(shares(shuffled, sojourn_quantile(0.8)))
    assert given == 1
    assert wrong > 0.4


@pytest.mark.parametrize("load", (0.3, 0.6, 0.8))
def test_intervals_of_the_mean_cover(load: float, make_queue: Queues) -> None:
    planned, done = make_queue(150, 4000, load, seed=14)
    found = [
        mean_estimate((row_done - row_planned).astype(np.float64))
        for row_planned, row_done in zip(planned, done, strict=True)
    ]
    truth = 1e6 / (1 - load)
    covered = [(one.low or 0) <= truth <= (one.high or 0) for one in found if one]
    assert len(covered) >= 0.95 * len(found)
    assert np.mean(covered) >= 0.89


@pytest.mark.slow
@pytest.mark.parametrize("count", (1000, 16_000))
def test_intervals_cover_within_the_stated_bounds(count: int, make_queue: Queues) -> None:
    for load in LOADS:
        planned, done = make_queue(250, count, load, seed=count)
        assert_honest((done - planned).astype(np.float64), sojourn_quantile(load), slack=0.02)
    for memory in (0.0, 0.5, 0.9):
        assert_honest(
            autoregressive(250, count, memory, count), lambda fraction: float(special.ndtri(fraction)), slack=0.02
        )
