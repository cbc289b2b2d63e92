"""The server's side of a run and the floor of the instrument, in words that terminal, page and Markdown share."""

from collections.abc import Sequence

from modeldyno.records.model_statistics import Executions, ModelActivity
from modeldyno.records.observation import GpuUse, MetricChange, ServerUse
from modeldyno.records.run import Floor, ResponseSplit, Run
from modeldyno.reports.estimates import duration_text, plural
from modeldyno.units import format_duration, format_fraction, format_number, format_rate, format_size

_MOST_SIZES = 6


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
    return "" if use.energy_joules is None else f"{_joules(use)}, the whole machine's processors"


def _joules(use: ServerUse | GpuUse) -> str:
    """`1,420 J, 284 mJ a request`."""
    each = use.energy_joules_per_request
    return format_energy(use.energy_joules or 0.0) + (f", {format_energy(each)} a request" if each is not None else "")


def format_energy(joules: float) -> str:
    """`284 mJ`."""
    for unit, size in (("J", 1.0), ("mJ", 1e-3)):
        if joules >= size:
            return f"{format_number(joules / size)} {unit}"
    return f"{format_number(joules * 1e6)} µJ"


def shown_gpus(uses: Sequence[GpuUse]) -> list[GpuUse]:
    """The GPUs that the server is on; where that cannot be seen, those that were at work."""
    return [use for use in uses if use.gpu.has_server] or [use for use in uses if use.utilisation_peak]


def gpu_facts(uses: Sequence[GpuUse]) -> list[tuple[str, str]]:
    """Name of each GPU worth showing, and what it did."""
    return [(f"GPU {use.gpu.index}", _gpu_text(use)) for use in shown_gpus(uses)]


def _gpu_text(use: GpuUse) -> str:
    parts = [use.gpu.name]
    if use.utilisation is not None and use.utilisation_peak is not None:
        parts.append(f"busy {format_fraction(use.utilisation)}, at most {format_fraction(use.utilisation_peak)}")
    if use.memory_peak_bytes is not None:
        whole = f" of {format_size(use.gpu.memory_bytes)}" if use.gpu.memory_bytes is not None else ""
        parts.append(f"memory {format_size(use.memory_peak_bytes)}{whole}")
    if use.power_watts is not None:
        parts.append(f"{format_number(use.power_watts)} W")
    if use.energy_joules is not None:
        parts.append(_joules(use))
    parts.append("the server is on it" if use.gpu.has_server else "whose work it did cannot be seen")
    return "; ".join(parts)


def activity_facts(activity: ModelActivity) -> list[tuple[str, str]]:
    """What the server's own statistics say of the model, in Triton's words."""
    facts = [
        ("answered", f"{plural(activity.answered, 'request')}, {activity.failed:,} failed"),
        ("batches", _batches(activity)),
        ("sizes", _sizes(activity.batches)),
        ("a request took", _times(activity)),
        ("cache", _cache(activity)),
        ("counted", _counted(activity)),
    ]
    return [(name, value) for name, value in facts if value]


def _batches(activity: ModelActivity) -> str:
    if activity.rows_per_execution is None:
        return ""
    return f"{activity.executions:,} executed, {format_number(activity.rows_per_execution)} rows each on average"


def _sizes(batches: Sequence[Executions]) -> str:
    """The sizes executed most often, by size: `1 row 203 times, 4 rows 1,000 times`; nothing when all were equal."""
    if len(batches) < 2:
        return ""
    most = sorted(sorted(batches, key=lambda one: -one.executions)[:_MOST_SIZES], key=lambda one: one.rows)
    told = ", ".join(f"{plural(one.rows, 'row')} {plural(one.executions, 'time')}" for one in most)
    left = len(batches) - len(most)
    return told + (f", and {plural(left, 'other size')}" if left else "")


def _times(activity: ModelActivity) -> str:
    if activity.total_ns is None:
        return ""
    parts = (
        ("queue", activity.queue_ns),
        ("compute input", activity.compute_input_ns),
        ("compute infer", activity.compute_infer_ns),
        ("compute output", activity.compute_output_ns),
    )
    told = ", ".join(f"{name} {format_duration(value)}" for name, value in parts if value is not None)
    return f"{format_duration(activity.total_ns)} on average: {told}"


def _cache(activity: ModelActivity) -> str:
    if not activity.cache_hits and not activity.cache_misses:
        return ""
    return f"{plural(activity.cache_hits, 'hit')}, {activity.cache_misses:,} missed"


def _counted(activity: ModelActivity) -> str:
    begin, end = max(0.0, activity.from_ns / 1e9), activity.to_ns / 1e9
    warmup = ", some of the warm-up included" if activity.has_warmup else ""
    return f"by the server from {begin:.1f} s to {end:.1f} s, everybody's requests{warmup}"


def is_silent(split: ResponseSplit) -> bool:
    """Whether the server says nothing of its times."""
    return split.inference_ns is None and split.transmission_ns is None


def split_source_text(split: ResponseSplit) -> str:
    """Where the server's parts are from."""
    if split.source == "triton statistics":
        return "the server's parts are the means of its own statistics"
    if split.source == "server-timing":
        return "the server's parts are from the Server-Timing of each answer"
    if is_silent(split):
        return "the server says nothing of its times"
    return ""


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
    highest = (
        f"sends on time up to {format_rate(floor.highest_rate_per_s)}"
        if floor.highest_rate_per_s
        else "no rate was sent on time"
    )
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
