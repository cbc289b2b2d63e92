"""From the raw rows of a run to its numbers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modeldyno.records.model_statistics import ModelActivity
from modeldyno.records.objective import LATENCY_METRICS, Objective
from modeldyno.records.requests import Outcome, failure_name
from modeldyno.records.run import KindSummary, Summary
from modeldyno.records.workload import Workload
from modeldyno.stats.quantiles import rank_autocorrelation_time, summarise_latency
from modeldyno.stats.split import split_response
from modeldyno.stats.tokens import NO_TOKENS, meets_token_limits, summarise_tokens

Floats = NDArray[np.float64]


def summarise(
    requests: np.ndarray,
    workload: Workload,
    objectives: Sequence[Objective],
    *,
    activity: ModelActivity | None = None,
    tokens: np.ndarray | None = None,
) -> Summary:
    """The measured phase in numbers.

    Args:
        requests: rows of `REQUEST_DTYPE`, in any order; warm-up rows are left out.
        workload: what was asked.
        objectives: the latency limits among them define goodput.
        activity: what the server counted meanwhile, for the split where its answers say nothing of their times.
        tokens: rows of `TOKEN_DTYPE`, of a language model whose answers came in pieces.
    """
    tokens = NO_TOKENS if tokens is None else tokens
    rows = measured_rows(requests)
    answered = _those(rows, rows["outcome"] == Outcome.OK)
    sent = _those(rows, rows["sent_ns"] >= 0)
    response_ns = response_times(rows)
    duration_ns = _duration_ns(rows)
    seconds = duration_ns / 1e9
    good = _good_requests(rows, tokens, objectives)
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
        split=split_response(answered, activity),
        autocorrelation_time=rank_autocorrelation_time(response_ns),
        kinds=_kinds(rows, workload),
        tokens=summarise_tokens(rows, requests, tokens) if workload.has_tokens else None,
    )


def _kinds(rows: np.ndarray, workload: Workload) -> tuple[KindSummary, ...]:
    """Of a mix of kinds or of sizes; a kind of which nothing was due is left out."""
    if workload.kind_mix:
        groups = [(one.kind, rows[rows["kind"] == place]) for place, one in enumerate(workload.kind_mix)]
    else:
        sizes = [one.rows for one in workload.row_mix]
        groups = [("1 row" if size == 1 else f"{size:,} rows", rows[rows["rows"] == size]) for size in sizes]
    return tuple(
        KindSummary(
            kind=kind,
            requests=len(some),
            answered=int((some["outcome"] == Outcome.OK).sum()),
            failures=count_failures(some),
            response_time=summarise_latency(response_times(some)),
        )
        for kind, some in groups
        if len(some)
    )


def measured_rows(requests: np.ndarray) -> np.ndarray:
    """The rows of the measured phase in the order in which they were planned; a view of `requests` where it can be."""
    rows = _those(requests, requests["measured"])
    planned = rows["planned_ns"]
    if (planned[1:] >= planned[:-1]).all():
        return rows
    return np.asarray(rows[np.argsort(planned, kind="stable")])


def due_rows(requests: np.ndarray) -> np.ndarray:
    """Of a run that the user stopped, what was due by then: the rest of its plan is neither a failure nor an answer."""
    return _those(requests, requests["outcome"] != Outcome.NOT_SENT)


def response_times(rows: np.ndarray) -> Floats:
    """Done minus planned in ns; +inf for every failure and what was never sent; what the user cut off is left out."""
    outcome = rows["outcome"]
    took_ns = np.where(outcome == Outcome.OK, (rows["done_ns"] - rows["planned_ns"]).astype(np.float64), np.inf)
    return np.asarray(took_ns[outcome != Outcome.INTERRUPTED], np.float64)


def count_failures(rows: np.ndarray) -> dict[str, int]:
    """Failures by kind: `timeout`, `http_503`, `grpc_unavailable`, `refused`, `malformed`, ..."""
    counts: dict[str, int] = {}
    for outcome in Outcome:
        if outcome in (Outcome.OK, Outcome.INTERRUPTED):
            continue
        of_kind = rows[rows["outcome"] == outcome]
        if outcome in (Outcome.HTTP_ERROR, Outcome.GRPC_ERROR):
            statuses, numbers = np.unique(of_kind["status"], return_counts=True)
            names = [failure_name(outcome, int(status)) for status in statuses]
            counts |= dict(zip(names, numbers.tolist(), strict=True))
        elif len(of_kind):
            counts[failure_name(outcome, 0)] = len(of_kind)
    return counts


def rate_of(moments_ns: np.ndarray) -> float:
    """Events per second from the first to the last moment; 0 with fewer than two moments."""
    if len(moments_ns) < 2:
        return 0.0
    return _per(len(moments_ns) - 1, float(moments_ns.max() - moments_ns.min()) / 1e9)


def _those(rows: np.ndarray, are_meant: NDArray[np.bool_]) -> np.ndarray:
    # Of a million rows a copy takes 150 MB and a third of a second, and mostly all are meant.
    return rows if are_meant.all() else np.asarray(rows[are_meant])


def _per(count: int, seconds: float) -> float:
    return count / seconds if seconds > 0 else 0.0


def _duration_ns(rows: np.ndarray) -> int:
    if not len(rows):
        return 0
    return int(max(rows["planned_ns"].max(), rows["done_ns"].max()) - rows["planned_ns"].min())


def _good_requests(rows: np.ndarray, tokens: np.ndarray, objectives: Sequence[Objective]) -> int | None:
    """Requests that met every latency limit; None without one. A limit on p99 is one on each request here."""
    limits = [one for one in objectives if one.limit is not None and one.kind in ("latency", "token_latency")]
    if not limits:
        return None
    judged = _those(rows, rows["outcome"] != Outcome.INTERRUPTED)
    response_ns, good = response_times(judged), meets_token_limits(judged, tokens, limits)
    for one in limits:
        if one.limit is not None and one.metric in LATENCY_METRICS:
            good &= response_ns < one.limit if one.comparison == "<" else response_ns <= one.limit
    return int(good.sum())
