"""From the probes of a search to its answer: the interval of the capacity, what limits it, and what would help."""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from modeldyno.records.base import Estimate
from modeldyno.records.capacity import Capacity, Outcome, Probe
from modeldyno.stats.knee import find_knee
from modeldyno.units import format_fraction, format_rate

_SLACK = 1.0001


class Bracket(NamedTuple):
    """What the probes say together."""

    passed: Probe | None
    """Of the highest rate that passed below every rate that did not hold."""
    failed: Probe | None
    """Of the lowest rate that failed, or where the client was the limit."""
    undecided: tuple[Probe, ...]
    """Between both, by rate."""
    is_confirmed: bool


def bracket_of(probes: Sequence[Probe]) -> Bracket:
    """The state of the search. A confirming probe outranks the others at its rate."""
    latest: dict[float, Probe] = {}
    for one in probes:
        if one.rate_per_s not in latest or one.purpose == "confirm":
            latest[one.rate_per_s] = one
    by_rate = [latest[rate] for rate in sorted(latest)]
    failed = next((one for one in by_rate if one.verdict.answer in ("fail", "client_limited")), None)
    below = [one for one in by_rate if failed is None or one.rate_per_s < failed.rate_per_s]
    passed = next((one for one in reversed(below) if one.verdict.answer == "pass"), None)
    undecided = tuple(
        one
        for one in below
        if one.verdict.answer == "undecided" and (passed is None or one.rate_per_s > passed.rate_per_s)
    )
    return Bracket(passed, failed, undecided, is_confirmed=passed is not None and passed.purpose == "confirm")


def open_gap(bracket: Bracket, precision: float) -> tuple[float, float] | None:
    """Two neighbouring rates that are further apart than the precision, the lower gap first, for it raises the answer.

    With an undecided zone between the highest passing and the lowest failing rate there are two gaps, one on each
    side of the zone. Without a passing rate there is nothing to raise.
    """
    if bracket.passed is None:
        return None
    edges = [bracket.passed.rate_per_s]
    if bracket.undecided:
        edges += [bracket.undecided[0].rate_per_s, bracket.undecided[-1].rate_per_s]
    if bracket.failed is not None:
        edges.append(bracket.failed.rate_per_s)
    gaps = zip(edges[::2], edges[1::2], strict=False)
    return next(((low, high) for low, high in gaps if high > low * (1 + precision) * _SLACK), None)


def concluded(record: Capacity, why: str) -> Capacity:
    """The record with its answer.

    Args:
        record: with its probes.
        why: how the search came to its end: `settled`, `budget` or `interrupted`.
    """
    bracket = bracket_of(record.probes)
    zone = [one.rate_per_s for one in bracket.undecided]
    outcome = _outcome(bracket, why, record.settings.precision)
    return replace(
        record,
        outcome=outcome,
        passed_per_s=bracket.passed.rate_per_s if bracket.passed else None,
        confirmed=bracket.is_confirmed,
        failed_per_s=bracket.failed.rate_per_s if bracket.failed else None,
        undecided=Estimate(value=(zone[0] * zone[-1]) ** 0.5, low=zone[0], high=zone[-1]) if zone else None,
        limit=_limit(bracket, record),
        knee=find_knee(record.probes),
        advice=_advice(record, bracket, outcome),
    )


def _outcome(bracket: Bracket, why: str, precision: float) -> Outcome:
    if why == "interrupted":
        return "interrupted"
    passed, failed = bracket.passed, bracket.failed
    if failed is not None and failed.verdict.answer == "client_limited":
        return "client_limited"
    if failed is not None and passed is None and not bracket.undecided:
        return "none"
    is_closed = bracket.is_confirmed and failed is not None and open_gap(bracket, precision) is None
    if why == "budget" and not is_closed:
        return "budget"
    if not bracket.is_confirmed or (failed is None and bracket.undecided):
        return "undecided"
    return "ceiling" if failed is None else "found"


def _limit(bracket: Bracket, record: Capacity) -> str:
    failed, ceiling = bracket.failed, record.settings.up_to_per_s
    if failed is not None:
        who = "the client was the limit" if failed.verdict.answer == "client_limited" else "the service failed"
        return f"{who} at {format_rate(failed.rate_per_s)}: {failed.verdict.reason}"
    if ceiling is not None and bracket.passed is not None and bracket.passed.rate_per_s >= ceiling:
        return f"{format_rate(ceiling)} was the highest rate allowed (--up-to)"
    return ""


def _advice(record: Capacity, bracket: Bracket, outcome: Outcome) -> tuple[str, ...]:
    settings = record.settings
    advice = []
    if outcome == "none":
        advice.append(f"even {format_rate(settings.from_per_s)} fails; look lower with --from, or relax the objectives")
    if outcome in ("budget", "interrupted"):
        advice.append("the same command goes on where this search stopped; give it a longer --budget")
    if outcome == "client_limited":
        advice.append("add --workers, free a core, or load from another machine: the server may be able to do more")
    if bracket.undecided:
        advice.append("a longer --longest-probe would decide more of the undecided rates")
    if outcome == "found" and bracket.passed is not None and bracket.failed is not None:
        width = bracket.failed.rate_per_s / bracket.passed.rate_per_s - 1
        if width > settings.precision * 1.001:
            advice.append(
                f"the interval is {format_fraction(width)} wide, where {format_fraction(settings.precision)} was asked"
            )
    return tuple(advice)
