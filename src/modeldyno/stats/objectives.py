"""Objectives on one run, answered pass, fail or cannot tell.

Every limit is held against the bad end of the two-sided 95 % interval, so that a `pass` is wrong in at most 2.5 % of
runs, and so is a `fail`; in between the answer is `cannot_tell`, with how many more requests would decide it if what
was seen holds.
"""

import math

import numpy as np

from modeldyno.records.base import Estimate
from modeldyno.records.objective import LATENCY_METRICS, Objective
from modeldyno.records.requests import Outcome
from modeldyno.records.run import Summary
from modeldyno.records.verdict import Answer, ObjectiveVerdict
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.stats.intervals import mean_estimate, proportion_estimate
from modeldyno.stats.quantiles import quantile_bounds, requests_for
from modeldyno.stats.summary import Floats, response_times
from modeldyno.units import format_duration, format_fraction, format_rate, format_size

_FRACTIONS = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
_MOST_REQUESTS = 100_000_000


def judge_objective(
    objective: Objective, *, rows: np.ndarray, summary: Summary, workload: Workload, effective: EffectiveWorkload
) -> ObjectiveVerdict | None:
    """One objective on one run; None for a direction and for what a run does not measure (quality, file size).

    Args:
        objective: parsed.
        rows: measured rows in the order of their plan.
        summary: of the same rows.
        workload: what was asked.
        effective: holds the server's peak memory, if it could be read.
    """
    if objective.limit is None:
        return None
    verdict: ObjectiveVerdict | None = None
    if objective.metric in _FRACTIONS:
        verdict = _judge_percentile(objective, response_times(rows))
    elif objective.metric in LATENCY_METRICS:
        verdict = _judge_mean_or_max(objective, response_times(rows))
    elif objective.metric == "error_rate":
        verdict = _judge_error_rate(objective, rows)
    elif objective.metric == "throughput":
        verdict = _judge_throughput(objective, summary, workload)
    elif objective.metric == "memory":
        verdict = _judge_memory(objective, effective)
    return verdict


def _judge_percentile(objective: Objective, response_ns: Floats) -> ObjectiveVerdict:
    fraction, limit = _FRACTIONS[objective.metric], objective.limit
    found = quantile_bounds(response_ns, (fraction,))[0]
    if limit is None or found is None or found.low is None or found.high is None:
        return _judge_unsupported_percentile(objective, response_ns)
    count = f"{len(response_ns):,} requests"
    if math.isinf(found.value):
        failures = int(np.isinf(response_ns).sum())
        evidence = f"{objective.metric} reaches the failures: {failures:,} of {count} failed, and count as unbounded"
        return _verdict(objective, "fail", None, evidence)
    shown = f"{objective.metric} {_interval(found)} over {count}; the limit is {format_duration(limit)}"
    measured = found if math.isfinite(found.high) else None
    if objective.is_met_by(found.high):
        return _verdict(objective, "pass", measured, shown)
    if not objective.is_met_by(found.low):
        return _verdict(objective, "fail", measured, shown)
    end = found.high if objective.is_met_by(found.value) else found.low
    return _verdict(objective, "cannot_tell", measured, f"{shown}; {_more(len(response_ns), found.value, end, limit)}")


def _judge_unsupported_percentile(objective: Objective, response_ns: Floats) -> ObjectiveVerdict:
    """Too few requests for the percentile; but so many may be beyond the limit that it has failed all the same."""
    fraction = _FRACTIONS[objective.metric]
    if not len(response_ns):
        return _verdict(objective, "cannot_tell", None, f"no request was measured, so {objective.metric} is unknown")
    beyond = np.array([not objective.is_met_by(value) for value in response_ns.tolist()])
    share = proportion_estimate(beyond)
    seen = f"{int(beyond.sum()):,} of {len(beyond):,} requests took longer than the limit or failed"
    allowed = format_fraction(1 - fraction)
    if share.low is not None and share.low > 1 - fraction:
        evidence = f"{seen}: at least {format_fraction(share.low)}, where {objective.metric} allows {allowed}"
        return _verdict(objective, "fail", None, evidence)
    missing = requests_for(response_ns, fraction) - len(beyond)
    more = f"about {missing:,} more are needed" if missing > 0 else "a longer run is needed"
    return _verdict(
        objective, "cannot_tell", None, f"too few independent requests for {objective.metric}: {seen}; {more}"
    )


def _judge_mean_or_max(objective: Objective, response_ns: Floats) -> ObjectiveVerdict:
    limit = float(objective.limit or 0)
    failures = int(np.isinf(response_ns).sum())
    if not len(response_ns):
        return _verdict(objective, "cannot_tell", None, f"no request was measured, so {objective.metric} is unknown")
    if failures:
        evidence = f"{failures:,} of {len(response_ns):,} requests failed, and count as unbounded in {objective.metric}"
        return _verdict(objective, "fail", None, evidence)
    if objective.metric == "max":
        # The largest of a sample has no interval: the objective is on the requests that were made, and says so.
        largest = Estimate(value=float(response_ns.max()))
        evidence = (
            f"the slowest of {len(response_ns):,} requests took {format_duration(largest.value)}; the limit is "
            f"{format_duration(limit)} (of these requests; nothing is said of others)"
        )
        return _verdict(objective, "pass" if objective.is_met_by(largest.value) else "fail", largest, evidence)
    mean = mean_estimate(response_ns)
    if mean is None or mean.low is None or mean.high is None:
        return _verdict(
            objective, "cannot_tell", None, f"{len(response_ns):,} requests are too few, or too alike, for a mean"
        )
    shown = f"mean {_interval(mean)} over {len(response_ns):,} requests; the limit is {format_duration(limit)}"
    return _between(objective, mean, shown, len(response_ns))


