"""The text format of Prometheus metrics, read and written.

It is read tolerantly: a line that is not understood is left out, and counted.

Sources: "Exposition formats", Text-based format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats) and
OpenMetrics 1.0 (its `# EOF`, units, exemplars and `_created` series are accepted).
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABELS = r'\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\}'
_SAMPLE = re.compile(rf"^({_NAME})\s*({_LABELS})?\s+(\S+)(?:\s+[-+]?[0-9.]+)?(?:\s+#.*)?\s*$")
_TYPE = re.compile(rf"^#\s*TYPE\s+({_NAME})\s+(\w+)\s*$")
_SUFFIXES = ("_total", "_bucket", "_count", "_sum", "_created")


TEXT = b"text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = b"application/openmetrics-text; version=1.0.0; charset=utf-8"


class Exposed(NamedTuple):
    """One number of an exposition."""

    name: str
    labels: str
    """As written, with the braces and without spaces around them; empty without labels."""
    value: float
    kind: str
    """`counter`, `gauge`, `histogram`, `summary` or `untyped`."""


class Exposition(NamedTuple):
    """What one scrape gave."""

    samples: tuple[Exposed, ...]
    unread_lines: int
    """Lines that are no comment, not empty and no sample."""


def parse_exposition(text: str) -> Exposition:
    """The samples of a scrape; NaN and infinite values are left out, for they have no place in a difference."""
    kinds: dict[str, str] = {}
    samples: list[Exposed] = []
    unread = 0
    for line in text.split("\n"):  # `splitlines` would split at what Unicode calls a line end, within labels too
        declared = _TYPE.match(line)
        if declared:
            kinds[declared[1]] = declared[2].replace("unknown", "untyped")
            continue
        if not line.strip() or line.startswith("#"):
            continue
        found = _SAMPLE.match(line)
        value = _number(found[3]) if found else None
        if found is None or value is None:
            unread += 1
        elif math.isfinite(value):
            samples.append(Exposed(found[1], found[2] or "", value, _kind(found[1], kinds)))
    return Exposition(tuple(samples), unread)


class Series(NamedTuple):
    """A number with its labels."""

    labels: tuple[tuple[str, str], ...]
    value: float


class Buckets(NamedTuple):
    """A distribution with its labels."""

    labels: tuple[tuple[str, str], ...]
    bounds: Sequence[float]
    """The largest value of each bucket, ascending."""
    counts: Sequence[int]
    """Of each bucket for itself, and of what is above all bounds."""
    total: float
    """The sum of the values."""


class Family(NamedTuple):
    """All series of one name. A counter's name says what it counts, with or without the suffix `_total`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    explanation: str
    series: Sequence[Series | Buckets]


def prefers_openmetrics(accept: bytes) -> bool:
    """Whether an `Accept` header (RFC 9110, 12.5.1) puts OpenMetrics before the older text format."""
    weights = {b"application/openmetrics-text": 0.0, b"text/plain": 0.0}
    for offer in accept.lower().split(b","):
        media, *parameters = (part.strip() for part in offer.split(b";"))
        if media in weights:
            weight = next((part[2:] for part in parameters if part.startswith(b"q=")), b"1")
            weights[media] = _number(weight.decode("latin-1")) or 0.0
    return weights[b"application/openmetrics-text"] > weights[b"text/plain"]


def format_exposition(families: Iterable[Family], *, openmetrics: bool = False) -> bytes:
    """The answer to a scrape; its media type is `TEXT` or `OPENMETRICS`."""
    lines = [line for family in families for line in _lines(family, openmetrics=openmetrics)]
    if openmetrics:
        lines.append("# EOF")
    return "\n".join([*lines, ""]).encode()


def _lines(family: Family, *, openmetrics: bool) -> Iterator[str]:
    name, kind = family.name, str(family.kind)
    if openmetrics and kind == "counter":
        # There a counter's series must end in _total. Triton's names do not, and are worth more than their type.
        kind = "counter" if name.endswith("_total") else "unknown"
        name = name.removesuffix("_total")
    explanation = family.explanation.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {name} {explanation.replace(chr(34), chr(92) + chr(34)) if openmetrics else explanation}"
    yield f"# TYPE {name} {kind}"
    for one in family.series:
        if isinstance(one, Buckets):
            yield from _bucket_lines(name, one)
        else:
            yield f"{family.name}{_braces(_pairs(one.labels))} {_value(one.value)}"


def _bucket_lines(name: str, one: Buckets) -> Iterator[str]:
    pairs = _pairs(one.labels)
    start = f'{name}_bucket{{{pairs}{"," if pairs else ""}le="'
    running = list(accumulate(one.counts))
    for bound, count in zip(one.bounds, running, strict=False):
        yield f'{start}{float(bound)!r}"}} {count}'
    yield f'{start}+Inf"}} {running[-1]}'
    yield f"{name}_sum{_braces(pairs)} {_value(one.total)}"
    yield f"{name}_count{_braces(pairs)} {running[-1]}"


def _pairs(labels: Iterable[tuple[str, str]]) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels)


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _braces(pairs: str) -> str:
    return f"{{{pairs}}}" if pairs else ""


def _value(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'+' if value > 0 else '-'}Inf"
    return repr(value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _kind(name: str, kinds: dict[str, str]) -> str:
    """The declared type; a histogram's series, and OpenMetrics' counters, carry a suffix that its declaration lacks."""
    if name in kinds:
        return kinds[name]
    for suffix in _SUFFIXES:
        family = kinds.get(name.removesuffix(suffix)) if name.endswith(suffix) else None
        if family is not None:
            return family
    return "untyped"
