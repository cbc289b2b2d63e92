"""Response times in logarithmic buckets, for the line of progress only: results come from the raw rows."""

import numpy as np
from numpy.typing import NDArray

PER_DOUBLING = 8
"""Buckets per factor of two: a bucket is 9 % wide."""
COUNT = PER_DOUBLING * 40
"""Up to 2^40 ns, 18 minutes."""


def count_in_buckets(durations_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many durations fall into each bucket, shape `(COUNT,)`."""
    buckets = PER_DOUBLING * np.log2(np.maximum(durations_ns, 1))
    return np.bincount(np.clip(buckets.astype(np.int64), 0, COUNT - 1), minlength=COUNT)


def quantile_ns(counts: NDArray[np.int64], fraction: float) -> float | None:
    """The middle (geometric) of the bucket that holds the quantile; None when nothing was counted."""
    total = int(counts.sum())
    if total == 0:
        return None
    bucket = int(np.searchsorted(np.cumsum(counts), fraction * total))
    return float(2 ** ((bucket + 0.5) / PER_DOUBLING))
