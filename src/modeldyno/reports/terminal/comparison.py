"""A comparison as text: what differs besides comes first, for it decides what the verdict below is about."""

from modeldyno.records.comparison import Comparison, Side
from modeldyno.reports.comparing import CHANGE_WORDS, change_text, difference_name, value_text
from modeldyno.reports.estimates import failures_text, plural
from modeldyno.reports.headline import comparison_headline
from modeldyno.reports.terminal.layout import entries, entry, joined, spaced, table
from modeldyno.reports.terminal.verdicts import headline_lines
from modeldyno.reports.wording import ANSWER_WORDS
from modeldyno.units import format_fraction


def comparison_text(comparison: Comparison) -> str:
    """The differences, the verdict, both sides, the ratios."""
    lines = [*_differences(comparison), "", *headline_lines(comparison_headline(comparison)), ""]
    for name, side in (("A", comparison.a), ("B", comparison.b)):
        lines += _side(name, side)
    lines += ["", *_ratios(comparison), "", *_terms(comparison), *entries("note", comparison.notes)]
    return joined(lines)


def _differences(comparison: Comparison) -> list[str]:
    if not comparison.differences:
        return entry("differ", "in nothing that is recorded of machine, libraries and load")
    rows = [("", "A", "B")]
    rows += [
        (difference_name(one.name) + (" (not comparable)" if one.forbids_verdict else ""), one.a, one.b)
        for one in comparison.differences
    ]
    return ["differ in", *table("llw", rows)]


def _side(name: str, side: Side) -> list[str]:
    runs = f"{len(side.runs)} blocks" if len(side.runs) > 1 else ""
    doubt = f"INVALID: {len(side.invalid)} of {plural(len(side.runs), 'run')}" if side.invalid else ""
    return entry(
        name,
        spaced(side.source, f"model {side.model}", runs, failures_text(side.failures, side.requests), doubt),
    )


def _ratios(comparison: Comparison) -> list[str]:
    rows: list[tuple[str, ...]] = [("", "A", "B", "B over A", "change", "regression")]
    rows += [
        (
            one.metric,
            value_text(one.metric, one.a),
            value_text(one.metric, one.b),
            change_text(one),
            CHANGE_WORDS[one.change],
            ANSWER_WORDS[one.regression],
        )
        for one in comparison.metrics
    ]
    lines = table("leeeee", rows)
    silent = [f"{one.metric}: {one.evidence}" for one in comparison.metrics if one.ratio is None]
    return [*lines, *entries("why", silent)]


def _terms(comparison: Comparison) -> list[str]:
    method = (
        f"{comparison.blocks} pairs of blocks in turns"
        if comparison.method == "interleaved_blocks"
        else "two stored runs, one after the other"
    )
    return entry(
        "how",
        spaced(
            method,
            f"equal within {format_fraction(comparison.margin)}",
            f"allowed regression {format_fraction(comparison.max_regression)}",
            "all intervals hold together with 95 %",
        ),
    )
