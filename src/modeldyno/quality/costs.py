"""What wrong answers cost, where one kind of error is worse than the other."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.quality.asked import Costs
from modeldyno.quality.bootstrap import Floats, bounded_mean
from modeldyno.quality.labels import Array, match_labels
from modeldyno.records.base import Estimate


class Threshold(NamedTuple):
    """Where to say yes, so that errors cost the least."""

    probability: float
    cost: float
    """Of a row on the average, with it."""
    usual_cost: float
    """The same with a half."""


def cost_estimate(answers: Array, labels: Array, costs: Costs, weights: Floats | None) -> Estimate | None:
    """The mean cost of a row, the second of two classes being the positive; None unless there are two."""
    found = row_costs(answers, labels, costs)
    if found is None:
        return None
    estimate = bounded_mean(found, weights, span=max(costs))
    if estimate.low is None or estimate.high is None:
        return estimate
    return Estimate(value=estimate.value, low=max(0.0, estimate.low), high=min(max(costs), estimate.high))


def row_costs(answers: Array, labels: Array, costs: Costs) -> Floats | None:
    """What each answer costs; None unless there are two classes."""
    given, truth, classes = match_labels(answers, labels)
    if len(classes) != 2:
        return None
    return np.where(given == truth, 0.0, np.where(given == 1, costs.false_positive, costs.false_negative))


def best_threshold(positive: Floats, truth: NDArray[np.bool_], costs: Costs, weights: Floats) -> Threshold:
    """The threshold that theory gives for calibrated probabilities: Elkan (2001), IJCAI, "The foundations of
    cost-sensitive learning".

    Args:
        positive: probability of the second class.
        truth: whether it is that class.
        costs: of the two errors.
        weights: one a row.
    """  # noqa: D205 - one sentence
    probability = costs.false_positive / (costs.false_positive + costs.false_negative)

    def cost(threshold: float) -> float:
        says_yes = positive >= threshold
        own = np.where(says_yes & ~truth, costs.false_positive, np.where(~says_yes & truth, costs.false_negative, 0.0))
        return float(np.average(own, weights=weights))

    return Threshold(probability, cost(probability), cost(0.5))
