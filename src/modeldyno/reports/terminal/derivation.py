"""What was made of a model, as text."""

import shlex
from collections.abc import Sequence

from modeldyno.records.artifact import Artifact, Model
from modeldyno.records.base import Estimate
from modeldyno.records.derivation import Derivation, Derived
from modeldyno.records.quality import Quality
from modeldyno.reports.estimates import (
    MISSING,
    duration_text,
    fraction_text,
    metric_name,
    metric_text,
    plural,
    ratio_text,
)
from modeldyno.reports.evaluating import change_word, drop_text
from modeldyno.reports.findings import headline_metrics
from modeldyno.reports.terminal.layout import entries, entry, joined, table
from modeldyno.reports.terminal.place import machine_lines, model_line, typed
from modeldyno.units import format_scaled, format_size

_CLASS_METRICS = ("recall", "f1", "accuracy")
"""Of a class alone, the first that is told."""


def conversion_text(derivation: Derivation) -> str:
    """A model in another format: what it weighs, whether it answers the same, how fast it is."""
    made = derivation.made[0].assessed.artifact
    lines = [
        *entry("converted", f"{derivation.model.path} by {made.recipe}"),
        *_body(derivation),
        "",
        *entry("model", derivation.out),
        *entry("next", f"dyno tune {shlex.quote(derivation.out)} --data DATA --slo ..."),
    ]
    return joined(lines)


def compression_text(derivation: Derivation) -> str:
    """Every artifact against the model as it came, what was refused and why, and what to type next."""
    best = best_of(derivation)
    lines = [
        *_verdict(derivation, best),
        *_body(derivation),
        "",
        *_refused(derivation),
        "",
        *entry("written", derivation.out),
    ]
    if best is not None:
        lines += entry("next", _next(derivation.model, best.assessed.artifact))
    return joined(lines)


def _next(model: Model, best: Artifact) -> str:
    if best.format == "compiled-trees":
        # A library does not say what goes in and out: it is made again where the model is.
        return f"dyno tune {typed(model, makes_code=True)} --data DATA --slo ..."
    return f"dyno tune {typed(best)} --data DATA --slo ...   or try all that tune knows: dyno tune {typed(model)}"


def best_of(derivation: Derivation) -> Derived | None:
    """The fastest with the largest calls of those that meet every objective and are surely faster; None without any."""
    refused = {one.name for one in derivation.refused}
    faster = [
        one
        for one in derivation.made
        if one.assessed.artifact.name not in refused and one.speeds and (one.speeds[-1].ratio.low or 0) > 1
    ]
    return max(faster, key=lambda one: one.speeds[-1].ratio.value, default=None)


def _verdict(derivation: Derivation, best: Derived | None) -> list[str]:
    if best is None:
        better = _good_enough(derivation)
        if better is not None:
            name = better.assessed.artifact.name
            return entry("best", f"{name}: it meets every objective, which the model as it came does not")
        return entry("best", "the model as it came: nothing that was made of it is faster and keeps its answers")
    speed = best.speeds[-1]
    return entry(
        "best",
        f"{best.assessed.artifact.name}: {ratio_text(speed.ratio)} as fast as the model as it came with calls of "
        f"{plural(speed.rows, 'row')}, {_times_smaller(derivation, best)}",
    )


def _good_enough(derivation: Derivation) -> Derived | None:
    """What passes where the model as it came is refused: the fastest of these."""
    refused = {one.name for one in derivation.refused}
    if derivation.original.assessed.artifact.name not in refused:
        return None
    good = [one for one in derivation.made if one.assessed.artifact.name not in refused and one.speeds]
    return max(good, key=lambda one: one.speeds[-1].ratio.value, default=None)


def _times_smaller(derivation: Derivation, one: Derived) -> str:
    size, before = one.assessed.artifact.size_bytes, derivation.model.size_bytes
    return f"{format_size(size)} instead of {format_size(before)}"


def _body(derivation: Derivation) -> list[str]:
    return [
        "",
        *model_line(derivation.model),
        *entry("data", derivation.data or "none given: quality is not known"),
        *machine_lines(derivation.environment),
        *entries("note", derivation.notes),
        "",
        *_table(derivation),
        "",
        *_quality(derivation),
        "",
        *entries("made", [f"{one.assessed.artifact.name}: {one.assessed.artifact.recipe}" for one in derivation.made]),
        "",
        *entries("why", [f"{one.assessed.artifact.name}: {one.why}" for one in derivation.made if one.why]),
    ]


