"""What is drawn of quality: who was taken for whom, curves over all thresholds, and how far sureness can be trusted."""

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import DataError
from modeldyno.quality.bootstrap import Floats
from modeldyno.quality.labels import Array, match_labels
from modeldyno.quality.probabilities import confidence_bins
from modeldyno.quality.proportions import effective_rows, wilson
from modeldyno.quality.rows import Answers, Rows
from modeldyno.quality.scored import Truth
from modeldyno.quality.scores import Scores
from modeldyno.records.base import Estimate
from modeldyno.records.evaluation import Confusion, Curve, Drawings, ReliabilityBin
from modeldyno.records.quality import GroupQuality, Quality

MOST_CLASSES = 40
"""In a confusion matrix that can still be read."""
MOST_CURVES = 6
MOST_POINTS = 120


def drawings_of(answers: Answers, rows: Rows, quality: Quality) -> Drawings:
    """All that can be drawn of answers to labelled rows."""
    if rows.labels is None:
        return Drawings()
    if quality.task == "regression":
        return Drawings(values=values_drawn(answers.values, rows.labels))
    if quality.task != "classification":
        return Drawings()
    confusion = confusion_of(answers.values, rows.labels)
    if answers.scores is None:
        return Drawings(confusion=confusion)
    try:
        truth = rows.truth(answers.scores.values.shape[1])
    except DataError:
        return Drawings(confusion=confusion)  # the quality says why scores are not judged
    roc, precision_recall = curves_of(answers.scores, truth, quality.classes)
    calibration = calibration_of(answers.scores, truth)
    return Drawings(confusion=confusion, roc=roc, precision_recall=precision_recall, calibration=calibration)


def confusion_of(answers: Array, labels: Array) -> Confusion | None:
    """Rows by label and answer; None with more classes than can be drawn."""
    given, truth, classes = match_labels(answers, labels)
    count = len(classes)
    if count > MOST_CLASSES:
        return None
    table = np.bincount(truth * count + given, minlength=count * count).reshape(count, count)
    return Confusion(classes=tuple(map(str, classes.tolist())), counts=tuple(map(tuple, table.tolist())))


def curves_of(
    scores: Scores, truth: Truth, classes: tuple[GroupQuality, ...]
) -> tuple[tuple[Curve, ...], tuple[Curve, ...]]:
    """The ROC and the precision-recall curves: of two classes the second, of more the hardest to tell.

    Args:
        scores: of each class.
        truth: which is right.
        classes: quality of each, with its areas.
    """
    areas = {one.name: one.metrics for one in classes if {"roc_auc", "pr_auc"} <= set(one.metrics)}
    names = [name for name in truth.names if name in areas]
    if len(truth.names) == 2:
        names = names[-1:]
    names = sorted(names, key=lambda name: areas[name]["roc_auc"].value)[:MOST_CURVES]
    roc, precision_recall = [], []
    for name in names:
        number = truth.names.index(name)
        positive = truth.columns == number
        across, up, precision = _rates(scores.values[:, number], positive, truth.weights)
        roc.append(Curve(name=name, area=areas[name]["roc_auc"], points=_thinned(across, up)))
        precision_recall.append(Curve(name=name, area=areas[name]["pr_auc"], points=_thinned(up, precision)))
    return tuple(roc), tuple(precision_recall)


def calibration_of(scores: Scores, truth: Truth) -> tuple[ReliabilityBin, ...]:
    """How often the answer is right where the model is about equally sure; of probabilities only."""
    if not scores.is_probability:
        return ()
    confidence = scores.values.max(axis=1)
    right = scores.values.argmax(axis=1) == truth.columns
    bins = confidence_bins(confidence)
    found = []
    for number in np.unique(bins):
        inside = bins == number
        weights = truth.weights[inside]
        if not weights.any():
            continue
        rows, share = effective_rows(weights), float(np.average(right[inside], weights=weights))
        interval = wilson(share * rows, rows)
        found.append(
            ReliabilityBin(
                rows=int(inside.sum()),
                confidence=float(np.average(confidence[inside], weights=weights)),
                right=Estimate(value=share, low=interval.low, high=interval.high),
            )
        )
    return tuple(found)


def values_drawn(answers: Array, labels: Array) -> tuple[tuple[float, float], ...]:
    """Label and answer of a regression's rows, evenly taken where there are many."""
    rows = np.unique(np.linspace(0, len(labels) - 1, min(len(labels), 400)).astype(np.intp))
    truth, given = labels[rows].astype(np.float64), answers[rows].astype(np.float64).reshape(len(rows))
    return tuple(zip(truth.tolist(), given.tolist(), strict=True))


def _rates(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> tuple[Floats, Floats, Floats]:
    """False positive rate, recall and precision from the highest threshold down."""
    levels, of_row = np.unique(-scores, return_inverse=True)
    hits = np.cumsum(np.bincount(of_row, weights * positive, len(levels)))
    misses = np.cumsum(np.bincount(of_row, weights * ~positive, len(levels)))
    across = np.concatenate([[0.0], misses / misses[-1]])
    up = np.concatenate([[0.0], hits / hits[-1]])
    total = hits + misses
    precision = np.divide(hits, total, out=np.ones_like(total), where=total > 0)
    return across, up, np.concatenate([precision[:1], precision])


def _thinned(across: Floats, up: Floats) -> tuple[tuple[float, float], ...]:
    """Points evenly far apart along the line, both ends kept."""
    way = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(across), np.diff(up)))])
    wanted = np.linspace(0, way[-1], MOST_POINTS)
    kept = np.unique(np.clip(np.searchsorted(way, wanted), 0, len(way) - 1))
    return tuple((round(float(across[one]), 5), round(float(up[one]), 5)) for one in kept)
