"""What the user wants: a limit or a direction on a metric."""

import difflib
import re
from typing import Literal, cast

from modeldyno.errors import ObjectiveError, UsageError
from modeldyno.records.base import Record
from modeldyno.records.metrics import METRIC_NAMES, change_name, changed_metric, metric_named
from modeldyno.units import parse_duration_ns, parse_fraction, parse_rate_per_s, parse_size_bytes

Comparison = Literal["<", "<=", ">", ">=", "minimise", "maximise"]
ObjectiveKind = Literal[
    "latency", "rate", "fraction", "size", "quality", "quality_change", "token_latency", "token_rate"
]

LATENCY_METRICS = {
    "mean": "mean",
    "p50": "p50",
    "p90": "p90",
    "p95": "p95",
    "p99": "p99",
    "p99.9": "p999",
    "max": "max",
}
"""As the user writes it, to the field of `LatencySummary` without `_ns`."""
TOKEN_TIMES = {
    "ttft": "time_to_first_token",
    "itl": "inter_token_latency",
    "tpot": "time_per_output_token",
}
"""As the user writes it before an underscore and a level of `LATENCY_METRICS`, to the field of `TokenSummary`."""
TOKEN_LATENCY_METRICS = {f"{time}_{level}": (time, level) for time in TOKEN_TIMES for level in LATENCY_METRICS}
"""`ttft_p99` and so on, to the time and its level."""
TOKEN_RATE = "tokens_per_s"  # noqa: S105 - no password
QUALITY_METRICS = tuple(name for name in METRIC_NAMES if name != "flip_rate")

_KINDS: dict[str, ObjectiveKind] = {
    **dict.fromkeys(LATENCY_METRICS, "latency"),
    "error_rate": "fraction",
    "throughput": "rate",
    "memory": "size",
    "size": "size",
    **dict.fromkeys(TOKEN_LATENCY_METRICS, "token_latency"),
    TOKEN_RATE: "token_rate",
}
"""Of speed; those of quality are in `records.metrics`."""
_HIGHER_IS_BETTER = frozenset({"throughput", TOKEN_RATE})
_OBJECTIVE = re.compile(
    r"(?P<metric>[a-z][a-z0-9_.@]*)(?:\[(?P<group>[^\[\]]+)\])?\s*(?:(?P<op><=|>=|<|>|==|=)\s*(?P<limit>[^\s,].*)?)?",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r",(?![^\[]*\])")
"""Commas between objectives: a class may have one in its name."""


class Objective(Record, frozen=True, kw_only=True):
    """A parsed objective. Latency limits are in ns, sizes in bytes, rates per second, fractions between 0 and 1."""

    text: str
    """As the user wrote it."""
    metric: str
    """`p99`, `error_rate`, `throughput`, `memory`, `accuracy`, `accuracy_drop`, ..."""
    kind: ObjectiveKind
    comparison: Comparison
    limit: float | None
    """None for a direction."""
    group: str | None = None
    """Of a quality: the class, or `column=value` of the slice, that alone is looked at: `recall[malignant]`."""

    @property
    def is_about_quality(self) -> bool:
        """Whether labels are needed to judge it (`flip_rate` needs rows only)."""
        return self.kind in ("quality", "quality_change")

    @property
    def is_about_tokens(self) -> bool:
        """Whether only a load of a language model can judge it."""
        return self.kind in ("token_latency", "token_rate")

    @property
    def is_limit(self) -> bool:
        """Whether it can pass or fail; a direction only ranks."""
        return self.limit is not None

    @property
    def higher_is_better(self) -> bool:
        """The direction in which the metric improves."""
        return _is_higher_better(self.metric)

    def is_met_by(self, value: float) -> bool:
        """Whether one exact value meets the limit; a direction is met by anything."""
        if self.limit is None:
            return True
        return {
            "<": value < self.limit,
            "<=": value <= self.limit,
            ">": value > self.limit,
            ">=": value >= self.limit,
        }[self.comparison]


def parse_objectives(text: str) -> tuple[Objective, ...]:
    """`"p99<20ms, accuracy_drop<=1%, throughput"` to objectives.

    A limit is a metric, one of < <= > >=, and a value with its unit; a metric alone is a direction.

    Raises:
        ObjectiveError: where it does not parse (the place is shown), or for an unknown metric (the nearest is
            suggested).
    """
    found = []
    start = 0
    for part in _BETWEEN.split(text):
        offset = start + len(part) - len(part.lstrip())
        start += len(part) + 1
        if not part.strip():
            raise _at(text, offset, "an objective is missing here", "write objectives separated by single commas")
        found.append(_parse_one(text, part.strip(), offset))
    repeated = [
        one.text
        for index, one in enumerate(found)
        if (one.metric, one.group, one.comparison) in {(o.metric, o.group, o.comparison) for o in found[:index]}
    ]
    if repeated:
        raise ObjectiveError(
            f"objective {repeated[0]!r} limits a metric that is limited already", hint="keep one of them"
        )
    return tuple(found)


