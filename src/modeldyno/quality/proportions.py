"""Intervals of one proportion, and of the difference of two that were measured on the same rows; 95 % two-sided."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

from modeldyno.records.base import Estimate

Z = float(special.ndtri(0.975))


def wilson(events: float, rows: float) -> Estimate:
    """A share with the score interval of Wilson (1927), JASA 22(158); never empty at 0 or all."""
    share = events / rows
    centre = (share + Z**2 / (2 * rows)) / (1 + Z**2 / rows)
    half = Z / (1 + Z**2 / rows) * math.sqrt(share * (1 - share) / rows + Z**2 / (4 * rows**2))
    return Estimate(value=share, low=max(0.0, min(share, centre - half)), high=min(1.0, max(share, centre + half)))


def paired_difference(worse: float, better: float, rows: float) -> Estimate:
    """The difference (worse - better) / rows of two paired proportions with Tango's score interval.

    Tango (1998), "Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design", Statistics in Medicine 17(8). Chosen over Newcombe's method 10 (1998) and Wald's: at a few discordant
    rows of many it covers best (Fagerland, Lydersen and Laake, 2014, Statistics in Medicine 33(16)), and without
    any it gives ± z² / (rows + z²) instead of nothing, close to the exact bound.

    Args:
        worse: rows on which only the original is right.
        better: rows on which only the candidate is right.
        rows: all rows.

    Counts may be fractional, to ask what more rows with the same shares would give.
    """
    value = (worse - better) / rows
    low = _bound(lambda delta: _score(worse, better, rows, delta) > Z, -1.0, value)
    high = _bound(lambda delta: _score(worse, better, rows, delta) >= -Z, value, 1.0)
    return Estimate(value=value, low=min(low, value), high=max(high, value))


def mcnemar(worse: int, better: int) -> float:
    """The probability of so uneven a pair of counts, or a more uneven one, if both were equally likely.

    The exact test of McNemar (1947), Psychometrika 12(2), two-sided: binomial in the discordant rows.
    """
    return min(1.0, 2 * float(special.bdtr(min(worse, better), worse + better, 0.5)))


def effective_rows(weights: NDArray[np.float64]) -> float:
    """As many rows of equal weight have the same spread: Kish (1965), "Survey Sampling"."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def _score(worse: float, better: float, rows: float, delta: float) -> float:
    """Tango's statistic for a true difference of `delta`; falls as delta grows."""
    a = 2 * rows
    b = -worse - better + (2 * rows - worse + better) * delta
    c = -better * delta * (1 - delta)
    share = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = rows * (2 * share + delta * (1 - delta))
    distance = worse - better - rows * delta
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)


def _bound(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Where a predicate that holds on the left stops to hold."""
    for _ in range(60):
        middle = (low + high) / 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2
