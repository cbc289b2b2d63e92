"""The knee of a curve of latency against rate: where a request begins to wait more than it is served.

The rate at which a latency is twice the smallest of the curve. In an M/M/1 queue the mean response time S / (1 - u)
is twice the service time S at half load u, which is also where the power, rate over response time, is greatest: the
knee of L. Kleinrock, "Power and deterministic rules of thumb for probabilistic problems in computer communications",
ICC 1979.
The greatest curvature (Kneedle: Satopää and others, 2011) was not chosen: it moves with the scales of the axes and
needs many more points than a search measures. The smallest value is the base, not the one at the lowest rate: an idle
processor wakes up slowly, so that few requests are often slower than many.
"""

import math
from collections.abc import Sequence

from modeldyno.records.capacity import Knee, Probe

FACTOR = 2.0
_LEAST_POINTS = 3
_LEVELS = (("p99", "p99_ns"), ("p95", "p95_ns"), ("p90", "p90_ns"), ("p50", "p50_ns"))


def find_knee(probes: Sequence[Probe]) -> Knee | None:
    """The knee of the highest level that enough probes support and that reaches twice its base; None without one."""
    for level, field in _LEVELS:
        points = level_curve(probes, field)
        if len(points) < _LEAST_POINTS:
            continue
        base = min(value for _, value in points)
        rate = _last_crossing(points, FACTOR * base)
        if rate is not None:
            return Knee(rate_per_s=rate, level=level, base_ns=base)
    return None


def level_curve(probes: Sequence[Probe], field: str) -> list[tuple[float, float]]:
    """Rate and latency in ns, by rate, where the level is supported; of several probes at one rate the longest."""
    best: dict[float, tuple[int, float]] = {}
    for one in probes:
        estimate = getattr(one.response_time, field)
        if one.verdict.answer == "client_limited" or estimate is None or estimate.value <= 0:
            continue
        if one.duration_ns >= best.get(one.rate_per_s, (0, 0.0))[0]:
            best[one.rate_per_s] = (one.duration_ns, estimate.value)
    return [(rate, best[rate][1]) for rate in sorted(best)]


def _last_crossing(points: Sequence[tuple[float, float]], height: float) -> float | None:
    """Where the curve crosses `height` for good, on a straight line between logarithms."""
    if points[-1][1] < height:
        return None
    below = max((index for index, (_, value) in enumerate(points) if value < height), default=None)
    if below is None:
        return None
    (left, low), (right, high) = points[below], points[below + 1]
    share = math.log(height / low) / math.log(high / low)
    return left * math.exp(share * math.log(right / left))
