"""Objectives on one run, answered pass, fail or cannot tell.

Every limit is held against the bad end of the two-sided 95 % interval, so that a `pass` is wrong in at most 2.5 % of
runs, and so is a `fail`; in between the answer is `cannot_tell`, with how many more requests would decide it if what
was seen holds.
"""

import math
from typing import NamedTuple

import numpy as np

from modeldyno.records.base import Estimate
from modeldyno.records.objective import LATENCY_METRICS, TOKEN_LATENCY_METRICS, TOKEN_RATE, Objective
from modeldyno.records.requests import Outcome
from modeldyno.records.run import Summary
from modeldyno.records.verdict import Answer, ObjectiveVerdict
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.stats.intervals import mean_estimate, proportion_estimate
from modeldyno.stats.quantiles import quantile_bounds, requests_for
from modeldyno.stats.summary import Floats, response_times
from modeldyno.stats.tokens import NO_TOKENS, series_of
from modeldyno.units import format_duration, format_fraction, format_rate, format_size

_FRACTIONS = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
_MOST_REQUESTS = 100_000_000
_COUNTED = {"ttft": "first tokens", "itl": "gaps between tokens", "tpot": "answers"}


class _Times(NamedTuple):
    """What a limit on a time is held against."""

    level: str
    """Of `LATENCY_METRICS`."""
    values_ns: Floats
    """In the order of time; +inf for failures."""
    counted: str = "requests"
    """What there is one value for."""

    @property
    def number(self) -> str:
        """How many values there are, in words."""
        return f"{len(self.values_ns):,} {self.counted}"


def judge_objective(
    objective: Objective,
    *,
    rows: np.ndarray,
    summary: Summary,
    workload: Workload,
    effective: EffectiveWorkload,
    tokens: np.ndarray | None = None,
) -> ObjectiveVerdict | None:
    """One objective on one run; None for a direction and for what a run does not measure (quality, file size).

    Args:
        objective: parsed.
        rows: measured rows in the order of their plan.
        summary: of the same rows.
        workload: what was asked.
        effective: holds the server's peak memory, if it could be read.
        tokens: stamps of the pieces of answers, `TOKEN_DTYPE`; for limits on inter-token latency.
    """
    if objective.limit is None:
        return None
    verdict: ObjectiveVerdict | None = None
    if objective.metric in LATENCY_METRICS:
        verdict = _judge_time(objective, _Times(objective.metric, response_times(rows)))
    elif objective.is_about_tokens and summary.tokens is None:
        verdict = _verdict(objective, "cannot_tell", None, "only the load of a language model has tokens")
    elif objective.metric in TOKEN_LATENCY_METRICS:
        time, level = TOKEN_LATENCY_METRICS[objective.metric]
        values_ns = series_of(time, rows, NO_TOKENS if tokens is None else tokens)
        verdict = _judge_time(objective, _Times(level, values_ns, _COUNTED[time]))
    elif objective.metric == TOKEN_RATE:
        verdict = _judge_token_rate(objective, summary, workload)
    elif objective.metric == "error_rate":
        verdict = judge_error_rate(objective, rows)
    elif objective.metric == "throughput":
        verdict = _judge_throughput(objective, summary, workload)
    elif objective.metric == "memory":
        verdict = _judge_memory(objective, effective)
    return verdict


def _judge_time(objective: Objective, times: _Times) -> ObjectiveVerdict:
    if not len(times.values_ns):
        evidence = f"there were no {times.counted} to measure, so {objective.metric} is unknown"
        return _verdict(objective, "cannot_tell", None, evidence)
    return _judge_percentile(objective, times) if times.level in _FRACTIONS else _judge_mean_or_max(objective, times)


def _judge_percentile(objective: Objective, times: _Times) -> ObjectiveVerdict:
    limit = objective.limit
    found = quantile_bounds(times.values_ns, (_FRACTIONS[times.level],))[0]
    if limit is None or found is None or found.low is None or found.high is None:
        return _judge_unsupported_percentile(objective, times)
    if math.isinf(found.value):
        failures = int(np.isinf(times.values_ns).sum())
        evidence = (
            f"{objective.metric} reaches the failures: {failures:,} of {times.number} failed, and count as unbounded"
        )
        return _verdict(objective, "fail", None, evidence)
    shown = f"{objective.metric} {_interval(found)} over {times.number}; the limit is {format_duration(limit)}"
    measured = found if math.isfinite(found.high) else None
    if objective.is_met_by(found.high):
        return _verdict(objective, "pass", measured, shown)
    if not objective.is_met_by(found.low):
        return _verdict(objective, "fail", measured, shown)
    end = found.high if objective.is_met_by(found.value) else found.low
    more = _more(len(times.values_ns), found.value, end, limit, times.counted)
    return _verdict(objective, "cannot_tell", measured, f"{shown}; {more}")


def _judge_unsupported_percentile(objective: Objective, times: _Times) -> ObjectiveVerdict:
    """Too few values for the percentile; but so many may be beyond the limit that it has failed all the same."""
    fraction = _FRACTIONS[times.level]
    beyond = np.array([not objective.is_met_by(value) for value in times.values_ns.tolist()])
    share = proportion_estimate(beyond)
    seen = f"{int(beyond.sum()):,} of {times.number} took longer than the limit or failed"
    allowed = format_fraction(1 - fraction)
    if share.low is not None and share.low > 1 - fraction:
        evidence = f"{seen}: at least {format_fraction(share.low)}, where {objective.metric} allows {allowed}"
        return _verdict(objective, "fail", None, evidence)
    missing = requests_for(times.values_ns, fraction) - len(beyond)
    more = f"about {missing:,} more are needed" if missing > 0 else "a longer run is needed"
    return _verdict(
        objective, "cannot_tell", None, f"too few independent {times.counted} for {objective.metric}: {seen}; {more}"
    )


