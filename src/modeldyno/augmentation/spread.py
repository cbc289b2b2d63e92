"""How values are spread, which is what the strength of a change is measured in."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Spread(NamedTuple):
    """Of each column of a table, or of all pixels of images; shaped so that it spreads over rows."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    low: float
    """The smallest value of all that are there."""
    high: float


def spread_of(array: NDArray[Any]) -> Spread:
    """The spread of numbers [rows, ...]: column by column where a row is a list, else of all values together.

    What is missing (NaN) is left out; of a column without any number mean and deviation are 0.
    """
    numbers = array.astype(np.float64)
    axes = (0,) if numbers.ndim == 2 else None
    is_there = ~np.isnan(numbers)
    if is_there.all():
        mean, std = np.asarray(numbers.mean(axis=axes)), np.asarray(numbers.std(axis=axes))
    else:
        counts = np.maximum(is_there.sum(axis=axes), 1)
        mean = np.where(is_there, numbers, 0.0).sum(axis=axes) / counts
        std = np.sqrt(np.where(is_there, (numbers - mean) ** 2, 0.0).sum(axis=axes) / counts)
    low, high = numbers.min(initial=np.inf, where=is_there), numbers.max(initial=-np.inf, where=is_there)
    has_any = bool(is_there.any())
    return Spread(
        mean=np.asarray(mean),
        std=np.asarray(std),
        low=float(low) if has_any else 0.0,
        high=float(high) if has_any else 0.0,
    )
