"""How values are spread, which is what the strength of a change is measured in."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Spread(NamedTuple):
    """Of each column of a table, or of all pixels of images; shaped so that it spreads over rows."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    low: float
    """The smallest value of all."""
    high: float


def spread_of(array: NDArray[Any]) -> Spread:
    """The spread of numbers [rows, ...]: column by column where a row is a list, else of all values together."""
    numbers = array.astype(np.float64)
    axes = (0,) if numbers.ndim == 2 else None
    return Spread(
        mean=np.asarray(numbers.mean(axis=axes)),
        std=np.asarray(numbers.std(axis=axes)),
        low=float(numbers.min()),
        high=float(numbers.max()),
    )
