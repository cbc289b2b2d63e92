"""The verdict on a run: whether it can be believed, and whether it met its objectives."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from modeldyno.records.answers import AnswersChecked
from modeldyno.records.model_statistics import ModelActivity
from modeldyno.records.objective import Objective
from modeldyno.records.observation import ServerUse
from modeldyno.records.requests import Outcome
from modeldyno.records.run import Floor, Summary
from modeldyno.records.verdict import MeasurementVerdict
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.stats.answers import judge_answers
from modeldyno.stats.objectives import judge_objective
from modeldyno.stats.repeats import note_repeats
from modeldyno.stats.silence import find_silence
from modeldyno.stats.steadiness import (
    TooShortError,
    find_breach_of_littles_law,
    find_growing_backlog,
    find_level_shift,
    find_trend,
)
from modeldyno.stats.summary import measured_rows, response_times
from modeldyno.stats.token_notes import note_tokens
from modeldyno.stats.validity import (
    check_client_cpu,
    check_count,
    check_floor,
    check_lateness,
    check_not_sent,
    check_rate,
    check_stamps,
    check_users,
    note_conditions,
    note_server,
)

_LAW = "Little's law"
_TREND, _SHIFT = "a trend", "a level shift"
_BACKLOG = "a growing backlog"
_CHANGING = ("ramp", "step", "spike", "replay")
_LONGER = "run longer, or warm up longer (--warmup)"


def judge_run(  # noqa: PLR0913 - all but five are keyword-only
    summary: Summary,
    requests: np.ndarray,
    workload: Workload,
    effective: EffectiveWorkload,
    objectives: Sequence[Objective],
    *,
    interrupted: bool,
    floor: Floor | None = None,
    server: ServerUse | None = None,
    tokens: np.ndarray | None = None,
    answers: AnswersChecked | None = None,
    activity: ModelActivity | None = None,
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
        floor: the instrument's own on this machine, when it is known.
        server: what the server's processes used, when they could be looked at.
        tokens: stamps of the pieces of a language model's answers, `TOKEN_DTYPE`.
        answers: what came of the answers that were expected.
        activity: what the server's own statistics say.
    """
    rows = measured_rows(requests)
    reasons = []
    if interrupted:
        reasons.append(_interruption(rows, workload))
    held_up = [check_client_cpu(effective)]
    if not workload.is_closed:
        held_up += [check_rate(rows), check_lateness(rows, effective)]
    found = [check_count(rows), check_stamps(rows), *held_up]
    if not interrupted:
        found.append(check_users(rows, workload) if workload.is_closed else check_not_sent(rows))
    reasons += [reason for reason in found if reason]
    beyond, beside = check_floor(summary, workload, floor, workers=effective.workers, is_held_up=any(held_up))
    reasons += beyond
    unsteady, notes = _check_steadiness(rows, workload)
    right = judge_answers(requests, answers)
    return MeasurementVerdict(
        measurement="invalid" if reasons or unsteady else "valid",
        reasons=(*reasons, *unsteady),
        notes=(
            *notes,
            *note_conditions(summary, effective, workload),
            *beside,
            *note_server(server),
            *note_tokens(summary, workload),
            *note_repeats(workload, effective, activity),
        ),
        objectives=(() if right is None else (right,))
        + tuple(
            answer
            for one in objectives
            if (
                answer := judge_objective(
                    one, rows=rows, summary=summary, workload=workload, effective=effective, tokens=tokens
                )
            )
        ),
    )


def _interruption(rows: np.ndarray, workload: Workload) -> str:
    ended = int((~np.isin(rows["outcome"], (Outcome.INTERRUPTED, Outcome.NOT_SENT))).sum())
    planned = f" of {workload.requests:,}" if workload.requests else ""
    return f"the run was interrupted after {ended:,}{planned} requests; let it run to its end"


def _check_steadiness(rows: np.ndarray, workload: Workload) -> tuple[list[str], list[str]]:
    """Reasons why the run was not steady, and notes on what could not be checked."""
    response_ns = response_times(rows)
    ended = ~np.isin(rows["outcome"], (Outcome.INTERRUPTED, Outcome.NOT_SENT))
    answered = rows["outcome"] == Outcome.OK
    changes = workload.arrivals in _CHANGING
    checks: tuple[tuple[str, Callable[[], str | None], str], ...] = (
        (_TREND, lambda: find_trend(response_ns), _LONGER),
        (_SHIFT, lambda: find_level_shift(response_ns), _LONGER),
        (
            _BACKLOG,
            lambda: find_growing_backlog(rows["planned_ns"][ended], _ended_ns(rows, workload)[ended]),
            "the server is offered more than it can do; lower the rate",
        ),
        (
            _LAW,
            lambda: find_breach_of_littles_law(rows["planned_ns"][answered], rows["done_ns"][answered]),
            "the server was not in balance; lower the rate or run longer",
        ),
    )
    silence = find_silence(rows)
    reasons, notes = [silence] if silence else [], []
    if changes:
        notes.append(
            f"the rate of a {workload.arrivals} changes by plan: response times that change with it are its result, so "
            "that a trend, a level shift and a growing backlog are not held against the run"
        )
    elif workload.is_closed:
        notes.append("a growing backlog is not looked for: a closed loop cannot have one")
    for name, check, remedy in checks:
        if (changes and name != _LAW) or (workload.is_closed and name == _BACKLOG):
            continue
        if silence and name in (_TREND, _SHIFT):  # they would say the same in other words
            continue
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
