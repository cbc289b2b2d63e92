"""What differs between two runs beside the numbers, and what of it forbids to conclude anything about the servers."""

from collections.abc import Mapping
from typing import Any

import msgspec

from modeldyno.records.comparison import Difference
from modeldyno.records.environment import Environment
from modeldyno.records.workload import Workload

_OF_THE_TARGET = frozenset({"url", "seed"})
"""Differ between any two runs, or do not matter: another seed is another draw of the same load."""
_HARMLESS = frozenset(
    {
        "model",
        "requests",
        "warmup_requests",
        "connections",
        "max_connections",
        "workers",
        "timeout_ns",
        "duration_ns",
        "awake",
    }
)
"""Shown, but the load is of the same kind: how long, from how many senders."""
_PASSING = frozenset({"load_average_1min"})


def environment_differences(a: Environment, b: Environment) -> list[Difference]:
    """Machine and libraries, the libraries one by one; the load average, which is never the same twice, is left out."""
    return _differences(_fields(a), _fields(b), ignored=_PASSING)


def workload_differences(a: Workload, b: Workload) -> list[Difference]:
    """What was asked: a difference in rate, arrivals or rows forbids a verdict."""
    fields = _fields(a), _fields(b)
    found = _differences(*fields, ignored=_OF_THE_TARGET)
    return [msgspec.structs.replace(one, forbids_verdict=one.name.partition(".")[0] not in _HARMLESS) for one in found]


def differences_of(a: Mapping[str, str], b: Mapping[str, str]) -> list[Difference]:
    """Named facts that are not the same on both sides."""
    return _differences(a, b, ignored=frozenset())


def _fields(record: msgspec.Struct) -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in msgspec.structs.asdict(record).items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{key}": _text(one) for key, one in value.items()}
        else:
            flat[name] = _text(value)
    return flat


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return ", ".join(_text(one) for one in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _differences(a: Mapping[str, str], b: Mapping[str, str], *, ignored: frozenset[str]) -> list[Difference]:
    names = dict.fromkeys((*a, *b))
    return [
        Difference(name=name, a=a.get(name, "none"), b=b.get(name, "none"))
        for name in names
        if name not in ignored and a.get(name, "none") != b.get(name, "none")
    ]
