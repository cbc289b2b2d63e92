"""Quality of predicted labels, and its change between two sets of answers to the same rows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from modeldyno.quality.bootstrap import spread_estimate
from modeldyno.quality.confusion import Counts, Floats, by_class, class_metrics
from modeldyno.quality.label_rows import LabelRows, pair_rows, resample_one, resample_pairs
from modeldyno.quality.labels import Array, match_labels
from modeldyno.quality.proportions import effective_rows, paired_difference, wilson
from modeldyno.records.base import Estimate
from modeldyno.records.metrics import BETAS
from modeldyno.records.quality import GroupQuality
from modeldyno.seeds import child_generator

_PSEUDO_ERRORS = 2.0
_NEVER = "it was never answered, and precision is a share of the answers"
_ABSENT = "no row has this label, and recall is a share of them"


class LabelQuality(NamedTuple):
    """Of all classes together, and of each."""

    metrics: dict[str, Estimate]
    classes: tuple[GroupQuality, ...]
    omitted: dict[str, str]


class LabelChange(NamedTuple):
    """Drops, of all classes together and of each."""

    drops: dict[str, Estimate]
    classes: dict[str, dict[str, Estimate]]


def assess_labels(
    answers: Array, labels: Array, *, seed: int, weights: Floats | None = None, betas: Sequence[float] = BETAS
) -> LabelQuality:
    """Accuracy, balanced accuracy, Matthews' correlation, precision, recall and F-beta in every average, each with its
    95 % interval; precision, recall and F-beta of each class.

    Shares of rows (accuracy, precision and recall of a class) have Wilson's interval. The others are resampled twice:
    from the table as counted, and from one with two more wrong answers, spread over the classes as their rows are (the
    two of Agresti and Coull, 1998). The interval is the hull of both: rows without an error would otherwise promise
    that there never will be one.
    """  # noqa: D205 - the metrics are the summary
    given, truth, classes = match_labels(answers, labels)
    rows = LabelRows(truth, (given,), classes, weights)
    values = _point_values(rows, 0, betas)
    samples = [resample_one(rows, errors, child_generator(seed, f"quality of labels {name}")) for name, errors in
               (("as counted", 0.0), ("with errors", _PSEUDO_ERRORS))]  # fmt: skip
    tables = [class_metrics(sample, binary=rows.is_binary, betas=betas) for sample in samples]
    metrics = {
        name: _share(value, rows.counting)
        if _is_accuracy(name)
        else spread_estimate(value, *(table[name] for table in tables))
        for name, value in values.items()
    }
    omitted = {}
    if len(np.unique(truth)) == 1:
        del metrics["mcc"]
        omitted["mcc"] = f"all labels are {classes[truth[0]]!s}: nothing to correlate with"
    return LabelQuality(metrics, _of_classes(rows, samples, betas), omitted)


def compare_labels(
    reference: Array,
    answers: Array,
    labels: Array,
    *,
    seed: int,
    weights: Floats | None = None,
    betas: Sequence[float] = BETAS,
) -> LabelChange:
    """Drop of every metric from reference to answers, with 95 % intervals that pair the rows.

    Accuracy has Tango's score interval. The others are resampled from the joint table of truth, reference and
    answer, to which one row more is added on which only the reference is right, and one on which only the answer is
    (Bonett and Price, 2012, Journal of Educational and Behavioral Statistics 37(4)): answers that never differ on
    these rows may differ on others.
    """
    rows = pair_rows(reference, answers, labels, weights)
    old, new = _point_values(rows, 0, betas), _point_values(rows, 1, betas)
    before, after = resample_pairs(rows, child_generator(seed, "change of labels"))
    old_samples, new_samples = (class_metrics(one, binary=rows.is_binary, betas=betas) for one in (before, after))
    accuracy = _paired_accuracy(rows)
    drops = {
        name: accuracy
        if _is_accuracy(name)
        else spread_estimate(old[name] - new[name], old_samples[name] - new_samples[name])
        for name in old
    }
    if len(np.unique(rows.truth)) == 1:
        del drops["mcc"]
    return LabelChange(drops, _drops_of_classes(rows, before, after, betas))


def discordant_counts(reference: Array, answers: Array, labels: Array) -> tuple[int, int]:
    """Rows on which only the reference is right, and on which only the answer is."""
    rows = pair_rows(reference, answers, labels, None)
    right_before, right_after = (rows.truth == given for given in rows.given)
    return int((right_before & ~right_after).sum()), int((~right_before & right_after).sum())


def count_flips(reference: Array, answers: Array) -> int:
    """Rows whose label changed."""
    before, after, _ = match_labels(reference, answers)
    return int((before != after).sum())


def _is_accuracy(name: str) -> bool:
    return name == "accuracy" or name.endswith("_micro")


def _share(value: float, weights: Floats) -> Estimate:
    rows = effective_rows(weights)
    interval = wilson(value * rows, rows)
    return Estimate(value=value, low=interval.low, high=interval.high)


def _paired_accuracy(rows: LabelRows) -> Estimate:
    weights, (before, after) = rows.counting, (rows.truth == given for given in rows.given)
    count = effective_rows(weights)
    scale = count / float(weights.sum())
    worse, better = (float(weights[one].sum()) * scale for one in (before & ~after, ~before & after))
    return paired_difference(worse, better, count)


def _point_values(rows: LabelRows, side: int, betas: Sequence[float]) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    truth, given = rows.truth, rows.given[side]
    found = {name: float(value[0]) for name, value in
             class_metrics(rows.counts(side), binary=rows.is_binary, betas=betas).items()}  # fmt: skip

    def scores(average: str, **options: Any) -> dict[str, float]:
        # A class that is never answered has the precision 0, as zero_division=0 says without a warning.
        values = precision_recall_fscore_support(
            truth, given, average=average, zero_division=0, sample_weight=rows.weights, **options
        )
        names = (f"{name}_{average}" for name in ("precision", "recall", "f1"))
        return dict(zip(names, map(float, values), strict=False))

    found["accuracy"] = float(accuracy_score(truth, given, sample_weight=rows.weights))
    for average in ("macro", "micro", "weighted"):
        found |= scores(average)
    return found | scores("binary", pos_label=1) if rows.is_binary else found


def _of_classes(rows: LabelRows, samples: Sequence[Counts], betas: Sequence[float]) -> tuple[GroupQuality, ...]:
    values = by_class(rows.counts(0), betas)
    tables = [by_class(sample, betas) for sample in samples]
    support = np.bincount(rows.truth, minlength=rows.size)
    weights, found = rows.counting, []
    for number, label in enumerate(rows.classes.tolist()):
        metrics: dict[str, Estimate] = {}
        omitted: dict[str, str] = {}
        shares = (("precision", rows.given[0] == number, _NEVER), ("recall", rows.truth == number, _ABSENT))
        for name, counted, why in shares:
            if weights[counted].any():
                metrics[name] = _share(float(values[name][0, number]), weights[counted])
            else:
                omitted[name] = why
        for name in values:
            if name not in ("precision", "recall"):
                spread = (table[name][:, number] for table in tables)
                metrics[name] = spread_estimate(float(values[name][0, number]), *spread)
        found.append(GroupQuality(name=str(label), rows=int(support[number]), metrics=metrics, omitted=omitted))
    return tuple(found)


def _drops_of_classes(
    rows: LabelRows, before: Counts, after: Counts, betas: Sequence[float]
) -> dict[str, dict[str, Estimate]]:
    old, new = (by_class(rows.counts(side), betas) for side in (0, 1))
    old_samples, new_samples = by_class(before, betas), by_class(after, betas)
    return {
        str(label): {
            name: spread_estimate(
                float(old[name][0, number] - new[name][0, number]),
                old_samples[name][:, number] - new_samples[name][:, number],
            )
            for name in old
        }
        for number, label in enumerate(rows.classes.tolist())
    }
