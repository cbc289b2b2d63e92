"""A load run as text, and the lines of a load measurement that a search's proof shares with it."""

from modeldyno.records.run import LatencySummary, ResponseSplit, Run, Summary
from modeldyno.reports.estimates import duration_text, failures_text, plural
from modeldyno.reports.headline import run_headline
from modeldyno.reports.offered import delivered_text, offered_text, phases_text, rows_text
from modeldyno.reports.server import floor_text, metric_rows, queueing_facts, server_facts
from modeldyno.reports.terminal.layout import entry, joined, spaced, table
from modeldyno.reports.terminal.place import machine_lines
from modeldyno.reports.terminal.verdicts import headline_lines, measurement_lines, objective_lines
from modeldyno.reports.wording import LATENCY_LEVELS, SPLIT_PARTS
from modeldyno.units import format_duration, format_fraction, format_rate, format_size


def run_text(run: Run) -> str:
    """The verdict, what was offered, the latency table, the split, the objectives."""
    lines = [*headline_lines(run_headline(run)), "", *_offered(run), *machine_lines(run.environment), *_floor(run), ""]
    if run.summary is not None:
        lines += [*_delivered(run.summary), "", *latency_table(run.summary), "", *split_lines(run.summary.split), ""]
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
    if run.effective is not None:
        done = run.effective
        memory = done.server_peak_memory_bytes
        used = (
            plural(done.connections, "connection"),
            plural(done.reconnects, "reconnect") if done.reconnects else "",
            f"{done.workers} sending, busiest at {format_fraction(done.client_cpu_fraction, 0)} CPU",
            f"server peak memory {format_size(memory)}" if memory is not None else "",
        )
        lines += entry("used", spaced(*used))
    return lines


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
    if run.metrics:
        lines += [
            "",
            "growth of the server's counters",
            *table("rw", [(growth, name) for name, growth in metric_rows(run.metrics)]),
        ]
    return lines


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
    known = [f"{name} {format_duration(part)}" for name, part in parts if part is not None]
    unknown = [name for name, part in parts if part is None]
    tail = f" ({', '.join(unknown)}: not reported by the server)" if unknown else ""
    return entry("split", f"mean {format_duration(split.response_ns)} = {' + '.join(known)}{tail}")
