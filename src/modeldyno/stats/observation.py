"""What the server used in the measured phase, from samples of its processes, of the GPUs and of its metrics."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import numpy as np

from modeldyno.records.observation import Gpu, GpuUse, MetricChange, MetricSample, ObservedProcess, ServerUse
from modeldyno.records.requests import Outcome

MOST_CHANGES = 8
_TELLING = ("request", "infer", "token", "queue", "batch", "error", "fail", "preempt", "cache", "latency", "duration")
"""What a series is about, the most telling first; others come after them, those about the exporter itself last."""
_ABOUT_ITSELF = ("python_", "process_", "promhttp_", "scrape_", "go_")


def measured_window(requests: np.ndarray) -> tuple[int, int] | None:
    """First planned moment of the measured phase to its last answer (or plan), ns; None when nothing was measured."""
    rows = requests[requests["measured"] & (requests["outcome"] != Outcome.NOT_SENT)]
    if not len(rows):
        return None
    return int(rows["planned_ns"].min()), int(max(rows["planned_ns"].max(), rows["done_ns"].max()))


def summarise_server(
    observations: np.ndarray,
    requests: np.ndarray,
    *,
    processes: Sequence[ObservedProcess],
    found_by: Literal["pid", "port"],
) -> ServerUse | None:
    """The samples within the measured phase as one record; None with fewer than two samples around it.

    Growing counts are interpolated linearly to the ends of the phase, so that a phase of a second is not off by a
    whole interval between samples.
    """
    ends = _ends_of(observations, measured_window(requests))
    if ends is None:
        return None
    start, end = ends
    inside = observations[(observations["moment_ns"] >= start) & (observations["moment_ns"] <= end)]
    seen = inside if len(inside) else observations
    seconds = (end - start) / 1e9
    cpu_ns = _growth(observations, "cpu_ns", start, end)
    answered = _answered(requests)
    joules = _growth(observations, "energy_uj", start, end) / 1e6
    has_quota, has_energy = observations["throttled_ns"][-1] >= 0, observations["energy_uj"][-1] >= 0
    return ServerUse(
        processes=tuple(processes),
        found_by=found_by,
        samples=len(inside),
        sample_cost_ns=float(np.median(observations["cost_ns"])),
        cpu_cores=cpu_ns / (end - start),
        cpu_cores_peak=max([cpu_ns / (end - start), *(cores for _, cores in cores_over_time(inside))]),
        cpu_ns_per_request=cpu_ns / answered if answered else None,
        resident_peak_bytes=int(seen["resident_bytes"].max()),
        threads_peak=int(seen["threads"].max()),
        voluntary_switches_per_s=_growth(observations, "voluntary_switches", start, end) / seconds,
        involuntary_switches_per_s=_growth(observations, "involuntary_switches", start, end) / seconds,
        throttled_ns=round(_growth(observations, "throttled_ns", start, end)) if has_quota else None,
        throttled_periods=round(_growth(observations, "throttled_periods", start, end)) if has_quota else None,
        energy_joules=joules if has_energy else None,
        energy_joules_per_request=joules / answered if has_energy and answered else None,
    )


def summarise_gpus(samples: np.ndarray, requests: np.ndarray, gpus: Sequence[Gpu]) -> tuple[GpuUse, ...]:
    """The samples (`GPU_DTYPE`) of each GPU within the measured phase; without those that were not seen in it."""
    window, answered = measured_window(requests), _answered(requests)
    found = (_gpu_use(samples[samples["gpu"] == gpu.index], window, answered, gpu) for gpu in gpus)
    return tuple(one for one in found if one is not None)


def _gpu_use(samples: np.ndarray, window: tuple[int, int] | None, answered: int, gpu: Gpu) -> GpuUse | None:
    ends = _ends_of(samples, window)
    if ends is None:
        return None
    start, end = ends
    inside = samples[(samples["moment_ns"] >= start) & (samples["moment_ns"] <= end)]
    seen = inside if len(inside) else samples
    utilisation, memory, power = (_told(seen[name]) for name in ("utilisation", "memory_bytes", "power_mw"))
    joules = _growth(samples, "energy_mj", start, end) / 1e3 if len(_told(samples["energy_mj"])) else None
    watts = float(power.mean()) / 1e3 if len(power) else None
    return GpuUse(
        gpu=gpu,
        samples=len(inside),
        utilisation=float(utilisation.mean()) if len(utilisation) else None,
        utilisation_peak=float(utilisation.max()) if len(utilisation) else None,
        memory_peak_bytes=int(memory.max()) if len(memory) else None,
        power_watts=joules / (end - start) * 1e9 if joules is not None else watts,
        energy_joules=joules,
        energy_joules_per_request=joules / answered if joules is not None and answered else None,
    )


def _told(values: np.ndarray) -> np.ndarray:
    """All of them, or none when the GPU was silent at a moment: a mean over the others would be of other moments."""
    return values.astype(np.float64) if (values >= 0).all() else np.empty(0)


def _answered(requests: np.ndarray) -> int:
    return int((requests["measured"] & (requests["outcome"] == Outcome.OK)).sum())


def _ends_of(samples: np.ndarray, window: tuple[int, int] | None) -> tuple[int, int] | None:
    """Where samples and measured phase begin and end together; None where they do not meet."""
    if window is None or len(samples) < 2:
        return None
    start, end = max(window[0], int(samples["moment_ns"][0])), min(window[1], int(samples["moment_ns"][-1]))
    return (start, end) if end > start else None


def _growth(observations: np.ndarray, name: str, start: int, end: int) -> float:
    moments = observations["moment_ns"].astype(np.float64)
    low, high = np.interp((start, end), moments, observations[name].astype(np.float64))
    return float(high - low)


def cores_over_time(observations: np.ndarray) -> list[tuple[float, float]]:
    """(middle of the interval in ns, processors used in it) between each two neighbouring samples."""
    moments = observations["moment_ns"].astype(np.float64)
    took = np.diff(moments)
    used = np.diff(observations["cpu_ns"].astype(np.float64))
    real = took > 0
    middles = (moments[1:] + moments[:-1])[real] / 2
    return list(zip(middles.tolist(), (used[real] / took[real]).tolist(), strict=True))


def metric_changes(samples: Sequence[MetricSample], window: tuple[int, int] | None) -> tuple[MetricChange, ...]:
    """The growing series that tell most, with their growth per second over the measured phase.

    From the last scrape before the phase (or the first one) to the first after it (or the last). A series that was
    reset in between, that did not grow, or that was scraped once only is left out.
    """
    series: dict[tuple[str, str], list[MetricSample]] = defaultdict(list)
    for one in samples:
        if is_cumulative(one.name, one.kind):
            series[one.name, one.labels].append(one)
    changes = []
    for (name, labels), points in series.items():
        first, last = _ends(points, window) if window is not None else (points[0], points[-1])
        if last.moment_ns > first.moment_ns and last.value > first.value:
            per_s = (last.value - first.value) / (last.moment_ns - first.moment_ns) * 1e9
            changes.append(MetricChange(name=name, labels=labels, per_s=per_s))
    return tuple(sorted(changes, key=_rank)[:MOST_CHANGES])


def is_cumulative(name: str, kind: str) -> bool:
    """Whether a series only grows: a counter, or the count and the sum of a histogram or a summary.

    Buckets grow too, but say nothing that their count does not, a hundred times.
    """
    if name.endswith(("_bucket", "_created")):
        return False
    return kind == "counter" or (kind in ("histogram", "summary") and name.endswith(("_count", "_sum")))


def _ends(points: Sequence[MetricSample], window: tuple[int, int]) -> tuple[MetricSample, MetricSample]:
    before = [one for one in points if one.moment_ns <= window[0]]
    after = [one for one in points if one.moment_ns >= window[1]]
    return (before or points)[-1 if before else 0], (after or points)[0 if after else -1]


def _rank(change: MetricChange) -> tuple[int, float, str]:
    if change.name.startswith(_ABOUT_ITSELF):
        return len(_TELLING) + 1, -change.per_s, change.name
    places = [place for place, word in enumerate(_TELLING) if word in change.name]
    return min(places, default=len(_TELLING)), -change.per_s, change.name + change.labels