def _judge_mean_or_max(objective: Objective, times: _Times) -> ObjectiveVerdict:
    limit, values_ns = float(objective.limit or 0), times.values_ns
    failures = int(np.isinf(values_ns).sum())
    if failures:
        evidence = f"{failures:,} of {times.number} failed, and count as unbounded in {objective.metric}"
        return _verdict(objective, "fail", None, evidence)
    if times.level == "max":
        # The largest of a sample has no interval: the objective is on the values that were seen, and says so.
        largest = Estimate(value=float(values_ns.max()))
        evidence = (
            f"the slowest of {times.number} took {format_duration(largest.value)}; the limit is "
            f"{format_duration(limit)} (of these {times.counted}; nothing is said of others)"
        )
        return _verdict(objective, "pass" if objective.is_met_by(largest.value) else "fail", largest, evidence)
    mean = mean_estimate(values_ns)
    if mean is None or mean.low is None or mean.high is None:
        return _verdict(objective, "cannot_tell", None, f"{times.number} are too few, or too alike, for a mean")
    shown = f"mean {_interval(mean)} over {times.number}; the limit is {format_duration(limit)}"
    return _between(objective, mean, shown, len(values_ns), times.counted)


def judge_error_rate(objective: Objective, rows: np.ndarray) -> ObjectiveVerdict:
    """A limit on the share of requests that failed, those that the user cut off left out."""
    outcome = rows["outcome"]
    failed = outcome[outcome != Outcome.INTERRUPTED] != Outcome.OK
    if not len(failed):
        return _verdict(objective, "cannot_tell", None, "no request was measured, so the error rate is unknown")
    share = proportion_estimate(failed)
    limit = float(objective.limit or 0)
    shown = (
        f"{int(failed.sum()):,} of {len(failed):,} requests failed: {format_fraction(share.value, 2)} "
        f"[{format_fraction(share.low or 0, 2)}, {format_fraction(share.high or 0, 2)}]; the limit is "
        f"{format_fraction(limit, 2)}"
    )
    if not failed.any() and limit > 0 and not objective.is_met_by(share.high or 0):
        needed = math.ceil(math.log(0.025) / math.log1p(-limit))
        shown += f"; {needed - len(failed):,} more requests without a failure would decide"
        return _verdict(objective, "cannot_tell", share, shown)
    return _between(objective, share, shown, len(failed))


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


def _judge_token_rate(objective: Objective, summary: Summary, workload: Workload) -> ObjectiveVerdict:
    """Output tokens per second of all requests; an open-loop run can show no more than was asked of the server."""
    tokens, limit = summary.tokens, format_rate(float(objective.limit or 0))
    measured = tokens.output_tokens_per_s if tokens is not None else None
    if tokens is None or measured is None or measured.low is None or measured.high is None:
        evidence = f"the rate of tokens is unknown: too few requests, or none with a token; the limit is {limit}"
        return _verdict(objective, "cannot_tell", None, evidence)
    shown = (
        f"{format_rate(measured.value)} [{format_rate(measured.low)}, {format_rate(measured.high)}] output tokens; "
        f"the limit is {limit}"
    )
    if objective.is_met_by(measured.low):
        return _verdict(objective, "pass", measured, shown)
    a_request = tokens.output_tokens.mean.value if tokens.output_tokens.mean is not None else math.inf
    kept_up = summary.answered == summary.requests > 0 and measured.high >= 0.95 * workload.rate_per_s * a_request
    if not workload.is_closed and kept_up:
        return _verdict(objective, "cannot_tell", measured, f"{shown}; offer a higher rate to find out")
    if not objective.is_met_by(measured.high):
        return _verdict(objective, "fail", measured, shown)
    return _verdict(objective, "cannot_tell", measured, f"{shown}; a longer run may decide")


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


def _between(
    objective: Objective, found: Estimate, shown: str, count: int, counted: str = "requests"
) -> ObjectiveVerdict:
    low = found.value if found.low is None else found.low
    high = found.value if found.high is None else found.high
    if objective.is_met_by(high):
        return _verdict(objective, "pass", found, shown)
    if not objective.is_met_by(low):
        return _verdict(objective, "fail", found, shown)
    end = high if objective.is_met_by(found.value) else low
    more = _more(count, found.value, end, float(objective.limit or 0), counted)
    return _verdict(objective, "cannot_tell", found, f"{shown}; {more}")


def _more(count: int, value: float, end: float, limit: float, counted: str) -> str:
    """How many more values would bring the interval's end to the limit: its width shrinks with the square root."""
    distance = abs(limit - value)
    needed = math.inf if distance == 0 else count * (abs(end - value) / distance) ** 2
    if needed > _MOST_REQUESTS:
        return f"it is at the limit, and no number of {counted} would decide"
    return f"about {max(1, math.ceil(needed) - count):,} more {counted} would decide"


def _interval(found: Estimate) -> str:
    low, high = found.low or 0.0, found.high if found.high is not None else math.inf
    shown = "no answer" if math.isinf(high) else format_duration(high)
    return f"{format_duration(found.value)} [{format_duration(low)}, {shown}]"


def _verdict(objective: Objective, answer: Answer, measured: Estimate | None, evidence: str) -> ObjectiveVerdict:
    return ObjectiveVerdict(objective=objective.text, verdict=answer, measured=measured, evidence=evidence)
