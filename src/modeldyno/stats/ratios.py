"""Two values that were estimated independently of each other: their ratio and their difference, with intervals.

The interval of each value may be of any kind and lopsided; it is carried over by the square-and-add rule ("MOVER";
Zou and Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27, 2008): the lower
limit of a difference is as far below it as the root of the squared distances from the value of B down to its lower
limit and from that of A up to its upper limit. Ratios are differences of logarithms. Rejected: a block bootstrap,
whose block length is the same unknown at a thousand times the cost; asking that the two intervals do not overlap,
which calls a difference in about 0.5 % of null comparisons instead of 5 % and is blind to match.
"""

import math

from scipy import special

from modeldyno.records.base import Estimate
from modeldyno.stats.intervals import NORMAL_QUANTILE, TAIL


def independent_ratio(a: Estimate, b: Estimate, *, tail: float = TAIL) -> Estimate | None:
    """B over A, from two 95 % intervals; None unless all their numbers are finite and above zero.

    Args:
        a: the value divided by.
        b: the value divided.
        tail: probability outside on each side; the distances are stretched as a normal distribution's would be.
    """
    numbers = (a.low, a.value, a.high, b.low, b.value, b.high)
    if any(number is None or not 0 < number < math.inf for number in numbers):
        return None
    a_low, a_value, a_high, b_low, b_value, b_high = (math.log(number) for number in numbers if number is not None)
    low, value, high = _square_and_add((a_low, a_value, a_high), (b_low, b_value, b_high), tail)
    return Estimate(value=math.exp(value), low=math.exp(low), high=math.exp(high))


def independent_difference(a: Estimate, b: Estimate, *, tail: float = TAIL) -> Estimate | None:
    """B minus A, from two 95 % intervals; None when one of them has no limits. See `independent_ratio`."""
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return None
    low, value, high = _square_and_add((a.low, a.value, a.high), (b.low, b.value, b.high), tail)
    return Estimate(value=value, low=low, high=high)


def _square_and_add(
    a: tuple[float, float, float], b: tuple[float, float, float], tail: float
) -> tuple[float, float, float]:
    stretch = float(special.ndtri(1 - tail)) / NORMAL_QUANTILE
    value = b[1] - a[1]
    down = math.hypot(b[1] - b[0], a[2] - a[1])
    up = math.hypot(b[2] - b[1], a[1] - a[0])
    return value - stretch * down, value, value + stretch * up
