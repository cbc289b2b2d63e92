"""Whether a run is valid by the rules of an MLPerf Inference scenario, and its metric.

As in mlcommons/inference loadgen/results.cc, except that

- a query without a right answer makes the run invalid, for MLPerf knows no failing queries;
- the minimum count is always asked for, which LoadGen skips unless a maximum duration is enforced.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from modeldyno.records.requests import Outcome
from modeldyno.records.scenario import Scenario, ScenarioCheck, ScenarioResult
from modeldyno.stats.autocorrelation import autocorrelation_time
from modeldyno.stats.early_stopping import early_estimate, least_queries
from modeldyno.stats.summary import count_failures, measured_rows
from modeldyno.units import format_duration, format_fraction, format_number

Floats = NDArray[np.float64]
_RESEMBLING = 2.0
"""An autocorrelation time from which the reader is told; estimates of independent series stay below."""
_UNFINISHED = (Outcome.NOT_SENT, Outcome.INTERRUPTED)


def judge_scenario(scenario: Scenario, requests: np.ndarray) -> ScenarioResult:
    """Judge a run by the rules of its scenario.

    Args:
        scenario: the rules.
        requests: rows of `REQUEST_DTYPE`, warm-up included; a query is a request. In Offline all of them together
            are the one query that LoadGen sends.
    """
    rows = measured_rows(requests)
    issued = rows[~np.isin(rows["outcome"], _UNFINISHED)]
    latencies_ns = _latencies(issued)
    if scenario.name == "server":
        return _judge_server(scenario, rows, issued, latencies_ns)
    if scenario.name == "offline":
        return _judge_offline(scenario, rows, issued)
    return _judge_stream(scenario, rows, issued, latencies_ns)


def _judge_stream(scenario: Scenario, rows: np.ndarray, issued: np.ndarray, latencies_ns: Floats) -> ScenarioResult:
    """SingleStream and MultiStream: the metric is the early-stopping estimate of the latency."""
    estimate = early_estimate(latencies_ns, scenario.percentile or 0.0)
    bound_ns = math.inf if estimate is None else estimate[0]
    issue_ns = _span_ns(issued["planned_ns"])
    return _result(
        scenario,
        issued,
        (
            _check_failures(issued),
            _check_complete(rows),
            _check_duration(scenario, issue_ns, "the last query was issued"),
            _check_count(scenario, len(issued), issue_ns, "query"),
            _check_estimate(scenario, estimate, len(issued)),
        ),
        latency_ns=estimate[0] if estimate and math.isfinite(estimate[0]) else None,
        over_latency=estimate[1] if estimate else None,
        notes=_note_resemblance(latencies_ns > bound_ns),
        samples_per_s=_per_s(scenario.samples_per_query * (len(issued) - 1), issue_ns),
    )


def _judge_server(scenario: Scenario, rows: np.ndarray, issued: np.ndarray, latencies_ns: Floats) -> ScenarioResult:
    """The metric is the rate as scheduled, if the percentile is shown to be within the target latency."""
    scheduled_ns = _span_ns(issued["planned_ns"])
    over = int((latencies_ns > (scenario.target_latency_ns or 0)).sum())
    latency_ns = _plain_percentile(latencies_ns, scenario.percentile or 0.0)
    return _result(
        scenario,
        issued,
        (
            _check_failures(issued),
            _check_complete(rows),
            _check_duration(scenario, scheduled_ns, "the last query was scheduled"),
            _check_count(scenario, len(issued), scheduled_ns, "query"),
            _check_target(scenario, latency_ns),
            _check_over_latency(scenario, over, len(issued)),
        ),
        latency_ns=latency_ns if math.isfinite(latency_ns) else None,
        over_latency=over,
        notes=_note_resemblance(latencies_ns > (scenario.target_latency_ns or 0)),
        samples_per_s=_per_s(len(issued) - 1, scheduled_ns),
        completed_per_s=_per_s(len(issued) - 1, _completed_ns(issued)),
    )


def _judge_offline(scenario: Scenario, rows: np.ndarray, issued: np.ndarray) -> ScenarioResult:
    """The metric is the number of samples over the time to the last answer."""
    took_ns = _completed_ns(issued)
    samples = _samples(issued)
    return _result(
        scenario,
        issued,
        (
            _check_failures(issued),
            _check_complete(rows),
            _check_duration(scenario, took_ns, "the last answer came"),
            _check_count(scenario, samples, took_ns, "sample"),
        ),
        latency_ns=None,
        over_latency=None,
        samples_per_s=_per_s(samples, took_ns),
    )


def _result(
    scenario: Scenario,
    issued: np.ndarray,
    checks: tuple[ScenarioCheck, ...],
    *,
    latency_ns: float | None,
    over_latency: int | None,
    samples_per_s: float,
    completed_per_s: float | None = None,
    notes: tuple[str, ...] = (),
) -> ScenarioResult:
    return ScenarioResult(
        scenario=scenario,
        result="valid" if all(check.is_met for check in checks) else "invalid",
        checks=checks,
        queries=len(issued),
        samples=_samples(issued),
        latency_ns=latency_ns,
        samples_per_s=samples_per_s,
        completed_per_s=completed_per_s,
        over_latency=over_latency,
        notes=notes,
    )


def _latencies(issued: np.ndarray) -> Floats:
    """From the planned moment to the answer; +inf without one."""
    took_ns = (issued["done_ns"] - issued["planned_ns"]).astype(np.float64)
    return np.where(issued["outcome"] == Outcome.OK, took_ns, np.inf)


def _plain_percentile(latencies_ns: Floats, percentile: float) -> float:
    """The value at place `count * percentile` of the sorted ones, as LoadGen takes it; +inf without any."""
    if not len(latencies_ns):
        return math.inf
    place = int(len(latencies_ns) * percentile)
    return float(np.partition(latencies_ns, place)[place])


def _samples(issued: np.ndarray) -> int:
    return int(issued["rows"][issued["outcome"] == Outcome.OK].sum())


def _span_ns(moments_ns: np.ndarray) -> int:
    return int(moments_ns.max() - moments_ns.min()) if len(moments_ns) else 0


def _completed_ns(issued: np.ndarray) -> int:
    """From the first query to the last answer."""
    answered = issued["outcome"] == Outcome.OK
    return int(issued["done_ns"][answered].max() - issued["planned_ns"].min()) if answered.any() else 0


def _per_s(count: int, span_ns: int) -> float:
    return max(0, count) / (span_ns / 1e9) if span_ns > 0 else 0.0


def _check_failures(issued: np.ndarray) -> ScenarioCheck:
    failures = count_failures(issued)
    if not failures:
        evidence = f"{_counted(len(issued), 'query')} without a failure"
        return ScenarioCheck(rule="failures", is_met=True, evidence=evidence)
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(failures.items(), key=lambda item: -item[1]))
    evidence = (
        f"{sum(failures.values()):,} of {len(issued):,} queries failed ({kinds}), and MLPerf knows no failing query"
    )
    return ScenarioCheck(rule="failures", is_met=False, evidence=evidence)


def _check_complete(rows: np.ndarray) -> ScenarioCheck:
    unsent, cut = (int((rows["outcome"] == outcome).sum()) for outcome in _UNFINISHED)
    if not unsent + cut:
        return ScenarioCheck(rule="complete", is_met=True, evidence="every query was sent and its answer awaited")
    evidence = f"{unsent:,} of {len(rows):,} queries were never sent, {cut:,} were cut off"
    return ScenarioCheck(rule="complete", is_met=False, evidence=evidence)


def _check_duration(scenario: Scenario, span_ns: int, event: str) -> ScenarioCheck:
    least_ns = scenario.min_duration_ns
    evidence = f"{event} {format_number(span_ns / 1e9, 4)} s after the first query; at least {least_ns / 1e9:g} s"
    is_met = span_ns >= least_ns
    return ScenarioCheck(rule="duration", is_met=is_met, evidence=evidence if is_met else f"{evidence} are asked")


def _check_count(scenario: Scenario, count: int, span_ns: int, noun: Literal["query", "sample"]) -> ScenarioCheck:
    least = scenario.min_count
    evidence = f"{_counted(count, noun)}; at least {least:,}"
    if count >= least:
        return ScenarioCheck(rule="count", is_met=True, evidence=evidence)
    needed = f", which would take about {format_duration(span_ns * least / count)} at this rate" if count > 1 else ""
    return ScenarioCheck(rule="count", is_met=False, evidence=f"{evidence} are asked{needed}")


def _check_estimate(scenario: Scenario, estimate: tuple[float, int] | None, count: int) -> ScenarioCheck:
    name, least = scenario.percentile_name, least_queries(1, scenario.percentile or 0.0)
    if estimate is None:
        evidence = f"{count:,} queries, and an estimate of {name} needs {least:,}"
        return ScenarioCheck(rule="early_stopping", is_met=False, evidence=evidence)
    value, discarded = estimate
    if math.isinf(value):
        return ScenarioCheck(
            rule="early_stopping", is_met=False, evidence=f"the estimate of {name} reaches the failures"
        )
    evidence = (
        f"{name} is at most {format_duration(value)} with 99 % confidence, the largest of {count:,} latencies "
        f"without the {discarded:,} highest; at least {least:,} queries"
    )
    return ScenarioCheck(rule="early_stopping", is_met=True, evidence=evidence)


def _check_target(scenario: Scenario, latency_ns: float) -> ScenarioCheck:
    target_ns = scenario.target_latency_ns or 0
    shown = format_duration(latency_ns) if math.isfinite(latency_ns) else "no answer"
    evidence = f"the {scenario.percentile_name} is {shown}, the target {format_duration(target_ns)}"
    is_met = latency_ns <= target_ns
    return ScenarioCheck(
        rule="target_latency", is_met=is_met, evidence=evidence if is_met else f"{evidence}: lower the rate"
    )


def _check_over_latency(scenario: Scenario, over: int, count: int) -> ScenarioCheck:
    least, target_ns = least_queries(over, scenario.percentile or 0.0), scenario.target_latency_ns or 0
    share = f" ({format_fraction(over / count, 2)})" if over else ""
    evidence = (
        f"{over:,} of {count:,} queries{share} took over {format_duration(target_ns)}; so many are allowed from "
        f"{least:,} queries on"
    )
    if count >= least:
        return ScenarioCheck(rule="early_stopping", is_met=True, evidence=evidence)
    return ScenarioCheck(
        rule="early_stopping",
        is_met=False,
        evidence=f"{evidence}: {least - count:,} more would do if all of them are within it",
    )


def _note_resemblance(is_over: NDArray[np.bool_]) -> tuple[str, ...]:
    """Whether queries over the bound come in bursts, while early stopping takes each for an event of its own."""
    time = autocorrelation_time(is_over.astype(np.float64))
    if time < _RESEMBLING:
        return ()
    note = (
        f"early stopping takes queries for independent, and here slow ones come in bursts: {len(is_over):,} queries "
        f"tell as much about the percentile as {round(len(is_over) / time):,} independent ones; the percentiles "
        "with intervals in this report take that into account"
    )
    return (note,)


def _counted(count: int, noun: Literal["query", "sample"]) -> str:
    return f"{count:,} {noun if count == 1 else {'query': 'queries', 'sample': 'samples'}[noun]}"
