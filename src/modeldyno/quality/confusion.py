"""Classification metrics from counts, for thousands of resampled tables at once.

Point values come from scikit-learn; these are its definitions (zero where a denominator is zero, averages over the
classes that occur in truth or answers) written for arrays of tables, and a test holds them to scikit-learn's.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modeldyno.records.base import Estimate

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

RESAMPLES = 2000
_CHUNK_CELLS = 4_000_000
"""Counts held at once, 8 bytes each."""


def class_metrics(right: Floats, truths: Floats, answers: Floats, *, binary: bool) -> dict[str, Floats]:
    """Metrics of tables given as counts by class.

    Args:
        right: rows of a class that were answered with it, shape [tables, classes].
        truths: rows of a class, same shape.
        answers: answers with a class, same shape.
        binary: also the `_binary` metrics, of the second of two classes.

    Returns:
        Metric name to its value for each table, shape [tables].
    """
    total, hits = truths.sum(axis=1), right.sum(axis=1)
    accuracy = _share(hits, total)
    precision, recall, f1 = _share(right, answers), _share(right, truths), _share(2 * right, truths + answers)
    occurs = (truths + answers) > 0
    metrics = {"accuracy": accuracy}
    for name, values in (("precision", precision), ("recall", recall), ("f1", f1)):
        metrics[f"{name}_macro"] = _share((values * occurs).sum(axis=1), occurs.sum(axis=1).astype(np.float64))
        # With one answer a row, all three micro averages are the accuracy.
        metrics[f"{name}_micro"] = accuracy
        metrics[f"{name}_weighted"] = _share((values * truths).sum(axis=1), total)
        if binary:
            metrics[f"{name}_binary"] = values[:, 1]
    return metrics


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


def spread_estimate(value: float, *samples: Floats) -> Estimate:
    """A value with the hull of the 95 % percentile intervals of one or more resamplings."""
    lows, highs = zip(*(np.quantile(sample, (0.025, 0.975)).tolist() for sample in samples), strict=True)
    return Estimate(value=value, low=min(value, *lows), high=max(value, *highs))


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part, np.float64), where=whole > 0)
