"""Classification metrics from counts, for thousands of resampled tables at once.

Point values come from scikit-learn; these are its definitions (zero where a denominator is zero, averages over the
classes that occur in truth or answers) written for arrays of tables, and a test holds them to scikit-learn's.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.quality.bootstrap import RESAMPLES, draw_counts, unit_starts
from modeldyno.records.metrics import BETAS

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_CHUNK_CELLS = 4_000_000
"""Counts held at once, 8 bytes each."""


class Counts(NamedTuple):
    """Rows (or their weights) by class, each of shape [tables, classes]."""

    right: Floats
    """Rows of a class that were answered with it."""
    truths: Floats
    """Rows of a class."""
    answers: Floats
    """Answers with a class."""


def class_metrics(counts: Counts, *, binary: bool, betas: Sequence[float] = BETAS) -> dict[str, Floats]:
    """Metrics of tables given as counts by class.

    Args:
        counts: of each table.
        binary: also the `_binary` metrics, of the second of two classes.
        betas: of F-beta.

    Returns:
        Metric name to its value for each table, shape [tables].
    """
    right, truths, answers = counts
    total, hits = truths.sum(axis=1), right.sum(axis=1)
    accuracy = _share(hits, total)
    occurs = (truths + answers) > 0
    metrics = {
        "accuracy": accuracy,
        "balanced_accuracy": _share(_share(right, truths).sum(axis=1), _numbers(truths > 0)),
        "mcc": _correlation(counts),
    }
    for name, values in by_class(counts, betas).items():
        metrics[f"{name}_macro"] = _share((values * occurs).sum(axis=1), _numbers(occurs))
        # With one answer a row, precision, recall and so every F-beta are the accuracy.
        metrics[f"{name}_micro"] = accuracy
        metrics[f"{name}_weighted"] = _share((values * truths).sum(axis=1), total)
        if binary:
            metrics[f"{name}_binary"] = values[:, 1]
    return metrics


def by_class(counts: Counts, betas: Sequence[float] = BETAS) -> dict[str, Floats]:
    """Precision, recall and F-beta of each class, each of shape [tables, classes]."""
    right, truths, answers = counts
    found = {"precision": _share(right, answers), "recall": _share(right, truths)}
    for beta in betas:
        found[f"f{beta:g}"] = _share((1 + beta**2) * right, beta**2 * truths + answers)
    return found


def _correlation(counts: Counts) -> Floats:
    """The correlation of Matthews for any number of classes: Gorodkin (2004), Comp. Biol. Chem. 28(5)."""
    right, truths, answers = counts
    total = truths.sum(axis=1)
    both = total * right.sum(axis=1) - (truths * answers).sum(axis=1)
    spreads = (total**2 - (answers**2).sum(axis=1)) * (total**2 - (truths**2).sum(axis=1))
    return _share(both, np.sqrt(np.maximum(spreads, 0)))


def _numbers(flags: NDArray[np.bool_]) -> Floats:
    return np.asarray(flags.sum(axis=1), np.float64)


def resample_counts(weights: Floats, rows: int, generator: np.random.Generator, memberships: "list[csr_array]",
                    ) -> list[Floats]:  # fmt: skip
    """Draw tables of `rows` rows from the cells' weights, and count them by class.

    Multinomial counts of cells are the same as drawing rows with replacement, and need no rows.

    Args:
        weights: how likely each cell is, not normalised, shape [cells].
        rows: in each table.
        generator: seeded by the caller.
        memberships: for each wanted count, which cells count for which class, shape [cells, classes].

    Returns:
        One array [RESAMPLES, classes] for each membership.
    """
    chunk = max(1, min(RESAMPLES, _CHUNK_CELLS // len(weights)))
    parts: list[list[Floats]] = [[] for _ in memberships]
    for start in range(0, RESAMPLES, chunk):
        drawn = generator.multinomial(rows, weights / weights.sum(), size=min(chunk, RESAMPLES - start))
        for part, membership in zip(parts, memberships, strict=True):
            part.append(np.asarray(drawn @ membership, np.float64))
    return [np.concatenate(part) for part in parts]


def membership(codes: Codes, counted: NDArray[np.bool_], classes: int) -> "csr_array":
    """The matrix [cells, classes] with a one where a cell is counted for its class."""
    from scipy.sparse import csr_array

    cells = np.flatnonzero(counted)
    return csr_array((np.ones(len(cells)), (cells, codes[cells])), shape=(len(codes), classes))


def resample_rows(memberships: "list[csr_array]", generator: np.random.Generator) -> list[Floats]:
    """As `resample_counts`, of rows that count by weights: units are drawn, each as likely as any other."""
    units = memberships[0].shape[0]
    chunk = max(1, _CHUNK_CELLS // units)
    parts: list[list[Floats]] = [[] for _ in memberships]
    for start in range(0, RESAMPLES, chunk):
        drawn = draw_counts(units, min(chunk, RESAMPLES - start), generator)
        for part, membership in zip(parts, memberships, strict=True):
            part.append(np.asarray(drawn @ membership, np.float64))
    return [np.concatenate(part) for part in parts]


def weighted_membership(codes: Codes, counted: NDArray[np.bool_], classes: int, weights: Floats) -> "csr_array":
    """The matrix [units, classes] of the weights of the rows that are counted for their class."""
    from scipy.sparse import csr_array

    starts = unit_starts(len(codes))
    unit_of_row = np.searchsorted(starts, np.arange(len(codes)), "right") - 1
    chosen = (unit_of_row[counted], codes[counted])
    return csr_array((weights[counted], chosen), shape=(len(starts), classes))


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part, np.float64), where=whole > 0)
