"""Requests per second over the run, as they were sent and as they were planned."""

import numpy as np

from modeldyno.records.requests import Outcome
from modeldyno.reports.page.axes import scaled_label
from modeldyno.reports.page.server_timeline import Curve

_MOST_STRETCHES = 40
_LEAST_NS = 250_000_000
"""Shorter stretches would show the chance of arrivals and not their rate."""


def rate_curve(requests: np.ndarray) -> Curve | None:
    """The rate in stretches of the plan, warm-up included; None when nothing was sent or the plan is a moment long.

    A closed loop has no plan beside what it sent.
    """
    is_counted = requests["outcome"] != Outcome.INTERRUPTED
    planned_ns, sent_ns = requests["planned_ns"][is_counted], requests["sent_ns"][is_counted]
    was_sent = sent_ns >= 0
    if not was_sent.any():
        return None
    first, last = int(planned_ns.min()), int(planned_ns.max()) + 1
    count = min(_MOST_STRETCHES, (last - first) // _LEAST_NS)
    if count < 2:
        return None
    edges = np.linspace(first, last, count + 1)
    is_late = bool((sent_ns > planned_ns)[was_sent].any())
    return Curve(
        name="requests/s" + (" sent, dashed as planned" if is_late else ""),
        write=scaled_label,
        points=_rates(sent_ns[was_sent], edges),
        end_s=(last - first) / 1e9,
        beside=_rates(planned_ns, edges) if is_late else (),
    )


def _rates(moments_ns: np.ndarray, edges: np.ndarray) -> list[tuple[float, float]]:
    counts, _ = np.histogram(moments_ns, edges)
    middles = ((edges[:-1] + edges[1:]) / 2 - edges[0]) / 1e9
    return list(zip(middles.tolist(), (counts / np.diff(edges) * 1e9).tolist(), strict=True))
