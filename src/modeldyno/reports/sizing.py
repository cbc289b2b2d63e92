"""What the terminal and the page say of a search for capacity."""

from modeldyno.records.capacity import Capacity, Probe, ProbeAnswer, Purpose
from modeldyno.records.run import LatencySummary
from modeldyno.reports.estimates import duration_text
from modeldyno.reports.headline import Headline
from modeldyno.units import format_duration, format_rate

PROBE_WORDS: dict[ProbeAnswer, str] = {
    "pass": "pass",
    "fail": "fail",
    "undecided": "undecided",
    "client_limited": "client limited",
}
PURPOSE_WORDS: dict[Purpose, str] = {"climb": "climbing", "bisect": "narrowing down", "confirm": "confirming"}
TAIL = ("p99", "p95", "p90", "p50")


def capacity_headline(record: Capacity) -> Headline:
    """The answer first: the highest rate that held, and how sure that is."""
    passed, limit = _rate(record.passed_per_s), _sentence(record.limit)
    if record.outcome == "found":
        title = f"Capacity {passed}"
        detail = f"The highest rate that met every objective, confirmed by a longer run. {_upwards(record)}"
        return Headline(answer="pass", title=title, detail=detail.strip())
    if record.outcome == "ceiling":
        return Headline(
            answer="pass", title=f"Capacity at least {passed}", detail=f"Confirmed by a longer run. {limit}"
        )
    if record.outcome == "none":
        return Headline(
            answer="fail", title=f"No rate from {format_rate(record.settings.from_per_s)} on holds", detail=limit
        )
    held = f"{passed} passed{'' if record.confirmed else ', not confirmed'}" if passed else "No rate passed"
    if record.outcome == "client_limited":
        return Headline(
            answer="cannot_tell", title="The client was the limit, not the server", detail=f"{held}. {limit}"
        )
    title = {"interrupted": "Stopped", "budget": "The budget was spent", "undecided": "Undecided"}.get(
        record.outcome or "", "Not finished"
    )
    return Headline(answer="cannot_tell", title=title, detail=f"{held}. {_upwards(record)}".strip())


def _rate(value: float | None) -> str:
    return "" if value is None else format_rate(value)


def _upwards(record: Capacity) -> str:
    """What is known above the highest passing rate."""
    parts = []
    if record.undecided is not None and record.undecided.low is not None and record.undecided.high is not None:
        low, high = format_rate(record.undecided.low), format_rate(record.undecided.high)
        zone = low if low == high else f"{low} to {high}"
        parts.append(f"Undecided at {zone}.")
    if record.limit:
        parts.append(_sentence(record.limit))
    return " ".join(parts)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""


def interval_text(record: Capacity) -> str:
    """`[380/s, 400/s]`: the highest rate that passed and the lowest that did not hold."""
    low = "none passed" if record.passed_per_s is None else format_rate(record.passed_per_s)
    high = "none failed" if record.failed_per_s is None else format_rate(record.failed_per_s)
    return f"[{low}, {high}]"


def knee_text(record: Capacity) -> str:
    """Where a request begins to wait more than it is served; empty when the curve shows no knee."""
    if record.knee is None:
        return ""
    knee = record.knee
    return f"{format_rate(knee.rate_per_s)}, where {knee.level} is twice its smallest, {format_duration(knee.base_ns)}"


def by_rate(record: Capacity) -> list[Probe]:
    """The probes by rate; a confirming one after the others at its rate."""
    return sorted(record.probes, key=lambda one: (one.rate_per_s, one.purpose == "confirm"))


def level_text(latency: LatencySummary, field: str) -> str:
    """A latency level of a probe."""
    return duration_text(getattr(latency, field))
