"""Log loss, Brier score and calibration error: whether a model is as sure as it is right."""

import numpy as np
from numpy.typing import NDArray

from modeldyno.quality.bootstrap import Direction, Floats, MetricsOfSums, estimates, worsening
from modeldyno.records.base import Estimate

BINS = 15
"""Of equal numbers of rows, by how sure the model is of its answer; as many as in Guo et al. (2017), ICML."""
_BIASED = frozenset({"calibration_error"})
_SIGNS: dict[str, Direction] = {"log_loss": -1, "brier": -1, "calibration_error": -1}


def assess_probabilities(
    probabilities: Floats, columns: NDArray[np.int64], weights: Floats, generator: np.random.Generator
) -> dict[str, Estimate]:
    """Mean log loss, Brier score and expected calibration error of the answer, with 95 % intervals.

    Args:
        probabilities: shape [rows, classes].
        columns: which one is right; -1 for none, and then there is neither a log loss nor a Brier score.
        weights: one a row.
        generator: seeded by the caller.
    """
    has_losses = bool((columns >= 0).all())
    moments = _moments(probabilities, columns, weights, has_losses=has_losses)
    return estimates(moments, _metrics(has_losses=has_losses), generator, basic=_BIASED)


def compare_probabilities(
    before: Floats, after: Floats, columns: NDArray[np.int64], weights: Floats, generator: np.random.Generator
) -> dict[str, Estimate]:
    """How much each of them rose, row by row; arguments as in `assess_probabilities`."""
    has_losses = bool((columns >= 0).all())
    sides = [_moments(one, columns, weights, has_losses=has_losses) for one in (before, after)]
    changes = worsening(_metrics(has_losses=has_losses), sides[0].shape[1], _SIGNS)
    return estimates(np.hstack(sides), changes, generator)


def confidence_bins(confidence: Floats) -> NDArray[np.intp]:
    """Which bin each row is in, the least sure first."""
    edges = np.quantile(confidence, np.linspace(0, 1, BINS + 1)[1:-1])
    return np.searchsorted(edges, confidence, "right")


def _moments(probabilities: Floats, columns: NDArray[np.int64], weights: Floats, *, has_losses: bool) -> Floats:
    """Weight, over-confidence by bin, and the two losses where every label has a column."""
    rows = np.arange(len(probabilities))
    confidence, answers = probabilities.max(axis=1), probabilities.argmax(axis=1)
    excess = np.zeros((len(rows), BINS))
    excess[rows, confidence_bins(confidence)] = confidence - (answers == columns)
    parts = [np.ones((len(rows), 1)), excess]
    if has_losses:
        right = probabilities[rows, columns]
        parts.append(-np.log(np.clip(right, np.finfo(np.float64).eps, 1))[:, None])
        squares = (probabilities**2).sum(axis=1) - 2 * right + 1
        # Two classes err by the same, and by convention only one of them counts.
        parts.append((squares / 2 if probabilities.shape[1] == 2 else squares)[:, None])
    return np.asarray(np.hstack(parts) * weights[:, None], np.float64)


def _metrics(*, has_losses: bool) -> MetricsOfSums:
    def metrics(sums: Floats) -> dict[str, Floats]:
        rows = np.where(sums[:, 0] > 0, sums[:, 0], 1.0)
        found = {"calibration_error": np.abs(sums[:, 1 : BINS + 1]).sum(axis=1) / rows}
        if has_losses:
            found |= {"log_loss": sums[:, BINS + 1] / rows, "brier": sums[:, BINS + 2] / rows}
        return found

    return metrics
