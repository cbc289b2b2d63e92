"""Which of the prepared requests each request of a plan is, and what that made of the questions a server was asked."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import UsageError
from modeldyno.loadgen.wiring import PreparedRequest
from modeldyno.records.workload import Workload
from modeldyno.traffic.mix import mixed_kinds, mixed_rows
from modeldyno.traffic.repeats import asked_questions, numbered_by_first
from modeldyno.traffic.replay import Arrivals

_CLOSED_CYCLE = 1 << 14
"""A closed loop goes through so many draws of a mix, and then through them again."""
_CLOSED_CYCLE_OF_REPEATS = 1 << 17
"""Instead, where it counts what was asked before."""


def choose(workload: Workload, arrivals: Arrivals, prepared: Sequence[PreparedRequest]) -> NDArray[np.int64]:
    """The place in `prepared` of each request of the plan.

    Those of one size or kind take turns, from the front again after the last; where the workload says how many
    repeat, or its trace what each asks, each new question takes the next turn.

    Raises:
        UsageError: a size or kind is due of which nothing was prepared.
    """
    count = len(arrivals.moments_ns)
    if workload.is_closed:
        count = _CLOSED_CYCLE if workload.repeats is None else _CLOSED_CYCLE_OF_REPEATS
    due, offered = _due(workload, arrivals, prepared, count)
    if due is None:
        turns = len(prepared) if workload.is_closed and workload.repeats is None else count
        return _questions(workload, arrivals, np.arange(turns)) % len(prepared)
    choice = np.empty(count, np.int64)
    for one in np.unique(due):
        places, fitting = np.flatnonzero(due == one), np.flatnonzero(offered == one)
        if not len(fitting):
            what = f"kind {workload.kind_mix[one].kind!r}" if workload.kind_mix else f"{one} rows"
            raise UsageError(f"no request of {what} was prepared")
        choice[places] = fitting[_questions(workload, arrivals, places) % len(fitting)]
    return choice


def _due(
    workload: Workload, arrivals: Arrivals, prepared: Sequence[PreparedRequest], count: int
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64]]:
    """The size or kind of each request of the plan, None where all are alike, and that of each prepared one."""
    rows = np.array([request.rows for request in prepared], np.int64)
    if arrivals.rows is not None:
        return arrivals.rows, rows
    if workload.kind_mix:
        names = [one.kind for one in workload.kind_mix]
        kinds = np.array([names.index(request.kind) for request in prepared], np.int64)
        return mixed_kinds(workload.kind_mix, requests=count, seed=workload.seed), kinds
    if workload.row_mix:
        return mixed_rows(workload.row_mix, requests=count, seed=workload.seed), rows
    return None, rows


def _questions(workload: Workload, arrivals: Arrivals, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """What the requests at these places of the plan ask, numbered as they are first asked."""
    if arrivals.questions is not None:
        return numbered_by_first(arrivals.questions[places])
    if workload.repeats is not None:
        return asked_questions(workload.repeats, requests=len(places), seed=workload.seed)
    return np.arange(len(places))


def asked_again(
    requests: np.ndarray, choices: Sequence[bytes], prepared: Sequence[PreparedRequest]
) -> tuple[int, float | None]:
    """How many different requests were sent, and which share of the measured ones was not sent for the first time.

    Args:
        requests: raw rows of a run.
        choices: of each sending process: places in `prepared`, int32, of its own requests in turn.
        prepared: what they are places in; equal contents are one question.
    """
    contents: dict[object, int] = {}
    same = np.array([contents.setdefault((one.path, one.headers, one.body), len(contents)) for one in prepared])
    sent = requests[requests["sent_ns"] >= 0]
    own, worker = sent["number"] // len(choices), sent["number"] % len(choices)
    questions = np.empty(len(sent), np.int64)
    for number, packed in enumerate(choices):
        choice = np.frombuffer(packed, "<i4")
        mine = worker == number
        questions[mine] = same[choice[own[mine] % len(choice)]]
    measured = questions[sent["measured"]]
    new = np.setdiff1d(measured, questions[~sent["measured"]])
    share = 1 - len(new) / len(measured) if len(measured) else None
    return len(np.unique(questions)), share
