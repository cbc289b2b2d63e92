"""A search for capacity as text: the answer, the curve, what would help."""

import shlex

from modeldyno.records.capacity import Capacity, Probe
from modeldyno.reports.estimates import plural
from modeldyno.reports.sizing import (
    PROBE_WORDS,
    PURPOSE_WORDS,
    by_rate,
    capacity_headline,
    interval_text,
    knee_text,
    level_text,
)
from modeldyno.reports.terminal.layout import entries, entry, joined, spaced, table
from modeldyno.reports.terminal.place import machine_lines
from modeldyno.reports.terminal.verdicts import headline_lines
from modeldyno.units import format_duration, format_fraction, format_rate


def capacity_text(record: Capacity) -> str:
    """The answer, the latency against the rate, the knee, and what to do next."""
    asked = ", ".join(one.text for one in record.objectives)
    knee = knee_text(record)
    lines = [
        *headline_lines(capacity_headline(record)),
        "",
        *entry("target", spaced(record.target, f"model {record.model}", asked)),
        *entry("interval", f"{interval_text(record)}, the highest rate that passed and the lowest that did not"),
        *(entry("knee", knee) if knee else []),
        *entry("tried", f"{plural(len(record.probes), 'probe')} in {format_duration(record.elapsed_ns)}"),
        *machine_lines(record.environment),
        "",
        *_curve(record),
        "",
        *entries("advice", record.advice),
        "",
        *(entry("report", record.report) if record.report else []),
        *_next(record),
    ]
    return joined(lines)


def _curve(record: Capacity) -> list[str]:
    if not record.probes:
        return []
    heading = ("", "rate", "answer", "p50", "p99", "failed", "client CPU", "measured", "")
    # The answers stand in a column for estimates, which is never cut.
    return table("lreeerrrl", [heading, *(_row(record, one) for one in by_rate(record))])


def _row(record: Capacity, probe: Probe) -> tuple[str, ...]:
    is_found = probe.rate_per_s == record.passed_per_s and probe.verdict.answer == "pass"
    is_answer = is_found and (probe.purpose == "confirm") == record.confirmed
    failed = probe.requests - probe.answered
    return (
        "▸" if is_answer else "",
        format_rate(probe.rate_per_s),
        PROBE_WORDS[probe.verdict.answer],
        level_text(probe.response_time, "p50_ns"),
        level_text(probe.response_time, "p99_ns"),
        format_fraction(failed / probe.requests) if failed and probe.requests else "0",
        format_fraction(probe.client_cpu_fraction, 0),
        format_duration(probe.duration_ns, 2),
        PURPOSE_WORDS["confirm"] if probe.purpose == "confirm" else "",
    )


def _next(record: Capacity) -> list[str]:
    if record.outcome not in ("found", "ceiling") or record.passed_per_s is None or "://" not in record.target:
        return []
    objectives = ", ".join(one.text for one in record.objectives)
    load = f"dyno load {record.target} --model {record.model} --rate {record.passed_per_s:.0f}"
    return entry("next", f"{load} --duration 60s --slo {shlex.quote(objectives)}")
