"""The text format of Prometheus metrics, read tolerantly: a line that is not understood is left out, and counted.

Sources: "Exposition formats", Text-based format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats) and
OpenMetrics 1.0 (its `# EOF`, units, exemplars and `_created` series are accepted).
"""

import math
import re
from typing import NamedTuple

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABELS = r'\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\}'
_SAMPLE = re.compile(rf"^({_NAME})\s*({_LABELS})?\s+(\S+)(?:\s+[-+]?[0-9.]+)?(?:\s+#.*)?\s*$")
_TYPE = re.compile(rf"^#\s*TYPE\s+({_NAME})\s+(\w+)\s*$")
_SUFFIXES = ("_total", "_bucket", "_count", "_sum", "_created")


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
    for line in text.splitlines():
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
