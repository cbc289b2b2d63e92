"""Outputs as their highest values: Triton's extension `classification` (docs/protocol/extension_classification.md)."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modeldyno.bfloat16 import as_numbers

_NO_ORDER = frozenset({"BOOL", "BYTES"})


def can_classify(datatype: str) -> bool:
    """Whether values of a datatype have an order."""
    return datatype not in _NO_ORDER


def top_classes(
    array: NDArray[np.generic], count: int, *, is_batched: bool, labels: Sequence[bytes] = ()
) -> NDArray[np.generic]:
    """The `count` highest values of each row, or of the whole, as BYTES `value:index`, the highest first.

    Of equal values the first comes first; a NaN is as low as minus infinity. Values are written as Triton does, in C's
    `%f` and `%d`.

    Args:
        array: the output.
        count: of classes that are wanted.
        is_batched: whether the first dimension is that of the rows.
        labels: of the classes, which follow as `value:index:label` where a row has as many values.

    Returns:
        An array of shape [rows, classes], or [classes] without a batch; classes are as many as there are at most.
    """
    array = as_numbers(array)
    rows = array.reshape(array.shape[0], math.prod(array.shape[1:])) if is_batched else array.reshape(1, array.size)
    values = rows.astype(np.float64) if rows.dtype.kind == "f" else rows
    ranked = np.where(np.isnan(values), -np.inf, values) if values.dtype.kind == "f" else values
    # A stable sort from the end backwards, for unsigned numbers have no negatives to sort by.
    order = rows.shape[1] - 1 - np.argsort(ranked[:, ::-1], axis=1, kind="stable")[:, ::-1][:, :count]
    form = b"%f:%d" if values.dtype.kind == "f" else b"%d:%d"
    ends = [b":" + label for label in labels] if len(labels) == rows.shape[1] else [b""] * rows.shape[1]
    classes = np.empty(order.shape, object)
    for number, places in enumerate(order.tolist()):
        classes[number, :] = [form % (values[number, place].item(), place) + ends[place] for place in places]
    return classes if is_batched else classes[0]
