"""Rows in words."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Sizes = tuple[int | str, ...]


def describe_rows(
    name: str, rows: int, sizes: Mapping[str, Sizes], labels: NDArray[Any] | None, label_name: str | None
) -> str:
    """Such as `digits.npz: 599 rows, 64 features, labels y (10 classes)`.

    Args:
        name: what the user calls it.
        rows: how many.
        sizes: input name to the shape of one row.
        labels: one a row, or None.
        label_name: the array or column they came from.
    """
    return f"{name}: {rows:,} {_plural(rows, 'row')}, {_features(sizes)}, {_describe_labels(labels, label_name)}"


def _features(sizes: Mapping[str, Sizes]) -> str:
    if len(sizes) > 1:
        return f"inputs {', '.join(sizes)}"
    shape = next(iter(sizes.values()))
    if len(shape) == 1:
        return f"{shape[0]:,} {_plural(shape[0], 'feature')}" if isinstance(shape[0], int) else f"{shape[0]} a row"
    return f"{' × '.join(map(str, shape))} a row" if shape else "one value a row"


def _describe_labels(labels: NDArray[Any] | None, name: str | None) -> str:
    if labels is None:
        return "no labels"
    if labels.dtype.kind == "f" and (labels != np.round(labels)).any():
        return f"labels {name} (numbers)"
    distinct = len(np.unique(labels))
    if labels.dtype.kind == "f":
        return f"labels {name} ({distinct} distinct {_plural(distinct, 'value')})"
    return f"labels {name} ({distinct} {'class' if distinct == 1 else 'classes'})"


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"
