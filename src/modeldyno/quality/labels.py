"""Labels of any dtype as plain integers or texts, so that answers and truth can be compared honestly."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import DataError

Array = NDArray[np.generic]


def plain_labels(values: Array, what: str = "labels") -> Array:
    """One-dimensional labels as int64 or str: whole floats and bools become integers, bytes become text.

    Args:
        values: one label a row.
        what: whose labels they are, for the message.

    Raises:
        DataError: for labels that are missing, not whole, of mixed types, or not one a row.
    """
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(
            f"{what} have the shape {array.shape}, and one label a row is needed",
            hint="for one-hot labels, save their argmax along the last axis",
        )
    if array.dtype.kind in "biu":
        return array.astype(np.int64)
    if array.dtype.kind == "f":
        return _whole(array, what)
    if array.dtype.kind == "S":
        return np.char.decode(array.astype(np.bytes_), "utf-8")
    if array.dtype.kind == "U":
        return array
    if array.dtype.kind == "O":
        return _plain_objects(array, what)
    raise DataError(f"{what} of dtype {array.dtype} are no class labels", hint="give integers or text")


def match_labels(answers: Array, labels: Array) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Answers and labels as codes into one sorted array of classes: (answer codes, label codes, classes).

    Raises:
        DataError: when their numbers or their types differ: "1" is not 1.
    """
    given, truth = plain_labels(answers, "the model's answers"), plain_labels(labels)
    require_same_rows(given, truth)
    if (given.dtype.kind == "U") != (truth.dtype.kind == "U"):
        shown = (given[:1].tolist() or ["?"])[0], (truth[:1].tolist() or ["?"])[0]
        raise DataError(
            f"the model answers {shown[0]!r} and the labels say {shown[1]!r}: one is text, the other a number",
            why="they can never be equal, so every answer would count as wrong",
            hint="convert the label column to the type of the model's classes",
        )
    classes, codes = np.unique(np.concatenate([given, truth]), return_inverse=True)
    codes = codes.astype(np.int64)
    return codes[: len(given)], codes[len(given) :], classes


def require_same_rows(answers: Array, labels: Array) -> None:
    """Raise a DataError unless there is one label for every answer, and at least one."""
    if len(answers) != len(labels):
        raise DataError(
            f"{len(answers):,} answers cannot be compared with {len(labels):,} labels",
            hint="give one label for every row",
        )
    if not len(answers):
        raise DataError("there are no rows to judge", hint="give data with at least one row")


def note_unseen_labels(labels: Array, classes: Sequence[int | str]) -> str | None:
    """A sentence on labels that the model was never trained to answer, or None; they count as wrong answers."""
    if not classes:
        return None
    known = set(plain_labels(np.asarray(classes)).tolist())
    found, counts = np.unique(plain_labels(labels), return_counts=True)
    unseen = [
        (label, count) for label, count in zip(found.tolist(), counts.tolist(), strict=True) if label not in known
    ]
    if not unseen:
        return None
    shown = ", ".join(repr(label) for label, _ in unseen[:5]) + (", ..." if len(unseen) > 5 else "")
    rows = sum(count for _, count in unseen)
    return f"{rows:,} of {len(labels):,} rows have a label that the model cannot answer ({shown}); they count as wrong"


def _whole(array: Array, what: str) -> NDArray[np.int64]:
    numbers = array.astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(numbers) | (numbers != np.round(numbers)))
    if wrong.size:
        raise DataError(
            f"{what}: row {wrong[0]} holds {numbers[wrong[0]]}, which is no class",
            why="classes are integers or text; NaN usually means a missing label",
            hint="drop the rows without a label, or use a regression metric such as mae",
        )
    return numbers.astype(np.int64)


def _plain_objects(array: Array, what: str) -> Array:
    items = [item.decode() if isinstance(item, bytes) else item for item in array.tolist()]
    if all(isinstance(item, str) for item in items):
        return np.asarray(items, np.str_)
    if all(isinstance(item, int | float | np.number | np.bool_) for item in items):
        return _whole(np.asarray(items, np.float64), what)
    kinds = sorted({type(item).__name__ for item in items})
    raise DataError(
        f"{what} mix values of the types {', '.join(kinds)}",
        hint="make them all integers or all text, and drop the rows without a label",
    )
