"""Counting how often a value fell where, in buckets that are chosen once."""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LAST_NS = 100 * 10**9
REQUEST_BOUNDS_NS = (
    *(tenths * 10**exponent for exponent in range(4, 10) for tenths in (10, 15, 20, 30, 50, 70)),
    _LAST_NS,
)
"""0.1 ms, 0.15, 0.2, 0.3, 0.5, 0.7, 1 ms … 100 s: steps of about half, and the round numbers that objectives name."""
STAGE_BOUNDS_NS = (*(digit * 10**exponent for exponent in range(3, 11) for digit in (1, 2, 5)), _LAST_NS)
"""1 µs, 2, 5, 10 µs … 100 s: a part of a request is looked at for its size, not held against an objective."""
BATCH_BOUNDS_ROWS = tuple(2**exponent for exponent in range(13))
"""1, 2, 4 … 4096."""


class Histogram:
    """Whole numbers by bucket, and their sum. One thread observes.

    Args:
        bounds: the largest value of each bucket, ascending; larger values are counted behind the last.
    """

    __slots__ = ("_edges", "bounds", "counts", "total")

    def __init__(self, bounds: Sequence[int]) -> None:
        self.bounds = bounds
        self._edges = np.array(bounds)
        self.counts = [0] * (len(bounds) + 1)
        """One for each bucket, and one for what is above all bounds."""
        self.total = 0
        """The sum of all that was observed."""

    def observe(self, value: int) -> None:
        """Count one value."""
        self.total += value
        self.counts[bisect_left(self.bounds, value)] += 1

    def observe_all(self, values: NDArray[np.int64]) -> None:
        """Count many values at once."""
        self.total += int(values.sum())
        found = np.bincount(np.searchsorted(self._edges, values), minlength=len(self.counts))
        self.counts = [count + more for count, more in zip(self.counts, found.tolist(), strict=True)]
