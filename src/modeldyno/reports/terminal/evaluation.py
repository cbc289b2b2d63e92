"""An evaluation as text."""

from modeldyno.records.evaluation import Evaluation
from modeldyno.reports.evaluating import (
    RECHECK_WORDS,
    agreement_rows,
    answers_text,
    average_rows,
    group_rows,
    left_out,
    metric_rows,
    omitted_texts,
)
from modeldyno.reports.terminal.layout import entries, entry, joined, table
from modeldyno.reports.terminal.robustness import augmentation_lines, robustness_lines
from modeldyno.reports.terminal.verdicts import objective_lines
from modeldyno.reports.wording import ANSWER_WORDS

_MOST_METRICS = 3
"""Of a class or slice, side by side: more do not fit a line."""


def evaluation_text(evaluation: Evaluation) -> str:
    """Objectives first, then every metric with its interval, the change against the reference, classes and slices."""
    lines = [
        *_recheck(evaluation),
        *objective_lines(evaluation.verdicts),
        "",
        *entry("subject", evaluation.subject),
        *entry("data", evaluation.data),
        *_quality_entries(evaluation),
        *entries("note", evaluation.notes),
        *entries("advice", evaluation.advice),
        "",
        *_metrics(evaluation),
        "",
        *_change(evaluation),
        "",
        *_groups(evaluation),
        *robustness_lines(evaluation.robustness, evaluation.quality),
        *augmentation_lines(evaluation.augmentation),
    ]
    return joined(lines)


def _recheck(evaluation: Evaluation) -> list[str]:
    recheck = evaluation.recheck
    if recheck is None:
        return []
    claims = [(ANSWER_WORDS[one.verdict], one.what, one.evidence) for one in recheck.claims]
    return [
        *(entry("note", recheck.processor) if recheck.processor else []),
        RECHECK_WORDS[recheck.verdict],
        *(table("llw", claims) if claims else []),
        *entries("note", recheck.notes),
        "",
    ]


def _quality_entries(evaluation: Evaluation) -> list[str]:
    quality = evaluation.quality
    if quality is None:
        return []
    weighted = entry("weights", "rows count by their weights") if quality.is_weighted else []
    return [*weighted, *entries("left out", omitted_texts(quality))]


def _metrics(evaluation: Evaluation) -> list[str]:
    if evaluation.quality is None:
        return []
    rows = metric_rows(evaluation)
    columns = "le" if len(rows[0]) == 2 else "leel"
    averages = average_rows(evaluation.quality)
    return [*table(columns, rows), "", *(table("l" + "e" * (len(averages[0]) - 1), averages) if averages else [])]


def _change(evaluation: Evaluation) -> list[str]:
    change = evaluation.change
    if change is None or evaluation.reference is None:
        return []
    agreement = agreement_rows(change)
    return [
        *entry("against", f"{evaluation.reference}, on the same rows"),
        *entry("", answers_text(evaluation)),
        *(table("le", agreement) if agreement else []),
    ]


def _groups(evaluation: Evaluation) -> list[str]:
    quality = evaluation.quality
    if quality is None:
        return []
    lines = []
    for groups, what in ((quality.classes, "class"), (quality.slices, "slice")):
        rows = group_rows(quality, groups, what, most=_MOST_METRICS)
        if rows:
            lines += [*table("lr" + "e" * (len(rows[0]) - 2), rows), *entry("", left_out(groups)), ""]
    return lines
