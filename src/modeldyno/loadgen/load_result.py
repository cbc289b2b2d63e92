"""What happened in a load: the rows of all sending processes as one, and what they counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modeldyno.loadgen.messages import Assignment, Finished
from modeldyno.loadgen.wiring import Expectations
from modeldyno.records.answers import AnswersChecked
from modeldyno.records.requests import REQUEST_DTYPE, TOKEN_DTYPE
from modeldyno.records.workload import EffectiveWorkload, Workload


@dataclass(frozen=True, kw_only=True)
class LoadResult:
    """What happened."""

    requests: np.ndarray
    """One `REQUEST_DTYPE` row for every planned request, in planned order, warm-up included."""
    effective: EffectiveWorkload
    interrupted: bool
    """The user stopped it; what was cut off has the outcome INTERRUPTED, what was not due yet NOT_SENT."""
    start_ns: int
    """The planned start on the clock, from which all moments of `requests` count."""
    answers: AnswersChecked | None
    """What came of the expectations about them; None without any."""
    tokens: np.ndarray
    """One `TOKEN_DTYPE` row for every piece of a streamed answer, in the order in which the requests ended."""


def requests_of(workload: Workload, assignments: Sequence[Assignment], finished: Sequence[Finished]) -> np.ndarray:
    """The rows of all sending processes, in planned order."""
    shares = [(one.part_path, part.rows_bytes, part.rows) for one, part in zip(assignments, finished, strict=True)]
    requests = _gather(REQUEST_DTYPE, shares)
    return requests[np.argsort(requests["planned_ns" if workload.is_closed else "number"], kind="stable")]


def tokens_of(assignments: Sequence[Assignment], finished: Sequence[Finished]) -> np.ndarray:
    """The pieces of all streamed answers."""
    shares = [
        (one.tokens_path, part.tokens_bytes, part.tokens) for one, part in zip(assignments, finished, strict=True)
    ]
    return _gather(TOKEN_DTYPE, shares)


def answers_of(expectations: Expectations | None, finished: Sequence[Finished]) -> AnswersChecked | None:
    """What came of the expectations; None where nothing was expected."""
    if expectations is None or not expectations.source:
        return None
    tallies = [part.answers for part in finished if part.answers is not None]
    return AnswersChecked(
        expected=expectations.source,
        share=expectations.checked_share,
        tolerance=expectations.tolerance,
        checked=sum(one.checked for one in tallies),
        wrong=sum(one.wrong for one in tallies),
        example=next((one.example for one in tallies if one.example), ""),
    )


def effective_of(finished: Sequence[Finished]) -> EffectiveWorkload:
    """What the sending processes say of the run; what others know of it is still open."""
    return EffectiveWorkload(
        connections=sum(part.connections for part in finished),
        workers=len(finished),
        client_cpu_fraction=max(part.cpu_fraction for part in finished),
        server_cpu_ns=None,
        server_peak_memory_bytes=None,
        reconnects=sum(part.reconnects for part in finished),
        awake_fraction=_least_awake(finished),
        failures_said={kind: words for part in reversed(finished) for kind, words in part.failures_said.items()},
    )


def _least_awake(finished: Sequence[Finished]) -> float | None:
    return min((part.awake_fraction for part in finished if part.awake_fraction is not None), default=None)


def _gather(dtype: np.dtype[np.void], shares: Sequence[tuple[str, int, bytes]]) -> np.ndarray:
    """All rows of the sending processes: those of each part file, and what did not fit on the disk after them."""
    pieces = []
    for path, size, kept in shares:
        content = b""
        if size:
            with Path(path).open("rb") as file:
                content = file.read(size)
        pieces.append(np.frombuffer(content + kept, dtype))
    return np.concatenate(pieces)
