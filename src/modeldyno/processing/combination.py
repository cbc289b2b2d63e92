"""The answers of an ensemble as one: the mean of numbers, or a vote on labels."""

from collections.abc import Sequence

import numpy as np

from modeldyno.processing.steps import Array


def average(arrays: Sequence[Array], weights: Sequence[float]) -> Array:
    """The weighted mean, computed in float64, in the datatype of the arrays.

    Args:
        arrays: floats of one shape and datatype, one a member.
        weights: above 0, one a member.
    """
    total = np.zeros(arrays[0].shape, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        for array, weight in zip(arrays, weights, strict=True):
            total += weight * array.astype(np.float64)
        return np.asarray((total / sum(weights)).astype(arrays[0].dtype))


def vote(arrays: Sequence[Array], weights: Sequence[float]) -> Array:
    """The label with the most weight at each place; of equals, that of the first member.

    Args:
        arrays: labels of one shape and datatype, one a member.
        weights: above 0, one a member.
    """
    support = np.stack(
        [
            np.sum([weight * (array == other) for other, weight in zip(arrays, weights, strict=True)], axis=0)
            for array in arrays
        ]
    )
    winner = support.argmax(axis=0)
    chosen = arrays[0].copy()
    for number, array in enumerate(arrays):
        chosen[winner == number] = array[winner == number]
    return np.asarray(chosen)
