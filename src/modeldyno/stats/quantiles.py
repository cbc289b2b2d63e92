"""Percentiles with intervals that respect autocorrelation, refused where the sample cannot support them.

The interval is made of order statistics: the number of values below the true quantile is binomial, so two ranks
bracket it with a known probability whatever the distribution (David and Nagaraja, "Order Statistics", 3rd ed.,
7.1). Latencies of a loaded server are not independent, so the ranks are computed for the *effective* number of
values: the number over the integrated autocorrelation time of the series "is this value at or below the quantile",
which is the series whose mean is judged. Its estimate is uncertain too; the effective number is therefore deflated
by the square of Student's quantile over the normal one, with a twentieth of the effective number as degrees of
freedom.

Refusal. A percentile is given when both ranks exist (for p99 the largest of 368 independent values bounds it from
above: the rule of "early stopping" in mlcommons/inference loadgen/early_stopping.cc at 97.5 %) and at least
`LEAST_BEYOND` effective values lie beyond it. There the effective number is that of the *worst* of several levels
near the quantile, those with up to ten times as many values beyond: a short run that saw no congestion shows a short
correlation at p99, and believing it gives wrong intervals in just those runs (at 60 % load and 1,000 requests 45 %
coverage instead of 95 %). Levels further in are no warning: in queues they never were the worst, and a median that
wanders by a tenth with the machine's clock says nothing about the tail.

Both numbers were chosen by simulating M/M/1 queues at 30 to 90 % load, AR(1) and independent series of 1,000 to
50,000 values: see tests/stats/test_coverage.py. Where a percentile is given in nearly all runs, 93 to 98 % of the
intervals cover; at the border of refusal, wrong intervals are shown in at most 8 % of all runs.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from modeldyno.records.base import Estimate
from modeldyno.records.run import LatencySummary
from modeldyno.stats.autocorrelation import autocorrelation_time
from modeldyno.stats.intervals import NORMAL_QUANTILE, TAIL, degrees_of_freedom, mean_estimate, student_quantile

LEAST_BEYOND = 5.0
"""Effective values that must lie beyond a quantile."""
_REFERENCE_LEVELS = (0.5, 0.75, 0.9, 0.95, 0.99)
_NEAR = 10
"""A level warns of a quantile when at most so many times as many values lie beyond it."""
_REPORTED = (0.5, 0.9, 0.95, 0.99, 0.999)


def quantile_estimate(values: NDArray[np.float64] | NDArray[np.int64], fraction: float) -> Estimate | None:
    """The quantile of values in time order with its 95 % interval; None where the sample cannot support it.

    Args:
        values: in time order; may hold +inf (failures), and a quantile or a bound that reaches one is None.
        fraction: between 0 and 1, such as 0.99.
    """
    return _without_infinity(quantile_bounds(values, (fraction,))[0])


def quantile_bounds(
    values: NDArray[np.float64] | NDArray[np.int64], fractions: Sequence[float]
) -> list[Estimate | None]:
    """As `quantile_estimate` for several fractions, but an estimate may hold infinities."""
    series = np.asarray(values, np.float64)
    if not len(series):
        return [None] * len(fractions)
    ordered = np.sort(series)
    times = _times(series, ordered, fractions)
    return [_bracket(ordered, fraction, times[fraction], _worst(times, fraction)) for fraction in fractions]


def requests_for(values: NDArray[np.float64], fraction: float) -> int:
    """About how many values a quantile needs before it is given, if all are correlated like these (at least one)."""
    rarity = min(fraction, 1 - fraction)
    time = _worst(_times(values, np.sort(values), (fraction,)), fraction)
    return math.ceil(time * max(LEAST_BEYOND / rarity, 1.1 * math.log(TAIL) / math.log(1 - rarity)))


def _times(series: NDArray[np.float64], ordered: NDArray[np.float64], fractions: Sequence[float]) -> dict[float, float]:
    """Autocorrelation time of the indicator at each fraction and at each level that may warn of it."""
    return {level: _time_at(series, ordered, level) for level in {*fractions, *_REFERENCE_LEVELS}}


def _worst(times: dict[float, float], fraction: float) -> float:
    """The longest time at the fraction itself and at the levels near it."""
    rarity = min(fraction, 1 - fraction)
    return max(
        time
        for level, time in times.items()
        if rarity * (1 - 1e-9) <= min(level, 1 - level) <= _NEAR * rarity * (1 + 1e-9)
    )


def rank_autocorrelation_time(values: NDArray[np.float64]) -> float:
    """The autocorrelation time of the values' ranks: the same for any unit, and defined with infinities."""
    return autocorrelation_time(mid_ranks(values))


