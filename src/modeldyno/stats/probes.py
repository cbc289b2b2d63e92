"""What the runs at one rate say about a service: it holds, it fails, they cannot tell, or the client was the limit.

A run that cannot be believed is not always the instrument's fault: an open-loop load beyond capacity makes the backlog
grow, and a server that holds every connection keeps requests from being sent. Both are a failure of the service, as
long as the client kept its own schedule.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from modeldyno.records.capacity import ProbeAnswer, ProbeVerdict
from modeldyno.records.objective import TOKEN_LATENCY_METRICS, Objective
from modeldyno.records.requests import Outcome
from modeldyno.records.verdict import ObjectiveVerdict
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.stats.answers import judge_answers
from modeldyno.stats.exceedance import largest_share
from modeldyno.stats.objectives import judge_error_rate, judge_objective
from modeldyno.stats.steadiness import TooShortError, find_growing_backlog, find_level_shift, find_trend
from modeldyno.stats.summary import measured_rows, response_times, summarise
from modeldyno.stats.tokens import NO_TOKENS, series_of
from modeldyno.stats.validity import check_client_cpu, check_count, check_lateness, check_not_sent, check_rate
from modeldyno.units import format_fraction

_FRACTIONS = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
_EVIDENCE_OF_P = 7.4
"""Values beyond a percentile before a limit on it can pass: 3.7 effective ones without any over the limit, and in a
queue at moderate load about every second request tells something new."""
_NO_FAILURE = 3.7
"""-ln 0.025: as many requests over the limit without a failure show an error rate below it."""
_ALL_CONNECTIONS = 0.9
_ON_TIME_NS = 1_000_000
_ANSWERED = (Outcome.OK, Outcome.HTTP_ERROR, Outcome.GRPC_ERROR)
_MOMENTS = ("planned_ns", "sent_ns", "first_byte_ns", "first_token_ns", "last_token_ns", "done_ns")


class ProbeRun(NamedTuple):
    """One run at the rate."""

    requests: np.ndarray
    """Rows of `REQUEST_DTYPE`, warm-up included."""
    workload: Workload
    effective: EffectiveWorkload


def requests_needed(objectives: Sequence[Objective]) -> int:
    """About how many requests the most demanding objective needs to pass, on a service at moderate load."""
    needed = [100]
    for one in objectives:
        fraction = _fraction(one)
        if fraction is not None:
            rarity = min(fraction, 1 - fraction)
            needed.append(round(_EVIDENCE_OF_P / rarity))
        elif one.metric == "error_rate" and one.limit:
            needed.append(round(_NO_FAILURE / one.limit))
    return max(needed)


def joined_rows(runs: Sequence[ProbeRun]) -> np.ndarray:
    """The measured rows of all runs as one series in time, each run following the one before by a second."""
    parts: list[np.ndarray] = []
    start_ns = 0
    for run in runs:
        rows = measured_rows(run.requests).copy()
        if not len(rows):
            continue
        shift = start_ns - int(rows["planned_ns"].min())
        for field in _MOMENTS:
            rows[field] = np.where(rows[field] >= 0, rows[field] + shift, rows[field])
        start_ns = int(max(rows["planned_ns"].max(), rows["done_ns"].max())) + 1_000_000_000
        parts.append(rows)
    return np.concatenate(parts) if parts else runs[0].requests[:0]


def judge_probe(runs: Sequence[ProbeRun], objectives: Sequence[Objective]) -> ProbeVerdict:
    """The answer of all runs at one rate together.

    The objectives are held against one-sided bounds over all runs, as `judge_objective` does. Steadiness and the
    client are judged on the latest run: the earlier ones were judged when they were the latest. A single wrong answer
    fails, whatever the objectives are.
    """
    latest = runs[-1]
    rows = measured_rows(latest.requests)
    objective_verdicts = _judge_objectives(runs, objectives)
    wrong = judge_answers(np.concatenate([one.requests for one in runs]), None)
    if wrong is not None:
        return ProbeVerdict(answer="fail", reason=wrong.evidence, leans_to_pass=False, objectives=objective_verdicts)
    answer, reason = _answer(rows, latest, objectives, objective_verdicts, is_first_look=len(runs) == 1)
    pooled = joined_rows(runs)
    leans = all(
        _leans_to_pass(one, by, pooled) for one, by in zip(_limits(objectives), objective_verdicts, strict=True)
    )
    return ProbeVerdict(answer=answer, reason=reason, leans_to_pass=leans, objectives=objective_verdicts)


def _limits(objectives: Sequence[Objective]) -> list[Objective]:
    return [one for one in objectives if one.is_limit]


def _judge_objectives(runs: Sequence[ProbeRun], objectives: Sequence[Objective]) -> tuple[ObjectiveVerdict, ...]:
    rows, latest = joined_rows(runs), runs[-1]
    summary = summarise(rows, latest.workload, objectives)
    judged = (
        (one, judge_objective(one, rows=rows, summary=summary, workload=latest.workload, effective=latest.effective))
        for one in _limits(objectives)
    )
    return tuple(_by_share(one, verdict, rows) for one, verdict in judged if verdict is not None)


def _by_share(objective: Objective, verdict: ObjectiveVerdict, rows: np.ndarray) -> ObjectiveVerdict:
    """A percentile that cannot be told passes all the same when few enough requests are over its limit."""
    fraction = _fraction(objective)
    if verdict.verdict != "cannot_tell" or fraction is None:
        return verdict
    values_ns = _values(objective, rows)
    is_over = _over(objective, values_ns)
    share = largest_share(is_over, values_ns, fraction)
    if share >= 1 - fraction:
        return verdict
    evidence = (
        f"{int(is_over.sum()):,} of {len(is_over):,} requests took longer than the limit or failed: at most "
        f"{format_fraction(share)}, where {objective.metric} allows {format_fraction(1 - fraction)}"
    )
    return replace(verdict, verdict="pass", evidence=evidence)


def _fraction(objective: Objective) -> float | None:
    """Of the percentile that is limited; None for a limit on anything else."""
    return _FRACTIONS.get(TOKEN_LATENCY_METRICS.get(objective.metric, ("", objective.metric))[1])


def _values(objective: Objective, rows: np.ndarray) -> NDArray[np.float64]:
    """What its percentile is of: response times, first tokens or times per token."""
    if objective.metric in TOKEN_LATENCY_METRICS:
        return series_of(TOKEN_LATENCY_METRICS[objective.metric][0], rows, NO_TOKENS)
    return response_times(rows)


def _over(objective: Objective, values_ns: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.array([not objective.is_met_by(value) for value in values_ns.tolist()], np.bool_)


def _answer(
    rows: np.ndarray,
    run: ProbeRun,
    objectives: Sequence[Objective],
    verdicts: Sequence[ObjectiveVerdict],
    *,
    is_first_look: bool,
) -> tuple[ProbeAnswer, str]:
    trouble = client_trouble(rows, run.workload, run.effective)
    has_passed = all(one.verdict == "pass" for one in verdicts)
    # Lateness is charged to the response time: limits that are met in spite of it are met.
    if trouble and not (has_passed and _kept_rate(rows, run.effective)):
        errors = _errors_without_the_client(rows, objectives)
        return ("fail", errors) if errors else ("client_limited", trouble)
    backlog = _found(rows, run, "backlog")
    if backlog:
        return "fail", backlog
    unsteady = _found(rows, run, "trend") or _found(rows, run, "shift")
    failed = [one.evidence for one in verdicts if one.verdict == "fail"]
    if failed and not (unsteady and is_first_look):
        return "fail", "; ".join(failed)
    if unsteady:
        return "undecided", unsteady
    open_questions = [one.evidence for one in verdicts if one.verdict == "cannot_tell"]
    few = check_count(rows)
    if few or open_questions:
        return "undecided", "; ".join([*open_questions, *([few] if few else [])])
    return "pass", "; ".join(one.evidence for one in verdicts)


def _errors_without_the_client(rows: np.ndarray, objectives: Sequence[Objective]) -> str | None:
    """That the server answered too many requests with an error, as shown by those alone that were sent on time.

    A client that is late may send in bursts and time out by itself; of neither is anything counted here.
    """
    is_late = rows["sent_ns"] - rows["planned_ns"] > _ON_TIME_NS
    told = rows[(rows["sent_ns"] >= 0) & ~is_late & np.isin(rows["outcome"], _ANSWERED)]
    if check_count(told):
        return None  # a few of many say little of a server that was hardly asked
    judged = [judge_error_rate(one, told) for one in _limits(objectives) if one.metric == "error_rate"]
    failed = [one.evidence for one in judged if one.verdict == "fail"]
    return f"{'; '.join(failed)} (of the requests that were sent on time and answered)" if failed else None


def client_trouble(rows: np.ndarray, workload: Workload, effective: EffectiveWorkload) -> str | None:
    """Why the client, not the service, may have been the limit; None when it kept its schedule.

    Sends that were late because every connection was busy are no trouble of the client: they waited for the server.
    """
    busy = check_client_cpu(effective)
    if busy:
        return busy
    late = check_rate(rows) or check_lateness(rows, effective) or check_not_sent(rows)
    return None if late is None or waited_for_connections(rows, workload) else late


def _kept_rate(rows: np.ndarray, effective: EffectiveWorkload) -> bool:
    """Whether the client sent everything at the asked rate with processor time to spare, if late now and then."""
    return not (check_client_cpu(effective) or check_rate(rows) or check_not_sent(rows))


def waited_for_connections(rows: np.ndarray, workload: Workload) -> bool:
    """Whether most requests that left over a millisecond late, or never, found nearly all connections busy."""
    sent = rows[rows["sent_ns"] >= 0]
    late = rows[(rows["sent_ns"] < 0) | (rows["sent_ns"] - rows["planned_ns"] > 1_000_000)]
    if not len(late):
        return False
    starts = np.sort(sent["sent_ns"])
    ends = np.sort(np.where(sent["done_ns"] >= 0, sent["done_ns"], sent["sent_ns"] + workload.timeout_ns))
    # Just before it left, or at its moment when it never left: the request itself is not among the busy ones.
    moments = np.where(late["sent_ns"] >= 0, late["sent_ns"] - 1, late["planned_ns"])
    in_flight = np.searchsorted(starts, moments, side="right") - np.searchsorted(ends, moments, side="right")
    in_flight = np.maximum(in_flight, _in_flight_at(starts, ends, late["planned_ns"]))
    return bool((in_flight >= _ALL_CONNECTIONS * workload.max_connections).mean() > 0.5)


def _in_flight_at(starts: np.ndarray, ends: np.ndarray, moments: np.ndarray) -> np.ndarray:
    return np.asarray(np.searchsorted(starts, moments, side="right") - np.searchsorted(ends, moments, side="right"))


def _found(rows: np.ndarray, run: ProbeRun, what: str) -> str | None:
    try:
        if what == "backlog":
            ended = rows[~np.isin(rows["outcome"], (Outcome.INTERRUPTED, Outcome.NOT_SENT))]
            given_up = np.maximum(ended["sent_ns"], ended["planned_ns"]) + np.where(
                ended["outcome"] == Outcome.TIMEOUT, run.workload.timeout_ns, 0
            )
            ends = np.where(ended["done_ns"] >= 0, ended["done_ns"], given_up)
            return find_growing_backlog(ended["planned_ns"], ends)
        return (find_trend if what == "trend" else find_level_shift)(response_times(rows))
    except TooShortError:
        return None  # too short to see it: the objectives' own bounds then decide, or say that they cannot


def _leans_to_pass(objective: Objective, verdict: ObjectiveVerdict, rows: np.ndarray) -> bool:
    if verdict.verdict != "cannot_tell":
        return verdict.verdict == "pass"
    if verdict.measured is not None:
        return objective.is_met_by(verdict.measured.value)
    fraction, values = _fraction(objective), _values(objective, rows)
    if fraction is None or not len(values):
        return False
    return float(_over(objective, values).mean()) <= 1 - fraction