def _judge_error_rate(objective: Objective, rows: np.ndarray) -> ObjectiveVerdict:
    judged = rows[rows["outcome"] != Outcome.INTERRUPTED]
    if not len(judged):
        return _verdict(objective, "cannot_tell", None, "no request was measured, so the error rate is unknown")
    failed = judged["outcome"] != Outcome.OK
    share = proportion_estimate(failed)
    limit = float(objective.limit or 0)
    shown = (
        f"{int(failed.sum()):,} of {len(judged):,} requests failed: {format_fraction(share.value, 2)} "
        f"[{format_fraction(share.low or 0, 2)}, {format_fraction(share.high or 0, 2)}]; the limit is "
        f"{format_fraction(limit, 2)}"
    )
    if not failed.any() and limit > 0 and not objective.is_met_by(share.high or 0):
        needed = math.ceil(math.log(0.025) / math.log1p(-limit))
        shown += f"; {needed - len(judged):,} more requests without a failure would decide"
        return _verdict(objective, "cannot_tell", share, shown)
    return _between(objective, share, shown, len(judged))


def _judge_throughput(objective: Objective, summary: Summary, workload: Workload) -> ObjectiveVerdict:
    """Rows answered per second, where an open-loop run can show no more than it offered.

    When every request was answered and the answers kept up with the plan, the run sustained the rate asked; its
    own rows per second differ from that by the chance of the schedule only, for which no server is to blame.
    """
    limit = float(objective.limit or 0)
    offered = workload.rate_per_s * workload.mean_rows
    if workload.is_closed:
        measured = Estimate(value=summary.items_per_s)
        shown = f"{format_rate(summary.items_per_s)} rows answered in a closed loop of {workload.concurrency}"
        answer: Answer = "pass" if objective.is_met_by(summary.items_per_s) else "fail"
        return _verdict(objective, answer, measured, f"{shown}; the limit is {format_rate(limit)}")
    kept_up = summary.answered == summary.requests > 0 and summary.items_per_s >= 0.95 * offered
    measured = Estimate(value=offered if kept_up else summary.items_per_s)
    shown = (
        f"{format_rate(measured.value)} rows answered of {format_rate(offered)} offered; the limit is "
        f"{format_rate(limit)}"
    )
    if objective.is_met_by(measured.value):
        return _verdict(objective, "pass", measured, shown)
    if kept_up:
        return _verdict(objective, "cannot_tell", measured, f"{shown}; offer more than the limit to find out")
    return _verdict(objective, "fail", measured, shown)


def _judge_memory(objective: Objective, effective: EffectiveWorkload) -> ObjectiveVerdict:
    peak = effective.server_peak_memory_bytes
    limit = format_size(float(objective.limit or 0))
    if peak is None:
        evidence = f"the server's memory could not be read (it is not ours to look at); the limit is {limit}"
        return _verdict(objective, "cannot_tell", None, evidence)
    answer: Answer = "pass" if objective.is_met_by(peak) else "fail"
    return _verdict(
        objective, answer, Estimate(value=peak), f"the server used up to {format_size(peak)}; the limit is {limit}"
    )


def _between(objective: Objective, found: Estimate, shown: str, count: int) -> ObjectiveVerdict:
    low = found.value if found.low is None else found.low
    high = found.value if found.high is None else found.high
    if objective.is_met_by(high):
        return _verdict(objective, "pass", found, shown)
    if not objective.is_met_by(low):
        return _verdict(objective, "fail", found, shown)
    end = high if objective.is_met_by(found.value) else low
    return _verdict(
        objective, "cannot_tell", found, f"{shown}; {_more(count, found.value, end, float(objective.limit or 0))}"
    )


def _more(count: int, value: float, end: float, limit: float) -> str:
    """How many more requests would bring the interval's end to the limit: its width shrinks with the square root."""
    distance = abs(limit - value)
    needed = math.inf if distance == 0 else count * (abs(end - value) / distance) ** 2
    if needed > _MOST_REQUESTS:
        return "it is at the limit, and no number of requests would decide"
    return f"about {max(1, math.ceil(needed) - count):,} more requests would decide"


def _interval(found: Estimate) -> str:
    low, high = found.low or 0.0, found.high if found.high is not None else math.inf
    shown = "no answer" if math.isinf(high) else format_duration(high)
    return f"{format_duration(found.value)} [{format_duration(low)}, {shown}]"


def _verdict(objective: Objective, answer: Answer, measured: Estimate | None, evidence: str) -> ObjectiveVerdict:
    return ObjectiveVerdict(objective=objective.text, verdict=answer, measured=measured, evidence=evidence)
