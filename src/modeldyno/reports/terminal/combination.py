"""A combination as text."""

from modeldyno.records.combination import Combination, ThresholdTrial
from modeldyno.records.pipeline import Cascade, Ensemble
from modeldyno.reports.estimates import MISSING, fraction_text, metric_name, metric_text
from modeldyno.reports.terminal.layout import entries, entry, joined, spaced, table
from modeldyno.reports.terminal.verdicts import objective_lines
from modeldyno.reports.wording import ANSWER_WORDS
from modeldyno.units import format_duration, format_fraction, format_number


def combination_text(combination: Combination) -> str:
    """Objectives first, then what was combined, how right it answers, the thresholds, and what to do next."""
    lines = [
        *objective_lines(combination.verdicts),
        "",
        *entry("pipeline", f"{combination.pipeline.name}, {_in_words(combination)}"),
        *(entry("data", combination.data) if combination.data else []),
        *entries("note", combination.notes),
        "",
        *_models(combination),
        "",
        *_change(combination),
        "",
        *_trials(combination),
        "",
        *_end(combination),
    ]
    return joined(lines)


def _in_words(combination: Combination) -> str:
    pipeline, graph = combination.pipeline, combination.pipeline.graph
    parts = [f"{'an' if pipeline.kind == 'ensemble' else 'a'} {pipeline.kind}"]
    if isinstance(graph, Ensemble):
        parts.append(f"{graph.method} of {graph.output}")
    if isinstance(graph, Cascade):
        limits = ", ".join(f"{one:.6g}" for one in graph.thresholds)
        parts.append(f"rows go on when the {graph.measure} of {graph.confidence} is below {limits}")
    return spaced(*parts)


def _models(combination: Combination) -> list[str]:
    if combination.quality is None:
        return []
    metrics = [name for name in ("accuracy", "f1_macro", "mae", "r2") if name in combination.quality.metrics]
    rows = [("", *map(metric_name, metrics), "time a row")]
    for part in combination.parts:
        values = [metric_text(name, part.quality.metrics.get(name)) for name in metrics]
        rows.append((part.name, *values, format_duration(part.ns_per_row)))
    cost = MISSING if combination.ns_per_row is None else format_duration(combination.ns_per_row)
    values = [metric_text(name, combination.quality.metrics[name]) for name in metrics]
    rows.append(("the whole", *values, cost))
    return table("l" + "e" * len(metrics) + "r", rows)


def _change(combination: Combination) -> list[str]:
    change = combination.change
    if change is None or combination.reference is None:
        return []
    differ = f"{change.flips:,} of {change.rows:,} answers differ: {fraction_text(change.flip_rate)}"
    lines = entry("against", f"{combination.reference}, on the same rows: {differ}")
    if combination.passed_on is not None:
        lines += entry("passed on", f"{fraction_text(combination.passed_on)} of the rows")
    return lines


def _trials(combination: Combination) -> list[str]:
    graph = combination.pipeline.graph
    if not combination.trials or not isinstance(graph, Cascade):
        return []
    dearest = combination.parts[-1].ns_per_row
    chosen = graph.thresholds[0] if combination.out else None
    rows = [("", "threshold", "passed on", "accuracy", "drop", "time a row", "of the last alone", "objectives")]
    rows += [
        (
            "▸" if trial.threshold == chosen else "",
            f"{trial.threshold:.6g}",
            format_fraction(trial.passed_on.value),
            fraction_text(trial.accuracy),
            fraction_text(trial.drop),
            format_duration(trial.ns_per_row),
            f"{format_number(trial.ns_per_row / dearest)}×" if dearest else MISSING,
            _verdict(trial),
        )
        for trial in combination.trials
    ]
    return ["thresholds", *table("lrreerrl", rows)]


def _verdict(trial: ThresholdTrial) -> str:
    answers = [one.verdict for one in trial.verdicts]
    if not answers:
        return "not tested"
    if "fail" in answers:
        return ANSWER_WORDS["fail"]
    return ANSWER_WORDS["cannot_tell" if "cannot_tell" in answers else "pass"]


def _end(combination: Combination) -> list[str]:
    if combination.out is None:
        return entry(
            "next",
            "nothing was written: an objective is not met. Give more labelled rows, loosen the objective, or name what "
            "you want without --slo",
        )
    return [
        *entry("written", combination.out),
        *entry("next", f"dyno serve {combination.out}"),
    ]
