"""The verdict on a run: whether it can be believed, and whether it met its objectives."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from modeldyno.records.objective import Objective
from modeldyno.records.requests import Outcome
from modeldyno.records.run import Summary
from modeldyno.records.verdict import MeasurementVerdict
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.stats.objectives import judge_objective
from modeldyno.stats.steadiness import (
    TooShortError,
    find_breach_of_littles_law,
    find_growing_backlog,
    find_level_shift,
    find_trend,
)
from modeldyno.stats.summary import measured_rows, response_times
from modeldyno.stats.validity import (
    check_client_cpu,
    check_count,
    check_lateness,
    check_not_sent,
    check_rate,
    check_stamps,
    note_conditions,
)

_LONGER = "run longer, or warm up longer (--warmup)"


def judge_run(
    summary: Summary,
    requests: np.ndarray,
    workload: Workload,
    effective: EffectiveWorkload,
    objectives: Sequence[Objective],
    *,
    interrupted: bool,
) -> MeasurementVerdict:
    """Whether a run can be believed, and each objective that a run can answer.

    An interrupted run is invalid: who stops a run sees its numbers while deciding to, and a moment chosen by what
    was seen biases all of them. Its numbers are shown all the same. A check that cannot be made is no pass: it is
    named in the notes.

    Args:
        summary: of the same requests.
        requests: raw rows, warm-up included.
        workload: what was asked.
        effective: what happened beside it.
        objectives: directions and objectives about quality are left out of the verdict.
        interrupted: whether the user stopped the run.
    """
    rows = measured_rows(requests)
    reasons = []
    if interrupted:
        reasons.append("the run was interrupted; let it run to its end")
    found = [check_count(rows), check_rate(rows), check_lateness(rows), check_stamps(rows), check_client_cpu(effective)]
    if not interrupted:
        found.append(check_not_sent(rows))
    reasons += [reason for reason in found if reason]
    unsteady, notes = _check_steadiness(rows, workload)
    return MeasurementVerdict(
        measurement="invalid" if reasons or unsteady else "valid",
        reasons=(*reasons, *unsteady),
        notes=(*notes, *note_conditions(summary, effective, workload)),
        objectives=tuple(
            answer
            for one in objectives
            if (answer := judge_objective(one, rows=rows, summary=summary, workload=workload, effective=effective))
        ),
    )


def _check_steadiness(rows: np.ndarray, workload: Workload) -> tuple[list[str], list[str]]:
    """Reasons why the run was not steady, and notes on what could not be checked."""
    response_ns = response_times(rows)
    ended = rows[~np.isin(rows["outcome"], (Outcome.INTERRUPTED, Outcome.NOT_SENT))]
    answered = rows[rows["outcome"] == Outcome.OK]
    checks: tuple[tuple[str, Callable[[], str | None], str], ...] = (
        ("a trend", lambda: find_trend(response_ns), _LONGER),
        ("a level shift", lambda: find_level_shift(response_ns), _LONGER),
        (
            "a growing backlog",
            lambda: find_growing_backlog(ended["planned_ns"], _ended_ns(ended, workload)),
            "the server is offered more than it can do; lower the rate",
        ),
        (
            "Little's law",
            lambda: find_breach_of_littles_law(answered["planned_ns"], answered["done_ns"]),
            "the server was not in balance; lower the rate or run longer",
        ),
    )
    reasons, notes = [], []
    for name, check, remedy in checks:
        try:
            finding = check()
        except TooShortError as problem:
            notes.append(f"{name} could not be checked: {problem}")
            continue
        if finding:
            reasons.append(f"{finding}; {remedy}")
    return reasons, notes


def _ended_ns(rows: np.ndarray, workload: Workload) -> NDArray[np.int64]:
    """When each request stopped being outstanding; a failure without an end ended when it failed at the latest."""
    given_up_ns = np.maximum(rows["sent_ns"], rows["planned_ns"])
    given_up_ns = given_up_ns + np.where(rows["outcome"] == Outcome.TIMEOUT, workload.timeout_ns, 0)
    return np.asarray(np.where(rows["done_ns"] >= 0, rows["done_ns"], given_up_ns), np.int64)
