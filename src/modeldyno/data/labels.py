"""Labels: one a row, whole numbers, numbers or text."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import DataError

FEATURE_NAMES = ("X", "x", "data", "inputs")
"""Array names that hold the features when there is no array named like the model's input."""

LABEL_NAMES = ("y", "label", "labels", "target", "targets", "class")
"""Array or column names that hold the labels when the user names none."""


def choose_labels(source: str, names: list[str], wanted: str | None, taken: set[str]) -> str | None:
    """Which array or column holds the labels: the one the user named, else the only one with a usual name.

    Args:
        source: the file, for messages.
        names: what it holds.
        wanted: what the user named.
        taken: names that belong to inputs of the model.

    Raises:
        DataError: there is no such name, it is an input, or several have a usual name.
    """
    if wanted is not None:
        if wanted not in names or wanted in taken:
            told = ", ".join(name for name in names if name not in taken) or "nothing else"
            raise DataError(
                f"{source} has no labels called {wanted!r}",
                why=f"beside the model's inputs it holds {told}",
                hint="name one of these with --label",
            )
        return wanted
    usual = [name for name in names if name in LABEL_NAMES and name not in taken]
    if len(usual) > 1:
        raise DataError(
            f"{source} holds several arrays or columns that may be the labels: {', '.join(usual)}",
            hint=f"say which one: --label {usual[0]}",
        )
    return usual[0] if usual else None


def check_labels(source: str, name: str, labels: NDArray[Any], rows: int) -> NDArray[Any]:
    """The labels, one a row, text as `str`.

    Raises:
        DataError: another number of rows, several a row, missing ones, or a datatype that is not a label.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 0 or len(labels) != rows:
        count = 1 if labels.ndim == 0 else len(labels)
        raise DataError(
            f"{source} has {rows} rows but {count} labels in {name!r}",
            hint="features and labels must come in the same order, one label a row",
        )
    if labels.ndim != 1:
        raise DataError(
            f"{name!r} in {source} has rows of shape {list(labels.shape[1:])}, a label is one value",
            hint="turn one-hot labels into class numbers, for example with argmax(axis=1)",
        )
    if labels.dtype == object or labels.dtype.kind in "SU":
        return _text_labels(source, name, labels)
    if labels.dtype.kind not in "biuf":
        raise DataError(f"the labels {name!r} in {source} are {labels.dtype}", why="labels are numbers or text")
    bad = ~np.isfinite(labels) if labels.dtype.kind == "f" else np.zeros(labels.shape, bool)
    if bad.any():
        raise DataError(
            f"{int(bad.sum())} of the labels {name!r} in {source} are NaN, missing or infinite",
            why=f"the first is in row {int(np.argwhere(bad)[0][0])} (counted from 0)",
            hint="drop these rows",
        )
    return labels


def _text_labels(source: str, name: str, labels: NDArray[Any]) -> NDArray[Any]:
    texts = [item.decode(errors="replace") if isinstance(item, bytes) else item for item in labels.tolist()]
    wrong = [row for row, item in enumerate(texts) if not isinstance(item, str) or not item]
    if wrong:
        raise DataError(
            f"{len(wrong)} of the labels {name!r} in {source} are empty or not text",
            why=f"the first is in row {wrong[0]} (counted from 0)",
            hint="drop these rows",
        )
    return np.array(texts, dtype=str)
