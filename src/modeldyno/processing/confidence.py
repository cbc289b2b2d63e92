"""How sure a model is of each row."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from modeldyno.processing.steps import Array


def confidences(scores: Array, measure: Literal["highest", "margin"]) -> NDArray[np.float64]:
    """The largest score of each row, or its distance to the second; NaN where there is one among the scores.

    Args:
        scores: floats [rows, classes]; for `margin` at least two classes.
        measure: which of them.
    """
    numbers: NDArray[Any] = scores.astype(np.float64)
    if measure == "highest":
        return np.asarray(numbers.max(axis=1))
    two = np.partition(numbers, -2, axis=1)
    with np.errstate(invalid="ignore"):  # of infinities NaN, which is as unsure as can be
        return np.asarray(two[:, -1] - two[:, -2])


def is_unsure(confidence: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    """Which rows go on to the next stage: those below the threshold, and NaN."""
    return np.asarray(~(confidence >= threshold))
