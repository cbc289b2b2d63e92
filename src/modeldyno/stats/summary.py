"""From the raw rows of a run to its numbers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modeldyno.records.objective import LATENCY_METRICS, Objective
from modeldyno.records.requests import Outcome
from modeldyno.records.run import ResponseSplit, Summary
from modeldyno.records.workload import Workload
from modeldyno.stats.quantiles import rank_autocorrelation_time, summarise_latency

Floats = NDArray[np.float64]


def summarise(requests: np.ndarray, workload: Workload, objectives: Sequence[Objective]) -> Summary:
    """The measured phase in numbers.

    Args:
        requests: rows of `REQUEST_DTYPE`, in any order; warm-up rows are left out.
        workload: what was asked.
        objectives: the latency limits among them define goodput.
    """
    rows = measured_rows(requests)
    answered = rows[rows["outcome"] == Outcome.OK]
    sent = rows[rows["sent_ns"] >= 0]
    response_ns = response_times(rows)
    duration_ns = _duration_ns(rows)
    seconds = duration_ns / 1e9
    good = _good_requests(response_ns, objectives)
    return Summary(
        requests=len(rows),
        answered=len(answered),
        failures=count_failures(rows),
        duration_ns=duration_ns,
        rate_asked_per_s=workload.rate_per_s,
        rate_delivered_per_s=rate_of(sent["sent_ns"]),
        answered_per_s=_per(len(answered), seconds),
        goodput_per_s=None if good is None else _per(good, seconds),
        items_per_s=_per(int(answered["rows"].sum()), seconds),
        sent_bytes=int(rows["sent_bytes"].sum(dtype=np.int64)),
        received_bytes=int(rows["received_bytes"].sum(dtype=np.int64)),
        response_time=summarise_latency(response_ns),
        service_time=summarise_latency(answered["done_ns"] - answered["sent_ns"]),
        lateness=summarise_latency(sent["sent_ns"] - sent["planned_ns"]),
        split=_split(answered),
        autocorrelation_time=rank_autocorrelation_time(response_ns),
    )


def measured_rows(requests: np.ndarray) -> np.ndarray:
    """The rows of the measured phase in the order in which they were planned."""
    rows = requests[requests["measured"]]
    return np.asarray(rows[np.argsort(rows["planned_ns"], kind="stable")])


def response_times(rows: np.ndarray) -> Floats:
    """Done minus planned in ns; +inf for every failure and what was never sent; what the user cut off is left out."""
    judged = rows[rows["outcome"] != Outcome.INTERRUPTED]
    took_ns = (judged["done_ns"] - judged["planned_ns"]).astype(np.float64)
    return np.where(judged["outcome"] == Outcome.OK, took_ns, np.inf)


def count_failures(rows: np.ndarray) -> dict[str, int]:
    """Failures by kind: `timeout`, `http_503`, `refused`, `disconnected`, `malformed`, `not_sent`."""
    counts: dict[str, int] = {}
    for outcome in Outcome:
        if outcome in (Outcome.OK, Outcome.INTERRUPTED):
            continue
        of_kind = rows[rows["outcome"] == outcome]
        if outcome == Outcome.HTTP_ERROR:
            statuses, numbers = np.unique(of_kind["status"], return_counts=True)
            counts |= {f"http_{status}": int(number) for status, number in zip(statuses, numbers, strict=True)}
        elif len(of_kind):
            counts[outcome.name.lower()] = len(of_kind)
    return counts


def rate_of(moments_ns: np.ndarray) -> float:
    """Events per second from the first to the last moment; 0 with fewer than two moments."""
    if len(moments_ns) < 2:
        return 0.0
    return _per(len(moments_ns) - 1, float(moments_ns.max() - moments_ns.min()) / 1e9)


def _per(count: int, seconds: float) -> float:
    return count / seconds if seconds > 0 else 0.0


def _duration_ns(rows: np.ndarray) -> int:
    if not len(rows):
        return 0
    return int(max(rows["planned_ns"].max(), rows["done_ns"].max()) - rows["planned_ns"].min())


def _good_requests(response_ns: Floats, objectives: Sequence[Objective]) -> int | None:
    """Requests that met every latency limit; None without one. A limit on p99 is one on each request here."""
    good = np.isfinite(response_ns)
    limits = 0
    for one in objectives:
        if one.metric in LATENCY_METRICS and one.limit is not None:
            limits += 1
            good &= response_ns < one.limit if one.comparison == "<" else response_ns <= one.limit
    return int(good.sum()) if limits else None


def _split(answered: np.ndarray) -> ResponseSplit | None:
    if not len(answered):
        return None
    response = float((answered["done_ns"] - answered["planned_ns"]).mean())
    client_wait = float((answered["sent_ns"] - answered["planned_ns"]).mean())
    total = _reported_mean(answered["server_total_ns"])
    transmission = None if total is None else response - client_wait - total
    parts = {
        "server_queue_ns": _reported_mean(answered["server_queue_ns"]),
        "preprocessing_ns": _reported_mean(answered["server_preprocess_ns"]),
        "inference_ns": _reported_mean(answered["server_inference_ns"]),
        "postprocessing_ns": _reported_mean(answered["server_postprocess_ns"]),
    }
    known = client_wait + (transmission or 0.0) + sum(part or 0.0 for part in parts.values())
    return ResponseSplit(
        response_ns=response,
        client_wait_ns=client_wait,
        transmission_ns=transmission,
        unaccounted_ns=response - known,
        **parts,
    )


def _reported_mean(times_ns: np.ndarray) -> float | None:
    # A part that some answers lack has no mean over the answered requests; one over the others would not add up.
    return float(times_ns.mean()) if (times_ns >= 0).all() else None
