"""Objectives about quality, answered pass, fail or cannot tell, with how many rows would decide.

A limit is held against the bad end of the two-sided 95 % interval: a `pass` is wrong in at most 2.5 % of samples of
rows, and so is a `fail`, whose good end violates the limit.
"""

import math
from collections.abc import Callable
from typing import TypeVar

from modeldyno.errors import DataError, ObjectiveError
from modeldyno.quality.proportions import paired_difference, wilson
from modeldyno.records.base import Estimate
from modeldyno.records.metrics import AVERAGES, changed_metric, metric_named
from modeldyno.records.objective import Objective
from modeldyno.records.quality import GroupQuality, Quality, QualityChange
from modeldyno.records.verdict import Answer, ObjectiveVerdict
from modeldyno.units import format_fraction, format_number

RecordT = TypeVar("RecordT", Quality, QualityChange)

_MOST_ROWS = 10_000_000
"""More rows than anyone labels: the answer is then that no number decides."""
_MISSING = "labels are needed to judge it"


def judge_quality(objective: Objective, quality: Quality | None, change: QualityChange | None) -> ObjectiveVerdict:
    """One quality objective on one candidate.

    `precision`, `recall` and `f1` without an average mean `_binary` where there are exactly two classes, and `_macro`
    otherwise. A drop or rise is in absolute points: `accuracy_drop<=1%` allows 97.3 % to become 96.3 %.

    Args:
        objective: of the kind `quality` or `quality_change`, with a limit.
        quality: of the candidate.
        change: from the original to the candidate.

    Raises:
        DataError: without labels where the objective needs them (`flip_rate` does not).
        ObjectiveError: for a metric that this task does not have.
    """
    if objective.metric == "flip_rate":
        return _judge_flips(objective, _given(change, objective))
    if objective.kind == "quality":
        given = _given(quality, objective)
        part = _part_of(objective, given)
        found = _find(objective, objective.metric, part.metrics, part.omitted)
        rows_needed = (
            _least_rows(objective, given.rows, lambda rows: wilson(found.value * rows, rows))
            if objective.metric == "accuracy" and objective.group is None
            else _rows_for_value(objective, found, part.rows)
        )
        return _judge(objective, found, part.rows, rows_needed)
    return _judge_change(objective, _given(change, objective))


def _judge_change(objective: Objective, change: QualityChange) -> ObjectiveVerdict:
    name = changed_metric(objective.metric)
    if name is None:
        found = _find(objective, objective.metric, change.agreement, {})
        return _judge(objective, found, change.rows, _rows_for_value(objective, found, change.rows))
    if not change.drops:
        raise labels_needed(objective)
    found = _find(objective, name, _drops_of(objective, change), {})
    discordant = change.discordant_rows.get("accuracy")
    rows = (
        _rows_for_drop(objective, found, change.rows, discordant)
        if name == "accuracy" and objective.group is None and discordant is not None
        else _rows_for_value(objective, found, change.rows)
    )
    return _judge(objective, found, change.rows, rows)


def _part_of(objective: Objective, quality: Quality) -> Quality | GroupQuality:
    """The whole, or the class or slice that the objective names."""
    if objective.group is None:
        return quality
    groups = {one.name: one for one in (*quality.slices, *quality.classes)}
    if objective.group not in groups:
        raise _unknown_group(objective, list(groups))
    return groups[objective.group]


def _drops_of(objective: Objective, change: QualityChange) -> dict[str, Estimate]:
    if objective.group is None:
        return change.drops
    groups = change.slices | change.classes
    if objective.group not in groups:
        raise _unknown_group(objective, list(groups))
    return groups[objective.group]


def _unknown_group(objective: Objective, known: list[str]) -> ObjectiveError:
    return ObjectiveError(
        f"objective {objective.text!r} cannot be judged: there is no class or slice {objective.group!r}",
        why=f"there are {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}" if known else "there are none",
        hint="write a class as its label: recall[malignant]; a slice as --slice site and accuracy[site=north]",
    )


def labels_needed(objective: Objective, *, has_data: bool = True) -> DataError:
    """The error of an objective that cannot be judged because there are no labels.

    Args:
        objective: with a limit on quality.
        has_data: False when no data were given at all, and inputs were made up from the signature.
    """
    missing = "the data have no labels" if has_data else "no data were given"
    source = "name their column or array with --label NAME" if has_data else "give labelled rows with --data FILE"
    flips = ", or use flip_rate, which needs rows only" if has_data else ""
    return DataError(
        f"objective {objective.text!r} cannot be judged: {missing}",
        why="whether an answer is right is only known from the truth",
        hint=f"{source}{flips}",
    )


def _given(record: RecordT | None, objective: Objective) -> RecordT:
    if record is None:
        raise labels_needed(objective)
    return record


def _find(objective: Objective, metric: str, known: dict[str, Estimate], omitted: dict[str, str]) -> Estimate:
    for name in (metric, f"{metric}_binary", f"{metric}_macro"):
        if name in known:
            return known[name]
    why = next((omitted[name] for name in (metric, _stem_of(metric), "every metric") if name in omitted), None)
    if why is not None:
        raise ObjectiveError(f"objective {objective.text!r} cannot be judged: {metric} is not told", why=why)
    if metric.endswith("_binary") and "accuracy" in known:
        raise ObjectiveError(
            f"objective {objective.text!r} cannot be judged: the data do not have exactly two classes",
            hint=f"use {metric.removesuffix('_binary')}_macro, _micro or _weighted",
        )
    raise ObjectiveError(
        f"objective {objective.text!r} cannot be judged: this model's task has no {metric}",
        hint=f"use one of {', '.join(known)}" if known else "nothing is told of it",
    )