def _table(derivation: Derivation) -> list[str]:
    """What each weighs and how its answers differ, then how fast it is: names are too long for one table."""
    original, made = derivation.original, [one for one in derivation.made if one is not derivation.original]
    before = ("as it came", format_size(original.assessed.artifact.size_bytes), _operations(original), "", "")
    facts = [("", "size", "flop/row", "answers differ", "largest by"), before, *map(_facts, made)]
    sizes = list(dict.fromkeys(speed.rows for one in made for speed in one.speeds))
    if not sizes:
        return table("lrrer", facts)
    times = {speed.rows: speed.original_ns for one in made for speed in one.speeds}
    speeds = [
        ("times as fast", *(f"calls of {plural(rows, 'row')}" for rows in sizes)),
        ("as it came", *(duration_text(times[rows]) for rows in sizes)),
        *((one.assessed.artifact.name, *_ratios(one, sizes)) for one in made),
    ]
    return [*table("lrrer", facts), "", *table("l" + "e" * len(sizes), speeds)]


def _facts(one: Derived) -> tuple[str, ...]:
    artifact, change = one.assessed.artifact, one.assessed.change
    return (
        artifact.name,
        format_size(artifact.size_bytes),
        _operations(one),
        fraction_text(change.flip_rate) if change is not None else MISSING,
        f"{artifact.parity.largest_difference:.2g}" if artifact.parity is not None else MISSING,
    )


def _ratios(one: Derived, sizes: Sequence[int]) -> list[str]:
    ratios = {speed.rows: speed.ratio for speed in one.speeds}
    return [ratio_text(ratios.get(rows)) for rows in sizes]


def _operations(one: Derived) -> str:
    """With a plus where some kinds of operator are not counted."""
    if one.cost is None:
        return MISSING
    return f"{format_scaled(one.cost.operations)}{'+' if one.cost.uncounted else ''}"


def _quality(derivation: Derivation) -> list[str]:
    """The metrics of the original, and of each artifact by how much they are worse; the class that lost most."""
    quality = derivation.original.assessed.quality
    if quality is None:
        return []
    metrics = [
        *headline_metrics(quality)[:2],
        *(["calibration_error"] if "calibration_error" in quality.metrics else []),
    ]
    rows = [
        ("worse by", *map(metric_name, metrics), "worst class"),
        ("as it came", *(metric_text(name, quality.metrics[name]) for name in metrics), ""),
        *(_quality_row(one, metrics, quality) for one in derivation.made if one is not derivation.original),
    ]
    return table("l" + "e" * len(metrics) + "l", rows)


def _quality_row(one: Derived, metrics: Sequence[str], quality: Quality) -> tuple[str, ...]:
    change = one.assessed.change
    drops = {} if change is None else change.drops
    cells = (drop_text(name, drops[name]) if name in drops else MISSING for name in metrics)
    return (one.assessed.artifact.name, *cells, worst_class(one, quality))


def worst_class(one: Derived, quality: Quality) -> str:
    """`8: recall 2.1 % worse`: the class whose answers suffer most; empty where none does."""
    change = one.assessed.change
    if change is None:
        return ""
    metric = next((name for name in _CLASS_METRICS if any(name in drops for drops in change.classes.values())), None)
    if metric is None:
        return ""
    known = {group.name for group in quality.classes}
    found = {name: drops[metric] for name, drops in change.classes.items() if metric in drops and name in known}
    name, drop = max(found.items(), key=lambda item: item[1].value, default=("", Estimate(value=0.0)))
    return (
        f"{name}: {metric} {metric_text(metric, drop)}"
        if drop.value > 0 and change_word(drop) != "no change seen"
        else ""
    )


def _refused(derivation: Derivation) -> list[str]:
    if not derivation.refused:
        return []
    return ["refused", *table("llw", [(one.name, one.stage, one.reason) for one in derivation.refused])]


def recipes_text(recipes: Sequence[tuple[str, str, str]]) -> str:
    """A table of recipes: name, what it does, what it needs."""
    rows = [(name, f"{does} (needs {needs})") for name, does, needs in recipes]
    return joined([plural(len(rows), "recipe"), "", *table("lw", rows)])
