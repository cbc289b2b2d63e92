"""Changes of numbers, whatever they stand for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.augmentation.draws import RowDraws
from modeldyno.augmentation.spread import Spread

Array = NDArray[Any]


def add_noise(array: Array, severity: float, spread: Spread, draws: RowDraws) -> Array:
    """Gaussian noise with `severity` times the standard deviation of the values."""
    return np.asarray(array + severity * spread.std * draws.normal(*array.shape[1:]))


def change_brightness(array: Array, severity: float, spread: Spread, draws: RowDraws) -> Array:
    """Each row lighter or darker by `severity` times the range of all values, within that range."""
    shift = draws.signs().reshape(-1, *[1] * (array.ndim - 1)) * severity * (spread.high - spread.low)
    return np.clip(array + shift, spread.low, spread.high)


def lose_values(array: Array, severity: float, spread: Spread, draws: RowDraws) -> Array:
    """A share of the values replaced by the mean of their column, as an imputer would."""
    return np.where(draws.uniform(*array.shape[1:]) < severity, spread.mean, array)