def _stem_of(metric: str) -> str:
    """`roc_auc` of `roc_auc_macro`: what is left out is so in every average."""
    stem, _, average = metric.rpartition("_")
    return stem if average in AVERAGES else metric


def _judge_flips(objective: Objective, change: QualityChange) -> ObjectiveVerdict:
    share = change.flip_rate.value
    rows = _least_rows(objective, change.rows, lambda rows: wilson(share * rows, rows))
    return _judge(objective, change.flip_rate, change.rows, rows)


def _judge(objective: Objective, found: Estimate, rows: int, rows_to_decide: int | None) -> ObjectiveVerdict:
    answer = _answer(objective, found)
    evidence = _evidence(objective, found, rows)
    if answer != "cannot_tell":
        return ObjectiveVerdict(objective=objective.text, verdict=answer, measured=found, evidence=evidence)
    if found.low is None or found.high is None:
        return ObjectiveVerdict(
            objective=objective.text,
            verdict=answer,
            measured=found,
            evidence=f"{evidence}; so few rows support no interval",
        )
    more = (
        "it is so close to the limit that no number of rows would decide"
        if rows_to_decide is None
        else f"about {rows_to_decide:,} {'' if objective.metric == 'flip_rate' else 'labelled '}rows would decide"
    )
    return ObjectiveVerdict(
        objective=objective.text,
        verdict=answer,
        measured=found,
        evidence=f"{evidence}; {more}",
        rows_to_decide=rows_to_decide,
    )


def _answer(objective: Objective, found: Estimate) -> Answer:
    if found.low is None or found.high is None:
        return "cannot_tell"
    bad, good = (found.low, found.high) if objective.higher_is_better else (found.high, found.low)
    if objective.is_met_by(bad):
        return "pass"
    return "cannot_tell" if objective.is_met_by(good) else "fail"


def _rows_for_drop(objective: Objective, found: Estimate, rows: int, discordant: float) -> int | None:
    """Rows that would decide a drop of accuracy, if the shares that were seen hold.

    About z² (d - δ²) / (limit - δ)² for a share d of discordant rows and a drop δ (the variance of a paired difference:
    Fleiss, Levin and Paik, "Statistical Methods for Rates and Proportions", 13.1). That is too few where few rows
    differ, so the interval itself is asked, with the counts scaled up.
    """
    worse, better = (discordant + found.value) / 2, (discordant - found.value) / 2
    return _least_rows(objective, rows, lambda rows: paired_difference(worse * rows, max(0.0, better) * rows, rows))


def _least_rows(objective: Objective, rows: int, interval: Callable[[int], Estimate]) -> int | None:
    """The least number of rows, above `rows`, whose interval decides; None when no number that anyone labels does."""
    low, high = rows, _MOST_ROWS
    if _answer(objective, interval(high)) == "cannot_tell":
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if _answer(objective, interval(middle)) == "cannot_tell":
            low = middle
        else:
            high = middle
    return high


def _rows_for_value(objective: Objective, found: Estimate, rows: int) -> int | None:
    """Rows at which the interval's end would come to the limit: its width shrinks with the square root of the rows."""
    limit = float(objective.limit or 0)
    distance = abs(limit - found.value)
    if distance == 0 or found.low is None or found.high is None:
        return None
    half = found.high - found.value if limit > found.value else found.value - found.low
    needed = rows * (half / distance) ** 2
    return None if needed > _MOST_ROWS else max(rows + 1, math.ceil(needed) + 1)


def _evidence(objective: Objective, found: Estimate, rows: int) -> str:
    name = objective.metric
    base = changed_metric(name) or name
    known = metric_named(base)
    in_percent = known is None or known.unit == "fraction"
    limit = float(objective.limit or 0)
    of = "" if objective.group is None else f" of {objective.group}"
    if base != name and in_percent:
        return f"{_movement(base, of, found)} on {rows:,} rows; the limit is {_points(limit)} points"
    number = format_fraction if in_percent else format_number
    verb = "is" if base == name else f"{'dropped' if name.endswith('_drop') else 'rose'} by"
    spread = "" if found.low is None or found.high is None else f" [{number(found.low)}, {number(found.high)}]"
    shown = f"{base.replace('_', ' ')}{of} {verb} {number(found.value)}{spread}"
    return f"{shown} on {rows:,} rows; the limit is {number(limit)}"


def _movement(metric: str, of: str, found: Estimate) -> str:
    """How a fraction moved, in points; a rise of an error is a movement for the worse as a drop of a score is."""
    known = metric_named(metric)
    is_score = known is None or known.higher_is_better
    worse, better, change = ("dropped", "rose", "drop") if is_score else ("rose", "fell", "rise")
    shown = f"{metric.replace('_', ' ')}{of}"
    spread = "" if found.low is None or found.high is None else f"[{_points(found.low)}, {_points(found.high)}]"
    if found.value > 0:
        return f"{shown} {worse} {_points(found.value)} points {spread}".rstrip()
    if found.value < 0:
        return f"{shown} {better} {_points(-found.value)} points{f' ({change} {spread})' if spread else ''}"
    return f"{shown} did not change{f' ({change} 0 points {spread})' if spread else ''}"


def _points(fraction: float) -> str:
    return format_fraction(fraction).removesuffix(" %")
