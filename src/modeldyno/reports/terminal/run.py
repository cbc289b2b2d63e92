"""A load run as text, and the lines of a load measurement that a search's proof shares with it."""

from modeldyno.records.run import LatencySummary, ResponseSplit, Run, Summary
from modeldyno.records.workload import EffectiveWorkload
from modeldyno.reports.estimates import duration_text, failures_text, plural
from modeldyno.reports.headline import run_headline
from modeldyno.reports.kinds import KINDS_HEADING, kind_rows
from modeldyno.reports.offered import delivered_text, offered_text, phases_text, questions_text, rows_text
from modeldyno.reports.server import (
    activity_facts,
    floor_text,
    gpu_facts,
    is_silent,
    metric_rows,
    queueing_facts,
    server_facts,
    split_source_text,
)
from modeldyno.reports.terminal.layout import entry, joined, spaced, table
from modeldyno.reports.terminal.place import machine_lines
from modeldyno.reports.terminal.scenario import scenario_lines
from modeldyno.reports.terminal.tokens import token_lines
from modeldyno.reports.terminal.verdicts import headline_lines, measurement_lines, objective_lines
from modeldyno.reports.tokens import prompting_text
from modeldyno.reports.wording import LATENCY_LEVELS, SPLIT_PARTS
from modeldyno.units import format_duration, format_fraction, format_rate, format_size


def run_text(run: Run) -> str:
    """The verdict, what was offered, the latency table, the split, the objectives."""
    lines = [
        *headline_lines(run_headline(run)),
        "",
        *scenario_lines(run.scenario),
        "",
        *_offered(run),
        *machine_lines(run.environment),
        *_floor(run),
        "",
    ]
    if run.summary is not None:
        lines += [
            *_delivered(run.summary),
            "",
            *latency_table(run.summary),
            *_kinds(run.summary),
            *token_lines(run.summary.tokens),
            "",
            *split_lines(run.summary.split),
            "",
        ]
    estimated = "; ".join(f"{name} {value}" for name, value in queueing_facts(run))
    lines += [*(entry("estimate", estimated) if estimated else []), "", *_server(run), ""]
    if run.verdict is not None:
        lines += [*measurement_lines(run.verdict), "", *objective_lines(run.verdict.objectives)]
    return joined(lines)


def _offered(run: Run) -> list[str]:
    asked = run.requested
    lines = [
        *entry("target", spaced(asked.url, f"model {asked.model}")),
        *entry("load", spaced(offered_text(asked), phases_text(asked), rows_text(asked), f"seed {asked.seed}")),
    ]
    if asked.prompting is not None:
        lines += entry("prompts", prompting_text(asked.prompting))
    if run.effective is not None:
        done = run.effective
        memory = done.server_peak_memory_bytes
        used = (
            plural(done.connections, "connection"),
            plural(done.reconnects, "reconnect") if done.reconnects else "",
            _sending_text(done),
            f"server peak memory {format_size(memory)}" if memory is not None else "",
            questions_text(asked, done),
        )
        lines += entry("used", spaced(*used))
    return lines


def _sending_text(done: EffectiveWorkload) -> str:
    awake = ""
    if done.awake_fraction is not None:
        awake = " awake" if done.awake_fraction > 0.995 else f" awake {format_fraction(done.awake_fraction, 0)}"
    return f"{done.workers} sending{awake}, busiest at {format_fraction(done.client_cpu_fraction, 0)} CPU"


def _delivered(summary: Summary) -> list[str]:
    goodput = summary.goodput_per_s
    rates = (
        delivered_text(summary),
        f"answered {format_rate(summary.answered_per_s)}",
        f"goodput {format_rate(goodput)}" if goodput is not None else "",
        f"items {format_rate(summary.items_per_s)}",
    )
    return [
        *entry("delivered", spaced(*rates)),
        *entry("failures", failures_text(summary.failures, summary.requests)),
    ]


def _floor(run: Run) -> list[str]:
    return entry("floor", floor_text(run.floor)) if run.floor is not None else []


def _server(run: Run) -> list[str]:
    """What its processes used, and how its own counters grew."""
    lines: list[str] = []
    if run.server is not None:
        lines += entry("server", spaced(*(f"{name} {value}" for name, value in server_facts(run.server))))
    lines += [line for name, text in gpu_facts(run.gpus) for line in entry(name, text)]
    if run.activity is not None:
        facts = (f"{name} {value}" for name, value in activity_facts(run.activity))
        lines += ["", *entry("statistics", spaced(*facts))]
    if run.metrics:
        lines += [
            "",
            "growth of the server's counters",
            *table("rw", [(growth, name) for name, growth in metric_rows(run.metrics)]),
        ]
    return lines


def _kinds(summary: Summary) -> list[str]:
    return (
        ["", "response time by kind", *table("lrreee", [KINDS_HEADING, *kind_rows(summary)])] if summary.kinds else []
    )


def latency_table(summary: Summary) -> list[str]:
    """Response time, service time and lateness side by side; an en dash where the sample supports no percentile."""
    columns: tuple[LatencySummary, ...] = (summary.response_time, summary.service_time, summary.lateness)
    rows: list[tuple[str, ...]] = [("", "response time", "service time", "lateness of sends")]
    rows += [(name, *(duration_text(getattr(column, field)) for column in columns)) for name, field in LATENCY_LEVELS]
    return table("leee", rows)


def split_lines(split: ResponseSplit | None) -> list[str]:
    """`split      mean 1.20 ms = client wait 52.0 µs + transmission 310 µs + ...`."""
    if split is None:
        return []
    parts = [(name, getattr(split, field)) for name, field in SPLIT_PARTS]
    known = [f"{name} {format_duration(part)}" for name, part in parts if part or (part == 0 and name != "connect")]
    unknown = [name for name, part in parts if part is None]
    gap = f"{', '.join(unknown)}: not reported by the server; " if unknown and not is_silent(split) else ""
    tail = (gap + split_source_text(split)).removesuffix("; ")
    whole = f"mean {format_duration(split.response_ns)} = {' + '.join(known)}"
    return entry("split", f"{whole} ({tail})" if tail else whole)
