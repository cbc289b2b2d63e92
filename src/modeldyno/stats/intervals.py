"""Intervals of means and proportions, 95 % two-sided, for values that need not be independent."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from modeldyno.records.base import Estimate
from modeldyno.stats.autocorrelation import autocorrelation_time

TAIL = 0.025
"""Probability outside a 95 % interval on each side."""
NORMAL_QUANTILE = float(special.ndtri(1 - TAIL))


def student_quantile(freedom: float, tail: float = TAIL) -> float:
    """The quantile of Student's t distribution with probability `tail` above it: 97.5 % unless told otherwise."""
    return float(special.stdtrit(freedom, 1 - tail))


def degrees_of_freedom(effective: float) -> float:
    """Of an interval whose autocorrelation time was estimated from so many effective values; chosen by simulation."""
    return max(2.0, effective / 20)


def mean_estimate(values: NDArray[np.float64]) -> Estimate | None:
    """The mean of values in time order, with an interval that respects their autocorrelation.

    `mean ± t · s · sqrt(time / n)` with the integrated autocorrelation time, and a twentieth of the effective number
    of values as degrees of freedom, because the time is estimated too: with the textbook's `n - 1` only 87 % of the
    intervals cover in 4,000 requests of a queue at 80 % load, with this 93 % (tests/stats/test_coverage.py). None
    when there is an infinity, or fewer than 10 effective values.
    """
    count = len(values)
    if count < 2 or not np.isfinite(values).all():
        return None
    effective = count / autocorrelation_time(values)
    if effective < 10:
        return None
    centre = float(values.mean())
    half = student_quantile(degrees_of_freedom(effective)) * float(values.std(ddof=1)) / math.sqrt(effective)
    return Estimate(value=centre, low=centre - half, high=centre + half)


def proportion_estimate(events: NDArray[np.bool_]) -> Estimate:
    """The share of events in time order, with the exact interval of Clopper and Pearson (1934).

    Counts are divided by the autocorrelation time of the events, so that a burst of failures is not taken for as
    many independent ones. Raises ValueError without values.
    """
    if not len(events):
        raise ValueError("a share of nothing")
    share = float(events.mean())
    effective = len(events) / autocorrelation_time(events.astype(np.float64))
    low, high = exact_bounds(share * effective, effective)
    return Estimate(value=share, low=low, high=high)


def exact_bounds(events: float, trials: float) -> tuple[float, float]:
    """Clopper and Pearson's 95 % bounds of a proportion; counts may be fractional (effective counts)."""
    low = float(special.betaincinv(events, trials - events + 1, TAIL)) if events > 0 else 0.0
    high = float(special.betaincinv(events + 1, trials - events, 1 - TAIL)) if events < trials else 1.0
    return low, high
