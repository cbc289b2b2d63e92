"""Quality of predicted labels, and its change between two sets of answers to the same rows."""

from typing import Any

import numpy as np

from modeldyno.quality.confusion import (
    Codes,
    Floats,
    class_metrics,
    membership,
    resample_counts,
    spread_estimate,
)
from modeldyno.quality.labels import Array, match_labels, plain_labels, require_same_rows
from modeldyno.quality.proportions import paired_difference, wilson
from modeldyno.records.base import Estimate
from modeldyno.seeds import child_generator

_AVERAGES = ("macro", "micro", "weighted")
_PSEUDO_ERRORS = 2.0


def assess_labels(answers: Array, labels: Array, *, seed: int) -> dict[str, Estimate]:
    """Accuracy, and precision, recall and F1 in every average, each with its 95 % interval.

    Accuracy has Wilson's interval. The others are resampled twice: from the table as counted, and from one with two
    more wrong answers, spread over the classes as their rows are (the two of Agresti and Coull, 1998). The interval
    is the hull of both: rows without an error would otherwise promise that there never will be one.
    """
    given, truth, classes = match_labels(answers, labels)
    metrics = _point_values(truth, given, len(classes))
    size = max(2, len(classes))
    cells, counts = np.unique(truth * size + given, return_counts=True)
    next_class = (np.arange(size) + 1) % size
    support = np.bincount(truth, minlength=size).astype(np.float64)
    all_truth = np.concatenate([cells // size, np.arange(size)])
    all_given = np.concatenate([cells % size, next_class])
    samples = []
    for name, errors in (("as counted", 0.0), ("with errors", _PSEUDO_ERRORS)):
        weights = np.concatenate([counts, support * errors / len(truth)])
        generator = child_generator(seed, f"quality of labels {name}")
        samples.append(_resample_one(weights, all_truth, all_given, size, len(truth), generator, len(classes) == 2))
    right = int((truth == given).sum())
    return {
        name: wilson(right, len(truth)) if _is_accuracy(name) else spread_estimate(value, *(s[name] for s in samples))
        for name, value in metrics.items()
    }


def compare_labels(reference: Array, answers: Array, labels: Array, *, seed: int) -> dict[str, Estimate]:
    """Drop of every metric from reference to answers, with 95 % intervals that pair the rows.

    Accuracy has Tango's score interval. The others are resampled from the joint table of truth, reference and
    answer, to which one row more is added on which only the reference is right, and one on which only the answer is
    (Bonett and Price, 2012, Journal of Educational and Behavioral Statistics 37(4)): answers that never differ on
    these rows may differ on others.
    """
    truth, before, after, classes = _three_codes(reference, answers, labels)
    old, new = _point_values(truth, before, classes), _point_values(truth, after, classes)
    rows, size = len(truth), max(2, classes)
    samples = _resample_pairs(truth, before, after, size, child_generator(seed, "change of labels"), classes == 2)
    worse, better = int(((before == truth) & (after != truth)).sum()), int(((before != truth) & (after == truth)).sum())
    return {
        name: paired_difference(worse, better, rows)
        if _is_accuracy(name)
        else spread_estimate(old[name] - new[name], samples[name])
        for name in old
    }


def count_discordant(reference: Array, answers: Array, labels: Array) -> int:
    """Rows on which exactly one of the two is right."""
    truth, before, after, _ = _three_codes(reference, answers, labels)
    return int(((before == truth) != (after == truth)).sum())


def count_flips(reference: Array, answers: Array) -> int:
    """Rows whose label changed."""
    before, after, _ = match_labels(reference, answers)
    return int((before != after).sum())


def _is_accuracy(name: str) -> bool:
    return name == "accuracy" or name.endswith("_micro")


def _three_codes(reference: Array, answers: Array, labels: Array) -> tuple[Codes, Codes, Codes, int]:
    rows = len(labels)
    require_same_rows(answers, labels)
    both = np.concatenate([plain_labels(reference, "the original's answers"), plain_labels(answers, "the answers")])
    codes, truth, classes = match_labels(both, np.concatenate([plain_labels(labels)] * 2))
    return truth[:rows], codes[:rows], codes[rows:], len(classes)


def _point_values(truth: Codes, given: Codes, classes: int) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    def scores(average: str, **options: Any) -> dict[str, float]:
        # A class that is never answered has the precision 0, as zero_division=0 says without a warning.
        found = precision_recall_fscore_support(truth, given, average=average, zero_division=0, **options)
        return dict(
            zip((f"{name}_{average}" for name in ("precision", "recall", "f1")), map(float, found), strict=False)
        )

    metrics = {"accuracy": float(accuracy_score(truth, given))}
    for average in _AVERAGES:
        metrics |= scores(average)
    return metrics | scores("binary", pos_label=1) if classes == 2 else metrics


def _resample_one(
    weights: Floats,
    truth: Codes,
    given: Codes,
    size: int,
    rows: int,
    generator: np.random.Generator,
    binary: bool,  # noqa: FBT001 - private, and always the last of a row of arrays
) -> dict[str, Floats]:
    everywhere = np.ones(len(truth), np.bool_)
    tables = [
        membership(truth, truth == given, size),
        membership(truth, everywhere, size),
        membership(given, everywhere, size),
    ]
    right, truths, answers = resample_counts(weights, rows, generator, tables)
    return class_metrics(right, truths, answers, binary=binary)


def _resample_pairs(
    truth: Codes,
    before: Codes,
    after: Codes,
    size: int,
    generator: np.random.Generator,
    binary: bool,  # noqa: FBT001 - as above
) -> dict[str, Floats]:
    """Drop of every metric in each resampled table."""
    cells, counts = np.unique((truth * size + before) * size + after, return_counts=True)
    every, wrong = np.arange(size), (np.arange(size) + 1) % size
    support = np.bincount(truth, minlength=size) / len(truth)
    all_truth = np.concatenate([cells // size**2, every, every])
    all_before = np.concatenate([cells // size % size, every, wrong])
    all_after = np.concatenate([cells % size, wrong, every])
    everywhere = np.ones(len(all_truth), np.bool_)
    tables = [
        membership(all_truth, everywhere, size),
        membership(all_truth, all_truth == all_before, size),
        membership(all_before, everywhere, size),
        membership(all_truth, all_truth == all_after, size),
        membership(all_after, everywhere, size),
    ]
    weights = np.concatenate([counts, support, support])
    truths, right_before, answers_before, right_after, answers_after = resample_counts(
        weights, len(truth), generator, tables
    )
    old = class_metrics(right_before, truths, answers_before, binary=binary)
    new = class_metrics(right_after, truths, answers_after, binary=binary)
    return {name: old[name] - new[name] for name in old}
