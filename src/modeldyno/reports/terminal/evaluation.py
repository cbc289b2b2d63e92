"""An evaluation as text."""

from modeldyno.records.evaluation import Evaluation
from modeldyno.reports.estimates import MISSING, fraction_text, metric_name, metric_text
from modeldyno.reports.terminal.layout import entries, entry, joined, table
from modeldyno.reports.terminal.verdicts import objective_lines


def evaluation_text(evaluation: Evaluation) -> str:
    """Objectives first, then every metric with its interval, and the change against the reference."""
    lines = [
        *objective_lines(evaluation.verdicts),
        "",
        *entry("subject", evaluation.subject),
        *entry("data", evaluation.data),
        *entries("note", evaluation.notes),
        "",
        *_metrics(evaluation),
        "",
        *_change(evaluation),
    ]
    return joined(lines)


def _metrics(evaluation: Evaluation) -> list[str]:
    change = evaluation.change
    heading = ("", "measured") if change is None else ("", "measured", "worse by")
    rows: list[tuple[str, ...]] = [heading]
    for metric, value in evaluation.quality.metrics.items():
        drop = (
            [] if change is None else [metric_text(metric, change.drops[metric]) if metric in change.drops else MISSING]
        )
        rows.append((metric_name(metric), metric_text(metric, value), *drop))
    return table("l" + "e" * (len(heading) - 1), rows)


def _change(evaluation: Evaluation) -> list[str]:
    change = evaluation.change
    if change is None or evaluation.reference is None:
        return []
    answers = f"{change.flips:,} of {change.rows:,} answers differ: {fraction_text(change.flip_rate)}"
    return [*entry("against", f"{evaluation.reference}, on the same rows"), *entry("", answers)]
