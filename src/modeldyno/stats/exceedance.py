"""How large the share of requests over a limit can be: a limit may be shown to hold where no percentile can be given.

A percentile needs values beyond it on both sides to have an interval; that p99 is below a limit is shown already when
the share of requests over the limit is below 1 %. The bound is that of Clopper and Pearson (1934) on effective counts:
the number over the longest autocorrelation time among levels near the percentile and of the exceedances, deflated as
in stats/quantiles.py. On simulated M/M/1 queues at 30 to 90 % load with the percentile exactly at the limit, 300 to
3,000 requests, at most 4 % passed, as many as by the interval of the percentile (tests/stats/test_exceedance.py).
"""

import math

import numpy as np
from numpy.typing import NDArray

from modeldyno.stats.autocorrelation import autocorrelation_time
from modeldyno.stats.intervals import NORMAL_QUANTILE, degrees_of_freedom, exact_bounds, student_quantile

_LEVELS = (0.5, 0.75, 0.9, 0.95, 0.99)
_NEAR = 10
"""A level warns when at most so many times as many values lie beyond it, as in stats/quantiles.py."""


def largest_share(is_over: NDArray[np.bool_], response_ns: NDArray[np.float64], fraction: float) -> float:
    """The upper 97.5 % bound of the share of requests over a limit.

    Args:
        is_over: in time order.
        response_ns: of the same requests; failures are +inf.
        fraction: of the percentile that is limited, such as 0.99.
    """
    count = len(is_over)
    if not count:
        return 1.0
    effective = count / _longest_time(is_over, response_ns, fraction)
    effective *= (NORMAL_QUANTILE / student_quantile(degrees_of_freedom(effective))) ** 2
    return exact_bounds(float(is_over.mean()) * effective, effective)[1]


def _longest_time(is_over: NDArray[np.bool_], response_ns: NDArray[np.float64], fraction: float) -> float:
    ordered = np.sort(response_ns)
    rarity = 1 - fraction
    levels = [fraction, *(level for level in _LEVELS if rarity * (1 - 1e-9) <= 1 - level <= _NEAR * rarity + 1e-9)]
    events = [response_ns <= ordered[math.ceil(len(ordered) * level - 1e-9) - 1] for level in levels]
    return max(autocorrelation_time(one.astype(np.float64)) for one in (*events, is_over))
