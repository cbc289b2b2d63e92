"""How sure a classifier is: one score for each class and row, and whether they are probabilities."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import DataError
from modeldyno.protocols import Tensors
from modeldyno.quality.answers import pick_positives, pick_score_matrix
from modeldyno.quality.labels import Array, plain_labels
from modeldyno.records.signature import Signature

_LOGIT_NAMES = ("logit", "decision")
_SLACK = 1e-3
"""Probabilities in half precision stray from 0 to 1 by no more."""
_SUM_SLACK = 2e-2
NO_SCORES = "the model gives labels only, no scores"


class Scores(NamedTuple):
    """What a model gives for each class."""

    values: NDArray[np.float64]
    """Shape [rows, classes]; with one score a row there are two columns."""
    is_probability: bool
    note: str = ""
    """What was done to them, in words."""


def scores_from(outputs: Tensors, signature: Signature) -> tuple[NDArray[np.float64], str] | None:
    """The scores of each class as they come, and the name of their output; None when there are none.

    The rules are those of `answers_from`: a float output [N, C], else one score a row for the second of two classes,
    which is given the shape [N, 1].

    Raises:
        DataError: several outputs could be the scores.
    """
    found = pick_score_matrix(outputs, signature) or pick_positives(outputs, signature)
    if found is None:
        return None
    name, array = found
    return array.astype(np.float64).reshape(len(array), -1), name


def scores_of(values: NDArray[np.float64], name: str) -> Scores:
    """Scores of all rows, as probabilities if they are, or can be made so: logits are by softmax or sigmoid.

    Args:
        values: shape [rows, classes], or [rows, 1] of the second of two classes.
        name: of the output they come from; it tells logits.
    """
    is_logit = any(word in name.lower() for word in _LOGIT_NAMES)
    if values.shape[1] == 1:
        return _of_one_column(values[:, 0], name, is_logit=is_logit)
    if is_logit:
        raised = np.exp(values - values.max(axis=1, keepdims=True))
        return Scores(raised / raised.sum(axis=1, keepdims=True), is_probability=True, note=f"softmax over {name!r}")
    sums = values.sum(axis=1)
    is_probability = bool(
        values.min() >= -_SLACK and values.max() <= 1 + _SLACK and np.abs(sums - 1).max() <= _SUM_SLACK
    )
    if not is_probability:
        return Scores(values, is_probability=False)
    clipped = np.clip(values, 0, 1)
    return Scores(clipped / clipped.sum(axis=1, keepdims=True), is_probability=True)


def _of_one_column(column: NDArray[np.float64], name: str, *, is_logit: bool) -> Scores:
    if is_logit:
        with np.errstate(over="ignore"):
            positive = 1 / (1 + np.exp(-column))
        return Scores(np.column_stack([1 - positive, positive]), is_probability=True, note=f"sigmoid over {name!r}")
    return Scores(np.column_stack([1 - column, column]), is_probability=True)


def label_columns(labels: Array, classes: Sequence[int | str], columns: int) -> NDArray[np.int64]:
    """Which column of scores each label has; -1 for a label that the model cannot answer.

    Args:
        labels: one a row.
        classes: labels in the order of the columns; empty when unknown, then the column's number is the label.
        columns: how many there are.

    Raises:
        DataError: labels are text, and which column is which is not known.
    """
    truth = plain_labels(labels)
    if not len(classes):
        if truth.dtype.kind == "U":
            raise DataError("which score belongs to which label is not known: labels are text, the model names none")
        numbers = truth.astype(np.int64)
        return np.where((numbers >= 0) & (numbers < columns), numbers, -1)
    names = plain_labels(np.asarray(classes), "the model's classes")
    if (names.dtype.kind == "U") != (truth.dtype.kind == "U"):
        raise DataError("labels and the model's classes are of different types: one is text, the other numbers")
    order = np.argsort(names)
    places = np.minimum(np.searchsorted(names, truth, sorter=order), len(names) - 1)
    found = order[places]
    return np.where(names[found] == truth, found, -1).astype(np.int64)
