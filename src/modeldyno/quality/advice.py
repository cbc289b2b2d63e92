"""Which metrics suit the data at hand, and what they cannot tell."""

from collections.abc import Iterator
from itertools import chain

import numpy as np

from modeldyno.quality.asked import Costs
from modeldyno.quality.costs import best_threshold
from modeldyno.quality.labels import Array, plain_labels
from modeldyno.quality.regression import numbers_of
from modeldyno.quality.rows import Answers, Rows
from modeldyno.records.base import Estimate
from modeldyno.records.quality import Quality
from modeldyno.units import format_fraction, format_number

_UNEVEN = 3.0
"""The largest class over the smallest, from which accuracy hides the smallest."""
_FEW_ROWS = 30
_TAIL = 2.0
"""Root mean squared over mean absolute error; 1.25 for normal errors."""
_OFF = 0.05
_SPAN = 100.0


def advise(quality: Quality, answers: Answers, rows: Rows, costs: Costs | None) -> tuple[str, ...]:
    """One sentence for each thing that a reader of the metrics should know."""
    if rows.labels is None:
        return ()
    told: list[Iterator[str]] = []
    if quality.task == "regression":
        told = [_on_errors(quality, rows.labels)]
    elif quality.task == "classification":
        told = [
            _on_balance(rows.labels, quality),
            _on_rare(quality),
            _on_sureness(quality),
            _on_costs(answers, rows, costs),
        ]
    return tuple(chain(*told, _on_slices(quality)))


def _on_balance(labels: Array, quality: Quality) -> Iterator[str]:
    names, counts = np.unique(plain_labels(labels), return_counts=True)
    if len(names) < 2:
        yield f"all rows have the label {names[0]}: nothing here tells a good model from one that says it always"
        return
    if counts.max() < _UNEVEN * counts.min():
        return
    largest, rare = float(counts.max() / counts.sum()), names[counts.argmin()]
    averages = "pr_auc, f1_binary" if "f1_binary" in quality.metrics else "balanced_accuracy, f1_macro"
    yield (
        f"saying {names[counts.argmax()]} always would be right on {format_fraction(largest)} of the rows: "
        f"accuracy hides {rare}; judge by {averages} or recall[{rare}]"
    )


def _on_rare(quality: Quality) -> Iterator[str]:
    rare = [one for one in quality.classes if 0 < one.rows < _FEW_ROWS]
    if not rare:
        return
    least = min(rare, key=lambda one: one.rows)
    rows = f"{least.rows} {'row' if least.rows == 1 else 'rows'}"
    many = f" ({len(rare)} classes have fewer than {_FEW_ROWS})" if len(rare) > 1 else ""
    yield (
        f"the class {least.name} has {rows}{many}: all that is known of its recall is "
        f"{_spread(least.metrics.get('recall'))}; no average is surer than its rarest class"
    )


def _on_sureness(quality: Quality) -> Iterator[str]:
    error = quality.metrics.get("calibration_error")
    if error is None or error.low is None or error.low < _OFF:
        return
    yield (
        f"probabilities are off by {format_fraction(error.value)} on average, and thresholds and costs built on them "
        "mislead; calibrate the model, or judge by roc_auc, which needs their order only"
    )


def _on_costs(answers: Answers, rows: Rows, costs: Costs | None) -> Iterator[str]:
    if costs is None or rows.labels is None or len(np.unique(plain_labels(rows.labels))) != 2:
        return
    ratio = costs.false_negative / costs.false_positive
    yield (
        f"a false negative costs {format_number(costs.false_negative)}, a false positive "
        f"{format_number(costs.false_positive)}: judge by error_cost, or by f{np.sqrt(ratio):.2g}_binary, "
        "which weighs recall so"
    )
    scores = answers.scores
    if scores is None or not scores.is_probability or scores.values.shape[1] != 2:
        return
    truth = rows.truth(2)
    found = best_threshold(scores.values[:, 1], truth.columns == 1, costs, truth.weights)
    costs_told = f"a row costs {format_number(found.cost)} with it and {format_number(found.usual_cost)} with 0.5"
    if found.cost <= found.usual_cost:
        yield f"with these costs say yes from a probability of {found.probability:.3g} on: {costs_told}"
    else:
        yield (
            f"with these costs a calibrated model says yes from a probability of {found.probability:.3g} on; here "
            f"{costs_told}: calibrate first, or choose the threshold on other rows"
        )


def _on_errors(quality: Quality, labels: Array) -> Iterator[str]:
    mae, rmse = quality.metrics["mae"].value, quality.metrics["rmse"].value
    if mae > 0 and rmse > _TAIL * mae:
        yield (
            f"rmse is {rmse / mae:.1f} times mae: a few rows err far more than the rest; "
            "mae tells the usual error, rmse the dear ones"
        )
    sizes = np.abs(numbers_of(labels, "the labels"))
    if sizes.min() > 0 and sizes.max() > _SPAN * sizes.min():
        yield (
            f"the largest label is {format_number(float(sizes.max() / sizes.min()))} times the smallest: "
            "mape tells errors as shares, mae only those of the largest"
        )


def _on_slices(quality: Quality) -> Iterator[str]:
    metric = next((name for name in ("accuracy", "mae", "mrr", "exact_match") if name in quality.metrics), None)
    told = [one for one in quality.slices if metric in one.metrics]
    if metric is None or len(told) < 2:
        return
    is_error = metric == "mae"
    worst = (max if is_error else min)(told, key=lambda one: one.metrics[metric].value)
    found, whole = worst.metrics[metric], quality.metrics[metric].value
    number = format_number if is_error else format_fraction
    good = found.low if is_error else found.high
    is_apart = good is not None and (good > whole if is_error else good < whole)
    yield (
        f"worst of {len(told)} slices: {worst.name} with {worst.rows:,} rows, {metric} {number(found.value)} against "
        f"{number(whole)} on all; {'its interval excludes that' if is_apart else 'it may be chance'}, "
        "and the worst of several always looks worse than it is"
    )


def _spread(estimate: Estimate | None) -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return "no interval"
    return f"{format_fraction(estimate.low)} to {format_fraction(estimate.high)}"
