"""Areas under the ROC and the precision-recall curve, their intervals, and the change of an area.

Both areas are functions of how much each row counts. Their derivative by the count of a row is that row's influence,
and the sum of the squared influences is the variance: for the ROC this is the estimate of DeLong, DeLong and
Clarke-Pearson (1988), Biometrics 44(3). It costs one sort, where a bootstrap would cost thousands of passes over the
rows.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.quality.proportions import Z, effective_rows, wilson
from modeldyno.records.base import Estimate

Floats = NDArray[np.float64]


class Area(NamedTuple):
    """One area."""

    value: float
    influence: Floats
    """Of each row."""
    most_rows: float
    """Rows that a share of this value would at most need for so little spread; bounds what few rows can promise."""


class _Levels(NamedTuple):
    """Weights of positives and negatives at each distinct score, the lowest first."""

    of_row: NDArray[np.intp]
    positives: Floats
    negatives: Floats


def roc_auc(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> Area:
    """The probability that a positive row scores above a negative one, ties counting half.

    Args:
        scores: one a row.
        positive: which rows are; there must be some of both.
        weights: one a row.
    """
    from sklearn.metrics import roc_auc_score

    levels = _levels(scores, positive, weights)
    positives, negatives = levels.positives.sum(), levels.negatives.sum()
    beaten = (np.cumsum(levels.negatives) - levels.negatives / 2) / negatives
    beating = 1 - (np.cumsum(levels.positives) - levels.positives / 2) / positives
    value = _rounded(roc_auc_score(positive, scores, sample_weight=weights))
    own = np.where(positive, (beaten[levels.of_row] - value) / positives, (beating[levels.of_row] - value) / negatives)
    return Area(value, weights * own, _most_rows(value, *_counts(positive, weights)))


def average_precision(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> Area:
    """The area under the precision-recall curve as steps, without interpolation; arguments as in `roc_auc`."""
    from sklearn.metrics import average_precision_score

    levels = _levels(scores, positive, weights)
    positives = levels.positives.sum()
    above = _from_top(levels.positives)
    total = _from_top(levels.positives + levels.negatives)
    value = _rounded(average_precision_score(positive, scores, sample_weight=weights))
    share = np.divide(above, total, out=np.zeros_like(total), where=total > 0)
    inverse = np.divide(levels.positives, total, out=np.zeros_like(total), where=total > 0)
    gain, loss = np.cumsum(inverse), np.cumsum(inverse * share)
    row = levels.of_row
    own = (positive * (share[row] + gain[row] - value) - loss[row]) / positives
    # Few positives promise no more than a share of so many: Boyd, Eng and Page (2013), "Area under the
    # precision-recall curve", ECML PKDD.
    return Area(value, weights * own, _counts(positive, weights)[0])


def mean_area(areas: Sequence[Area], shares: Sequence[float]) -> Area:
    """The mean of the areas of several classes; `shares` add up to one."""
    value = _rounded(sum(share * one.value for one, share in zip(areas, shares, strict=True)))
    influence = np.sum([share * one.influence for one, share in zip(areas, shares, strict=True)], axis=0)
    spread = sum(share**2 / one.most_rows for one, share in zip(areas, shares, strict=True))
    return Area(value, influence, min(1 / spread, float(len(influence))))


def area_estimate(area: Area) -> Estimate:
    """An area with Wilson's interval of a share that has the same variance; never empty at 1."""
    variance = float((area.influence**2).sum())
    spread = area.value * (1 - area.value)
    rows = min(area.most_rows, spread / variance) if variance > 0 and spread > 0 else area.most_rows
    interval = wilson(area.value * rows, rows)
    ends = (interval.low, interval.high)
    low, high = (None if end is None else _rounded(end) for end in ends)
    return Estimate(value=area.value, low=low, high=high)


def _rounded(value: float) -> float:
    """Without what sums of weights leave of rounding: an area of 1 is 1."""
    return round(float(value), 12)


def area_drop(before: Area, after: Area) -> Estimate:
    """How much smaller an area became, on the same rows.

    To the paired variance is added what rows alike in both cannot exclude: z² / (rows + z²), the bound of Tango's
    interval without any discordant row.
    """
    rows = len(before.influence)
    paired = Z**2 * float(((before.influence - after.influence) ** 2).sum())
    half = math.sqrt(paired + (Z**2 / (rows + Z**2)) ** 2)
    value = before.value - after.value
    return Estimate(value=value, low=max(-1.0, value - half), high=min(1.0, value + half))


def _levels(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> _Levels:
    _, of_row = np.unique(scores, return_inverse=True)
    count = int(of_row.max()) + 1
    positives = np.bincount(of_row, weights * positive, count).astype(np.float64)
    negatives = np.bincount(of_row, weights * ~positive, count)
    return _Levels(of_row, positives, negatives.astype(np.float64))


def _from_top(values: Floats) -> Floats:
    return np.cumsum(values[::-1])[::-1]


def _counts(positive: NDArray[np.bool_], weights: Floats) -> tuple[float, float]:
    return effective_rows(weights[positive]), effective_rows(weights[~positive])


def _most_rows(value: float, positives: float, negatives: float) -> float:
    """The rows of a share whose interval is that of Newcombe (2006), Statistics in Medicine 25(4), method 5."""
    middle = (positives + negatives) / 2 - 1
    factor = 1 + middle * ((1 - value) / (2 - value) + value / (1 + value))
    return positives * negatives / factor
