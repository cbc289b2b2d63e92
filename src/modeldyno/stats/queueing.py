"""How much of the service time is queueing, estimated from a low load, where the server tells nothing itself."""

import math

from modeldyno.records.base import Estimate
from modeldyno.records.run import LowLoad, QueueingEstimate, Summary


def estimate_queueing(summary: Summary, low: LowLoad | None) -> QueueingEstimate | None:
    """The mean service time beyond that of a low load, and what it means in requests.

    At a tenth of the rate nearly nobody waits, so that the service time there is transmission and computing; what is
    beyond it under load is queueing, wherever it is, and the price of a busier processor. Little's law (J. D. C.
    Little, Operations Research 9, 1961: L = lambda W) turns times into mean numbers of requests. The interval is that
    of a difference of two independent means.

    Returns:
        None without a mean on either side, or when nothing was answered.
    """
    mean = summary.service_time.mean_ns
    if low is None or mean is None:
        return None
    value = mean.value - low.service_ns.value
    halves = [_half_width(mean), _half_width(low.service_ns)]
    known = [half for half in halves if half is not None]
    half = math.hypot(*known) if len(known) == len(halves) else None
    queueing = Estimate(
        value=value,
        low=value - half if half is not None else None,
        high=value + half if half is not None else None,
    )
    per_ns = summary.answered_per_s / 1e9
    return QueueingEstimate(
        queueing_ns=queueing, waiting_requests=max(0.0, value) * per_ns, requests_in_flight=mean.value * per_ns
    )


def _half_width(estimate: Estimate) -> float | None:
    if estimate.low is None or estimate.high is None:
        return None
    return (estimate.high - estimate.low) / 2
