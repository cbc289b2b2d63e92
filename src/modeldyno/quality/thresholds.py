"""At which confidence a cascade passes rows on: the thresholds worth trying, and what each would do."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.quality.labels import Array, match_labels
from modeldyno.quality.proportions import paired_difference, wilson
from modeldyno.records.base import Estimate

_SHARES = (
    *(percent / 100 for percent in range(95, 10, -5)), 0.1, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02, 0.015, 0.01, 0.005, 0.0,
)  # fmt: skip
"""Of rows passed on: close together where cascades are worth having."""


def thresholds_to_try(confidence: NDArray[np.float64]) -> list[float]:
    """Thresholds that pass about so many of the rows on, the highest first.

    They are chosen without the labels, and lie half-way between the confidences of two rows, so that another order of
    summation decides no row otherwise.

    Args:
        confidence: of each row; those with NaN always go on.
    """
    known = np.sort(confidence[np.isfinite(confidence)])
    found: dict[int, float] = {}
    for share in _SHARES:
        if not len(known):
            break
        wanted = min(len(known) - 1, round(share * len(known)))
        below = int(np.searchsorted(known, known[wanted], "left"))
        found[below] = float((known[below - 1] + known[below]) / 2) if below else min(0.0, float(known[0]))
    return [found[below] for below in sorted(found, reverse=True)]


class Outcome(NamedTuple):
    """A cascade of two at one threshold."""

    passed_on: Estimate
    accuracy: Estimate
    drop: Estimate
    """From the second model to the cascade."""


def outcome_of(passed_on: NDArray[np.bool_], first: Array, second: Array, labels: Array) -> Outcome:
    """How right a cascade answers that passes these rows on, with 95 % intervals.

    Args:
        passed_on: which rows.
        first: the first model's answer to each row.
        second: the second model's answer to each row.
        labels: of each row.
    """
    rows = len(labels)
    right_first, right_second = _is_right(first, labels), _is_right(second, labels)
    right = np.where(passed_on, right_second, right_first)
    return Outcome(
        wilson(int(passed_on.sum()), rows),
        wilson(int(right.sum()), rows),
        paired_difference(int((right_second & ~right).sum()), int((~right_second & right).sum()), rows),
    )


def _is_right(answers: Array, labels: Array) -> NDArray[np.bool_]:
    given, truth, _ = match_labels(answers, labels)
    return np.asarray(given == truth)


def joined_answers(passed_on: Sequence[NDArray[np.bool_]], answers: Sequence[Array]) -> Array:
    """The answer of a cascade to each row.

    Args:
        passed_on: for each stage but the last, which rows it would pass on.
        answers: of each stage to every row.
    """
    joined = answers[-1]
    for unsure, own in zip(reversed(passed_on), reversed(answers[:-1]), strict=True):
        joined = np.where(unsure, joined, own)
    return joined
