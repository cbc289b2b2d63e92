"""Estimates and counts in words: a number, its interval, and its unit once.

What was not measured is shown as an en dash, never as a zero.
"""

from collections.abc import Mapping

from modeldyno.records.base import Estimate
from modeldyno.records.metrics import AVERAGES, changed_metric, metric_named
from modeldyno.units import (
    format_duration,
    format_duration_interval,
    format_fraction,
    format_fraction_interval,
    format_number,
    format_number_interval,
    format_scaled,
    format_scaled_interval,
)

MISSING = "–"
_METRIC_NAMES = {
    "mae": "MAE", "rmse": "RMSE", "mape": "MAPE", "r2": "R²", "mcc": "MCC", "mrr": "MRR", "map": "MAP", "ndcg": "NDCG",
    "brier": "Brier score", "roc_auc": "ROC AUC", "pr_auc": "PR AUC",
}  # fmt: skip


def _interval(estimate: Estimate) -> tuple[float, float] | None:
    if estimate.low is None or estimate.high is None:
        return None
    return estimate.low, estimate.high


def duration_text(estimate: Estimate | None) -> str:
    """Nanoseconds: `2.10 ms [1.92, 2.41]`."""
    if estimate is None:
        return MISSING
    interval = _interval(estimate)
    return format_duration_interval(estimate.value, *interval) if interval else format_duration(estimate.value)


def number_text(estimate: Estimate | None, unit: str = "") -> str:
    """A plain number: `41,200 [39,800, 42,300]`."""
    if estimate is None:
        return MISSING
    interval = _interval(estimate)
    if interval:
        return format_number_interval(estimate.value, *interval, unit=unit)
    return f"{format_number(estimate.value)}{unit}"


def items_text(estimate: Estimate | None) -> str:
    """Items per second: `2.67 M [2.60, 2.73]`."""
    if estimate is None:
        return MISSING
    interval = _interval(estimate)
    return format_scaled_interval(estimate.value, *interval) if interval else format_scaled(estimate.value)


def ratio_text(estimate: Estimate | None) -> str:
    """A factor: `11.3× [10.2, 12.1]`."""
    return number_text(estimate, "×")


def fraction_text(estimate: Estimate | None) -> str:
    """A fraction as percent: `97.3 % [95.8, 98.5]`."""
    if estimate is None:
        return MISSING
    interval = _interval(estimate)
    return format_fraction_interval(estimate.value, *interval) if interval else format_fraction(estimate.value)


def metric_name(metric: str) -> str:
    """A metric of `records.metrics` as people write it: `F1 (macro)`, `ROC AUC`, `top-3 accuracy`, `NDCG@10`."""
    name, _, average = metric.rpartition("_")
    if average not in AVERAGES:
        name, average = metric, ""
    stem, at, places = name.partition("@")
    shown = _METRIC_NAMES.get(stem) or stem.replace("_", " ")
    if stem[:1] == "f" and stem[1:2].isdigit():
        shown = f"F{stem[1:]}"
    if stem.startswith("top") and stem.endswith("_accuracy"):
        shown = f"top-{stem[3:].removesuffix('_accuracy')} accuracy"
    return f"{shown}{at}{places}{f' ({average})' if average else ''}"


def metric_text(metric: str, estimate: Estimate | None) -> str:
    """The value of a metric, or a change of it, in the metric's own unit."""
    known = metric_named(changed_metric(metric) or metric)
    is_number = known is not None and known.unit == "number"
    return number_text(estimate) if is_number else fraction_text(estimate)


def plural(count: int, noun: str) -> str:
    """`1 row`, `1,797 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def failures_text(failures: Mapping[str, int], requests: int) -> str:
    """`0 failures`, or `12 failures (0.12 %): timeout 10, http_503 2`."""
    total = sum(failures.values())
    if total == 0:
        return "0 failures"
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(failures.items(), key=lambda item: -item[1]))
    share = f" ({format_fraction(total / requests, 2)})" if requests else ""
    return f"{plural(total, 'failure')}{share}: {kinds}"
