"""What a model said of each row, and what is known of the rows beside."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import DataError
from modeldyno.quality.bootstrap import Floats
from modeldyno.quality.labels import Array
from modeldyno.quality.scored import Truth
from modeldyno.quality.scores import NO_SCORES, Scores, label_columns
from modeldyno.records.artifact import Task
from modeldyno.records.base import Estimate

MOST_SLICES = 50


class Answers(NamedTuple):
    """Of one model, a row each."""

    values: Array
    """The label or value, shape [rows]; the vector or the tokens, shape [rows, length]."""
    scores: Scores | None = None
    """Of a classifier."""
    why_no_scores: str = NO_SCORES

    def chosen(self, rows: NDArray[np.bool_]) -> "Answers":
        """Of some rows."""
        scores = None if self.scores is None else self.scores._replace(values=self.scores.values[rows])
        return self._replace(values=self.values[rows], scores=scores)

    def followed_by(self, others: "Answers") -> "Answers":
        """These, which are of the first rows, and of those behind them the others."""
        known, scores = len(self.values), self.scores
        if scores is not None and others.scores is not None:
            scores = scores._replace(values=np.concatenate([scores.values, others.scores.values[known:]]))
        return self._replace(values=np.concatenate([self.values, others.values[known:]]), scores=scores)


class Rows(NamedTuple):
    """What answers are held against."""

    labels: Array | None
    digest: str = ""
    """Of inputs and labels."""
    classes: tuple[int | str, ...] = ()
    """Labels in the order of the score columns; empty when unknown."""
    weights: Floats | None = None
    queries: Array | None = None
    """Of a ranking: what each row was found for."""
    slices: Mapping[str, Array] = {}
    """Column to its value in each row."""

    def chosen(self, rows: NDArray[np.bool_]) -> "Rows":
        """Some rows, without their slices."""

        def some(values: Array | None) -> Array | None:
            return None if values is None else values[rows]

        weights = None if self.weights is None else self.weights[rows]
        return self._replace(labels=some(self.labels), weights=weights, queries=some(self.queries), slices={})

    def truth(self, columns: int) -> Truth:
        """The labels as columns of scores.

        Raises:
            DataError: which score belongs to which label is not known, or there are others than classes.
        """
        if self.labels is None:
            raise DataError("scores cannot be judged without labels")
        if self.classes and len(self.classes) != columns:
            raise DataError(f"the model gives {columns} scores a row and has {len(self.classes)} classes")
        names = tuple(str(name) for name in (self.classes or range(columns)))
        weights = np.ones(len(self.labels)) if self.weights is None else self.weights
        return Truth(label_columns(self.labels, self.classes, columns), weights, names)


def known_task(task: Task, answers: Array) -> Task:
    """The task; one that is unknown is told by the answers: floats are values, all else is labels."""
    if task != "unknown":
        return task
    return "regression" if answers.dtype.kind == "f" else "classification"


def of_its_classes(found: Mapping[str, Estimate], answers: Answers, rows: Rows) -> dict[str, Estimate]:
    """Metrics of labels without those of two classes, where the model tells more apart and these rows show but two."""
    many = max(len(rows.classes), 0 if answers.scores is None else answers.scores.values.shape[1]) > 2
    return {name: one for name, one in found.items() if not (many and name.endswith("_binary"))}


def require_weight(rows: Rows) -> None:
    """Raise a DataError when no row counts."""
    if rows.weights is not None and not rows.weights.any():
        raise DataError("all rows have the weight 0")


def slices_of(rows: Rows) -> list[tuple[str, NDArray[np.bool_]]]:
    """Each slice's name, `column=value`, and which rows are in it.

    Numbers of more than ten distinct values are cut in four parts of equal numbers of rows.

    Raises:
        DataError: a column of texts with more than 50 distinct values, each with hardly a row.
    """
    found: list[tuple[str, NDArray[np.bool_]]] = []
    for column, values in rows.slices.items():
        distinct = np.unique(values.astype(str) if values.dtype == object else values)
        if values.dtype.kind in "iuf" and len(distinct) > 10:
            found += _quarters(column, values.astype(np.float64))
            continue
        if len(distinct) > MOST_SLICES:
            raise DataError(
                f"the column {column!r} has {len(distinct):,} distinct values, and each would be a slice",
                why=f"no more than {MOST_SLICES} are told apart",
                hint="slice by a column with fewer",
            )
        plain = values.astype(str) if values.dtype == object else values
        found += [(f"{column}={value}", np.asarray(plain == value, np.bool_)) for value in distinct.tolist()]
    return found


def _quarters(column: str, values: Floats) -> Sequence[tuple[str, NDArray[np.bool_]]]:
    known = values[np.isfinite(values)]
    edges = np.unique(np.quantile(known, (0, 0.25, 0.5, 0.75, 1)))
    found = []
    for number, (low, high) in enumerate(pairwise(edges)):
        is_last = number == len(edges) - 2
        inside = (values >= low) & ((values <= high) if is_last else (values < high))
        found.append((f"{column}={low:.4g}..{high:.4g}", inside))
    missing = ~np.isfinite(values)
    return [*found, (f"{column}=missing", missing)] if missing.any() else found