def mid_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1, ties sharing their mean: order within ties would be a trend in time where there is none."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse], np.float64)


def summarise_latency(values_ns: NDArray[np.float64] | NDArray[np.int64]) -> LatencySummary:
    """Mean, percentiles and largest of latencies in time order, as whole ns; failures are +inf."""
    series = np.asarray(values_ns, np.float64)
    p50, p90, p95, p99, p999 = (_whole(_without_infinity(found)) for found in quantile_bounds(series, _REPORTED))
    largest = float(series.max()) if len(series) else math.inf
    return LatencySummary(
        mean_ns=_whole(_as_duration(mean_estimate(series), series)),
        p50_ns=p50,
        p90_ns=p90,
        p95_ns=p95,
        p99_ns=p99,
        p999_ns=p999,
        max_ns=Estimate(value=int(largest)) if math.isfinite(largest) else None,
    )


def _time_at(series: NDArray[np.float64], ordered: NDArray[np.float64], level: float) -> float:
    quantile = ordered[_rank(len(ordered), level)]
    return autocorrelation_time((series <= quantile).astype(np.float64))


def _rank(count: int, fraction: float) -> int:
    # The inverse of the empirical distribution (definition 1 of Hyndman and Fan, 1996): a value that occurred,
    # never a mean of two, of which one may be a failure. The small number undoes 0.99 * 100 = 99.00000000000001.
    return min(count - 1, max(0, math.ceil(count * fraction - 1e-9) - 1))


def _bracket(ordered: NDArray[np.float64], fraction: float, time: float, worst_time: float) -> Estimate | None:
    count = len(ordered)
    rarity = min(fraction, 1 - fraction)
    worst = count / worst_time
    # The small share undoes rounding: 100 * 0.05 values must count as five.
    if worst * rarity < LEAST_BEYOND * (1 - 1e-9):
        return None
    deflation = (NORMAL_QUANTILE / student_quantile(degrees_of_freedom(worst))) ** 2
    effective = count / time * deflation
    if (1 - rarity) ** effective > TAIL:
        return None
    low = _effective_rank(effective, fraction, 1 - TAIL) / effective * count
    high = _effective_rank(effective, fraction, TAIL) / effective * count
    return Estimate(
        value=float(ordered[_rank(count, fraction)]),
        low=float(ordered[max(0, math.floor(low) - 1)]),
        high=float(ordered[min(count - 1, math.ceil(high) - 1)]),
    )


def _effective_rank(size: float, fraction: float, probability: float) -> float:
    """The rank k, real-valued, at which P(k-th of `size` values <= quantile) = I_fraction(k, size - k + 1)."""
    low, high = 0.0, size + 1
    for _ in range(60):
        middle = (low + high) / 2
        if special.betainc(middle, size - middle + 1, fraction) > probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _without_infinity(found: Estimate | None) -> Estimate | None:
    if found is None or found.high is None or not math.isfinite(found.high):
        return None
    return found


def _as_duration(found: Estimate | None, series: NDArray[np.float64]) -> Estimate | None:
    """An interval of few values may reach below zero, where no mean of durations is."""
    if found is None or found.low is None:
        return found
    return Estimate(value=found.value, low=max(found.low, min(0.0, float(series.min()))), high=found.high)


def _whole(found: Estimate | None) -> Estimate | None:
    if found is None or found.low is None or found.high is None:
        return None
    return Estimate(value=round(found.value), low=math.floor(found.low), high=math.ceil(found.high))
