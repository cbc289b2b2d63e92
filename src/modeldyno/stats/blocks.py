"""Interleaved blocks of a benchmark: the mean of one candidate, and the ratio of two that took turns."""

import math
from collections.abc import Sequence

import numpy as np

from modeldyno.records.base import Estimate
from modeldyno.stats.intervals import TAIL, student_quantile


def block_estimate(blocks: Sequence[float]) -> Estimate:
    """Mean of blocks (items per second) with Student's 95 % interval; no interval from fewer than three blocks.

    Blocks are long against what makes neighbouring calls alike, and are taken as independent.

    Raises:
        ValueError: without blocks, or with one that is not finite.
    """
    values = np.asarray(blocks, np.float64)
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"blocks must be finite and at least one: {list(blocks)!r}")
    centre = float(values.mean())
    if len(values) < 3:
        return Estimate(value=centre)
    half = _half_width(values)
    return Estimate(value=centre, low=max(0.0, centre - half) if centre >= 0 else centre - half, high=centre + half)


def paired_ratio(a: Sequence[float], b: Sequence[float], *, tail: float = TAIL) -> Estimate:
    """The ratio a over b of positive block values that were measured in turns, with its 95 % interval.

    Student's interval of the mean difference of logarithms, pair by pair: what slows both of a pair (a neighbour on
    the machine, a change of clock frequency) cancels. The value is the geometric mean of the ratios. Where one list
    is longer, as when a candidate left the race early, only the blocks both ran are compared. `tail` is the probability
    outside on each side, smaller than that of 95 % where several intervals must hold together.

    Raises:
        ValueError: without a pair, or with a value that is not above zero.
    """
    pairs = min(len(a), len(b))
    first, second = np.asarray(a[:pairs], np.float64), np.asarray(b[:pairs], np.float64)
    if not pairs or not (np.isfinite(first) & np.isfinite(second) & (first > 0) & (second > 0)).all():
        raise ValueError("a ratio needs pairs of finite values above zero")
    logs = np.log(first) - np.log(second)
    centre = float(logs.mean())
    if pairs < 3:
        return Estimate(value=math.exp(centre))
    half = _half_width(logs, tail)
    return Estimate(value=math.exp(centre), low=math.exp(centre - half), high=math.exp(centre + half))


def median_estimate(blocks: Sequence[float]) -> Estimate:
    """Median of blocks, between the two of them that hold the true median with at least 95 %; none of fewer than six.

    For blocks of a machine that stalls: a stall makes one of them long, and would spoil the mean of all. The bounds are
    order statistics by the sign test (Conover, "Practical Nonparametric Statistics", section 3.2).

    Raises:
        ValueError: without blocks, or with one that is not finite.
    """
    values = np.sort(np.asarray(blocks, np.float64))
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"blocks must be finite and at least one: {list(blocks)!r}")
    count, below, rank = len(values), 0.0, 0
    while (below := below + math.comb(count, rank) / 2**count) <= TAIL:
        rank += 1
    if rank == 0:
        return Estimate(value=float(np.median(values)))
    return Estimate(value=float(np.median(values)), low=float(values[rank - 1]), high=float(values[count - rank]))


def is_tie(ratio: Estimate, margin: float = 0.0) -> bool:
    """Whether the ratio's interval cannot exclude equality within `margin` (0.02: up to 2 % either way).

    A ratio without an interval is a tie: nothing is known that would break it.
    """
    if ratio.low is None or ratio.high is None:
        return True
    return ratio.low <= 1 + margin and ratio.high >= 1 / (1 + margin)


def _half_width(values: np.ndarray, tail: float = TAIL) -> float:
    return student_quantile(len(values) - 1, tail) * float(values.std(ddof=1)) / math.sqrt(len(values))
