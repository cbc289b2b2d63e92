"""The server's side of a run and the floor of the instrument, in words that terminal, page and Markdown share."""

from collections.abc import Sequence

from modeldyno.records.observation import MetricChange, ServerUse
from modeldyno.records.run import Floor, Run
from modeldyno.reports.estimates import duration_text, plural
from modeldyno.units import format_duration, format_number, format_rate, format_size


def server_facts(use: ServerUse) -> list[tuple[str, str]]:
    """Name and value of each fact, the most telling first; what could not be read is left out."""
    switches = (
        f"{format_rate(use.voluntary_switches_per_s)} voluntary, "
        f"{format_rate(use.involuntary_switches_per_s)} involuntary"
    )
    facts = [
        ("CPU", f"{_cores(use.cpu_cores)}, at most {_cores(use.cpu_cores_peak)}"),
        ("CPU a request", format_duration(use.cpu_ns_per_request) if use.cpu_ns_per_request is not None else ""),
        ("memory", f"{format_size(use.resident_peak_bytes)} at most"),
        ("threads", f"{use.threads_peak:,}"),
        ("context switches", switches),
        ("throttled", _throttled(use)),
        ("energy", _energy(use)),
        ("processes", processes_text(use)),
        ("looked", f"{plural(use.samples, 'time')}, {format_duration(use.sample_cost_ns, 2)} of CPU each"),
    ]
    return [(name, value) for name, value in facts if value]


def _cores(cores: float) -> str:
    return f"{format_number(cores, 2)} cores"


def _throttled(use: ServerUse) -> str:
    if use.throttled_ns is None or use.throttled_periods is None:
        return ""
    if not use.throttled_ns:
        return "never, by the cgroup's quota"
    return f"{format_duration(use.throttled_ns)} in {plural(use.throttled_periods, 'period')}, by the cgroup's quota"


def _energy(use: ServerUse) -> str:
    return "" if use.energy_joules is None else f"{format_number(use.energy_joules)} J, the whole machine's processors"


def processes_text(use: ServerUse) -> str:
    """`python 8825, found by its port`."""
    names = ", ".join(f"{one.name} {one.pid}" for one in use.processes)
    return f"{names}, named by --pid" if use.found_by == "pid" else f"{names}, found by the port"


def metric_rows(changes: Sequence[MetricChange]) -> list[tuple[str, str]]:
    """A series as exposed, and its growth per second."""
    return [(one.name + one.labels, f"{format_number(one.per_s)}/s") for one in changes]


def floor_text(floor: Floor) -> str:
    """What the instrument itself costs here: `p50 95.0 µs, p99 610 µs at 500/s; on time up to 10,000/s`."""
    levels = (("p50", floor.response_time.p50_ns), ("p99", floor.response_time.p99_ns))
    costs = ", ".join(f"{name} {format_duration(level.value)}" for name, level in levels if level is not None)
    highest = f"sends on time up to {format_rate(floor.highest_rate_per_s)}"
    return f"{costs} at {format_rate(floor.rate_per_s)} against a server that does nothing; {highest}"


def queueing_facts(run: Run) -> list[tuple[str, str]]:
    """The estimated split, labelled as one; empty where none was asked for or it cannot be made."""
    low, found = run.low_load, run.queueing
    if low is None or found is None:
        return []
    seen, waiting, in_flight = found.queueing_ns, found.waiting_requests, found.requests_in_flight
    is_told = seen.low is not None and seen.low > 0
    law = f"{format_number(waiting)} requests waiting of {format_number(in_flight)} in flight, on average"
    return [
        (
            "without queueing",
            f"{duration_text(low.service_ns)}, the mean service time at {format_rate(low.rate_per_s)}",
        ),
        ("queueing", duration_text(seen) + ("" if is_told else ", which cannot be told from none")),
        ("by Little's law", law),
    ]
