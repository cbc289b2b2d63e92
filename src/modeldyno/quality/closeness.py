"""Whether two arrays hold the same values but for rounding."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.bfloat16 import BF16, STEP, as_numbers

_STEPS = {BF16: STEP, np.dtype(np.float16): float(np.finfo(np.float16).eps)}
"""Floats so narrow that sums of another order are rounded to neighbours further apart than a usual tolerance."""


def closeness(expected: NDArray[Any], found: NDArray[Any], *, relative: float, absolute: float) -> NDArray[np.bool_]:
    """For each value, whether both are the same.

    Floats are when `|expected - found| <= absolute + relative * |expected|`, as `numpy.isclose` has it, and NaN equals
    NaN; of FP16 and BF16 two neighbours are the same however small the tolerance. All else must be equal.

    Args:
        expected: decides whether floats are compared.
        found: of the same shape.
        relative: tolerance.
        absolute: tolerance.
    """
    relative = max(relative, *(_STEPS.get(array.dtype, 0.0) for array in (expected, found)))
    expected, found = as_numbers(expected), as_numbers(found)
    if expected.dtype.kind == "f" and found.dtype.kind in "iuf":
        with np.errstate(invalid="ignore"):  # of a NaN whose bits say that it wants to be noticed
            # In float64, in which the difference of two float32 is exact.
            wanted, got = expected.astype(np.float64), found.astype(np.float64)
            return np.asarray(np.isclose(got, wanted, relative, absolute, equal_nan=True))
    return np.asarray(expected == found, bool)


def are_close(expected: NDArray[Any], found: NDArray[Any], *, relative: float, absolute: float) -> bool:
    """Whether they have one shape, and all values are the same; see `closeness`."""
    return expected.shape == found.shape and bool(
        closeness(expected, found, relative=relative, absolute=absolute).all()
    )
