"""BF16: the upper half of a float32. NumPy has no such type, so that its bits stand in arrays of `BF16`.

Two bytes without a meaning, little-endian, as NumPy itself reads files that were saved from `ml_dtypes.bfloat16`. They
can be sliced, joined and compared bit by bit; arithmetic raises TypeError, so that bits are never computed with as if
they were numbers, as an array of uint16 would allow. Beware of `astype` and `numpy.full`: NumPy makes zeros of floats.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

BF16 = np.dtype("V2")
"""Of the arrays that hold BF16; what `records.signature.DATATYPES` calls it, too."""
STEP = 2.0**-7
"""The largest relative distance of two neighbours: sums of another order may be rounded to either of them."""

_HALF = 16
_QUIET = np.uint16(0x0040)
"""The first bit of a NaN's fraction; with it no NaN becomes an infinity by losing its lower half."""


def to_floats(array: NDArray[Any]) -> NDArray[np.float32]:
    """The values of an array of `BF16`, exactly."""
    bits = array.ravel().view("<u2").astype(np.uint32) << _HALF
    return bits.view(np.float32).reshape(array.shape)


def from_numbers(array: NDArray[Any]) -> NDArray[np.void]:
    """Numbers rounded to the nearest BF16, ties to even, by way of float32 as ONNX's Cast does it.

    What is too large becomes an infinity; NaN stays NaN.
    """
    with np.errstate(over="ignore"):
        floats = array.ravel().astype(np.float32)
    bits = floats.view(np.uint32)
    upper = bits >> _HALF
    rounded = (bits + (0x7FFF + (upper & 1))) >> _HALF
    halves = np.where(np.isnan(floats), upper | _QUIET, rounded).astype("<u2")
    return halves.view(BF16).reshape(array.shape)


def as_numbers(array: NDArray[Any]) -> NDArray[Any]:
    """The array; when it holds `BF16`, its values."""
    return to_floats(array) if array.dtype == BF16 else array