def _parse_one(text: str, part: str, offset: int) -> Objective:
    match = _OBJECTIVE.fullmatch(part)
    if match is None:
        place = offset + next((m.end() for m in [re.match(r"[a-z][a-z0-9_.]*", part, re.IGNORECASE)] if m), 0)
        raise _at(text, place, "this is not an objective", "write a metric, a comparison and a limit: p99<20ms")
    metric, group, comparison, limit = match["metric"].lower(), match["group"], match["op"], match["limit"]
    kind = _kind_of(metric)
    if kind is None:
        names = (*_KINDS, *METRIC_NAMES, *filter(None, map(change_name, METRIC_NAMES)))
        nearest = difflib.get_close_matches(metric, names, n=1, cutoff=0.5)
        known = f"known metrics: {', '.join((*_KINDS, *METRIC_NAMES))}; and of quality, such as accuracy_drop, mae_rise"
        hint = f"did you mean {nearest[0]}?" if nearest else known
        raise _at(text, offset, f"unknown metric {metric!r}", hint)
    if group is not None and kind not in ("quality", "quality_change"):
        raise _at(text, offset + len(metric), f"{metric} has no classes", "a class is for quality: recall[malignant]")
    if comparison is None:
        if kind in ("quality", "quality_change", "fraction"):
            raise _at(text, offset + len(metric), f"{metric} needs a limit", f"for example {_example(metric)}")
        direction: Comparison = "maximise" if _is_higher_better(metric) else "minimise"
        return Objective(text=part, metric=metric, kind=kind, comparison=direction, limit=None)
    at_limit = offset + (match.start("limit") if limit else len(part))
    if comparison in ("=", "=="):
        raise _at(text, offset + match.start("op"), "a measured value is never exactly equal", "use <, <=, > or >=")
    if limit is None:
        raise _at(text, at_limit, f"{metric} {comparison} what?", f"for example {_example(metric)}")
    if (comparison[0] == ">") != _is_higher_better(metric):
        better = "higher" if _is_higher_better(metric) else "lower"
        raise _at(
            text,
            offset + match.start("op"),
            f"{better} is better for {metric}",
            f"for example {_example(metric)}",
        )
    try:
        value = _parse_limit(kind, metric, limit)
    except UsageError as problem:
        raise _at(text, at_limit, problem.what, problem.hint) from problem
    return Objective(
        text=part,
        metric=metric,
        kind=kind,
        comparison=cast("Comparison", comparison),
        limit=value,
        group=group,
    )


def _kind_of(metric: str) -> ObjectiveKind | None:
    if metric in _KINDS:
        return _KINDS[metric]
    known = metric_named(metric)
    if known is not None:
        return "quality_change" if known.is_agreement else "quality"
    return None if changed_metric(metric) is None else "quality_change"


def _is_higher_better(metric: str) -> bool:
    known = metric_named(metric)
    return metric in _HIGHER_IS_BETTER if known is None else known.higher_is_better


def _parse_limit(kind: ObjectiveKind, metric: str, limit: str) -> float:
    if kind in ("latency", "token_latency"):
        return parse_duration_ns(limit)
    if kind == "size":
        return parse_size_bytes(limit)
    if kind in ("rate", "token_rate"):
        return parse_rate_per_s(limit)
    known = metric_named(changed_metric(metric) or metric)
    if known is not None and known.unit == "number" and not known.higher_is_better:
        try:
            return float(limit)
        except ValueError as problem:
            raise UsageError(f"{limit!r} is not a number", hint=f"for example {_example(metric)}") from problem
    value = parse_fraction(limit)
    if value > 1 and (known is None or known.is_bounded):
        raise UsageError(f"{limit!r} is more than 100 %", hint=f"did you mean {limit.rstrip('% ')}%?")
    return value


def _example(metric: str) -> str:
    kind = _kind_of(metric) or "quality"
    known = metric_named(changed_metric(metric) or metric)
    if known is not None and not known.higher_is_better:
        return f"{metric}<={'0.5' if known.unit == 'number' else '1%'}"
    if kind == "quality_change" and changed_metric(metric) is None:
        return f"{metric}>=99%"
    return {
        "latency": f"{metric}<20ms",
        "fraction": f"{metric}<0.1%",
        "rate": f"{metric}>=500/s",
        "size": f"{metric}<300MB",
        "quality": f"{metric}>=97%",
        "quality_change": f"{metric}<=1%",
        "token_latency": f"{metric}<500ms",
        "token_rate": f"{metric}>=500/s",
    }[kind]


def _at(text: str, position: int, what: str, hint: str) -> ObjectiveError:
    return ObjectiveError(f"objective: {what}", why=f"{text}\n{' ' * position}^", hint=hint)
