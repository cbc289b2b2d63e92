"""Quality of scores: areas under curves, top-k accuracy, and of probabilities also log loss and calibration."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.quality.asked import Asked
from modeldyno.quality.bootstrap import Floats
from modeldyno.quality.probabilities import assess_probabilities, compare_probabilities
from modeldyno.quality.proportions import effective_rows, paired_difference, wilson
from modeldyno.quality.ranks import Area, area_drop, area_estimate, average_precision, mean_area, roc_auc
from modeldyno.quality.scores import Scores
from modeldyno.records.base import Estimate
from modeldyno.seeds import child_generator

PROBABILITY_METRICS = ("log_loss", "brier", "calibration_error")
AREA_METRICS = ("roc_auc", "pr_auc")
_MOST_RANKED = 20_000_000
"""Scores that are sorted: more take minutes."""


class Truth(NamedTuple):
    """What scores are held against."""

    columns: NDArray[np.int64]
    """Of the right class, for each row; -1 when the model cannot answer it."""
    weights: Floats
    names: tuple[str, ...]
    """Of the classes, in the order of the columns."""


class ScoreQuality(NamedTuple):
    """Of all classes together, and of each against the others."""

    metrics: dict[str, Estimate]
    classes: dict[str, dict[str, Estimate]]
    omitted: dict[str, str]


def assess_scores(scores: Scores, truth: Truth, asked: Asked, *, seed: int) -> ScoreQuality:
    """Every metric that the scores allow, each with its 95 % interval; what they do not allow, with the reason."""
    values, columns, weights, _ = scores.values, *truth
    omitted = _omitted(scores, truth)
    metrics: dict[str, Estimate] = {}
    classes: dict[str, dict[str, Estimate]] = {}
    if "roc_auc" not in omitted:
        areas = _areas(values, truth)
        metrics = {name: area_estimate(area) for name, area in _together(areas, truth)}
        classes = {name: dict(zip(AREA_METRICS, map(area_estimate, pair), strict=True)) for name, pair in areas.items()}
    rows = effective_rows(weights)
    for top, hits in _top_hits(values, columns, asked.tops):
        share = wilson(float(np.average(hits, weights=weights)) * rows, rows)
        metrics[f"top{top}_accuracy"] = share
    if scores.is_probability:
        generator = child_generator(seed, "quality of probabilities")
        metrics |= assess_probabilities(values, columns, weights, generator)
    return ScoreQuality(metrics, classes, omitted)


def compare_scores(
    before: Scores, after: Scores, truth: Truth, asked: Asked, *, seed: int
) -> tuple[dict[str, Estimate], dict[str, dict[str, Estimate]]]:
    """How much worse each metric became from one set of scores to another, of all classes and of each alone.

    Only what both allow is told; scores of different numbers of classes have nothing in common.
    """
    if before.values.shape != after.values.shape:
        return {}, {}
    drops: dict[str, Estimate] = {}
    classes: dict[str, dict[str, Estimate]] = {}
    if "roc_auc" not in _omitted(before, truth):
        old, new = _areas(before.values, truth), _areas(after.values, truth)
        both = zip(_together(old, truth), _together(new, truth), strict=True)
        drops = {name: area_drop(was, now) for (name, was), (_, now) in both}
        classes = {
            name: {kind: area_drop(was, now) for kind, was, now in zip(AREA_METRICS, old[name], new[name], strict=True)}
            for name in old
        }
    drops |= _top_drops(before, after, truth, asked)
    if before.is_probability and after.is_probability:
        generator = child_generator(seed, "change of probabilities")
        drops |= compare_probabilities(before.values, after.values, truth.columns, truth.weights, generator)
    return drops, classes


def _omitted(scores: Scores, truth: Truth) -> dict[str, str]:
    values, (columns, weights, names) = scores.values, truth
    omitted: dict[str, str] = {}
    occurring = np.unique(columns[weights > 0])
    if len(occurring) < 2:
        only = names[occurring[0]] if len(occurring) and occurring[0] >= 0 else "unknown"
        omitted |= dict.fromkeys(AREA_METRICS, f"all labels are {only}: there is nothing to tell apart")
    elif values.size > _MOST_RANKED:
        omitted |= dict.fromkeys(AREA_METRICS, f"{values.size:,} scores are too many to sort")
    if not scores.is_probability:
        sums = values.sum(axis=1)
        why = f"the scores are no probabilities: those of a row add up to {sums.min():.3g} to {sums.max():.3g}"
        omitted |= dict.fromkeys(PROBABILITY_METRICS, why)
    elif (columns < 0).any():
        unknown = int((columns < 0).sum())
        why = f"{unknown:,} rows have a label that the model gives no probability"
        omitted |= dict.fromkeys(("log_loss", "brier"), why)
    return omitted


def _areas(values: Floats, truth: Truth) -> dict[str, tuple[Area, Area]]:
    """Of each class that some rows have and some do not."""
    found = {}
    for number, name in enumerate(truth.names):
        positive = truth.columns == number
        if truth.weights[positive].any() and truth.weights[~positive].any():
            column = values[:, number]
            found[name] = (
                roc_auc(column, positive, truth.weights),
                average_precision(column, positive, truth.weights),
            )
    return found


def _together(areas: dict[str, tuple[Area, Area]], truth: Truth) -> Iterator[tuple[str, Area]]:
    """Of two classes the area of the second; of more the plain mean, and that weighted by the rows of each class."""
    if len(truth.names) == 2:
        second = areas.get(truth.names[1]) or areas[truth.names[0]]
        yield from zip(AREA_METRICS, second, strict=True)
        return
    rows = np.bincount(truth.columns[truth.columns >= 0], truth.weights[truth.columns >= 0], len(truth.names))
    support = np.array([rows[truth.names.index(name)] for name in areas])
    for place, kind in enumerate(AREA_METRICS):
        own = [pair[place] for pair in areas.values()]
        yield f"{kind}_macro", mean_area(own, [1 / len(own)] * len(own))
        yield f"{kind}_weighted", mean_area(own, (support / support.sum()).tolist())


def _top_hits(
    values: Floats, columns: NDArray[np.int64], tops: Sequence[int]
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Whether the right class is among the `top` highest; of equal scores the later column is the higher."""
    known = np.maximum(columns, 0)
    own = values[np.arange(len(values)), known][:, None]
    later = np.arange(values.shape[1]) > known[:, None]
    place = (values > own).sum(axis=1) + ((values == own) & later).sum(axis=1)
    for top in tops:
        if 1 <= top < values.shape[1]:
            yield top, (place < top) & (columns >= 0)


def _top_drops(before: Scores, after: Scores, truth: Truth, asked: Asked) -> dict[str, Estimate]:
    rows = effective_rows(truth.weights)
    scale = rows / float(truth.weights.sum())
    both = zip(
        _top_hits(before.values, truth.columns, asked.tops),
        _top_hits(after.values, truth.columns, asked.tops),
        strict=True,
    )
    found = {}
    for (top, old), (_, new) in both:
        worse, better = (float(truth.weights[one].sum()) * scale for one in (old & ~new, ~old & new))
        found[f"top{top}_accuracy"] = paired_difference(worse, better, rows)
    return found
