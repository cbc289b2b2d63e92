"""How late a sender is on this machine when it sleeps between sends, and when it stays awake."""

from pathlib import Path

import numpy as np

from modeldyno.api.load.questions.ask import Ask
from modeldyno.api.load.questions.table import questions_for
from modeldyno.api.load.workloads import Shape, workload_of
from modeldyno.clock import Clock
from modeldyno.loadgen.driver import run_load
from modeldyno.loadgen.load_result import LoadResult
from modeldyno.protocols import Progress
from modeldyno.records.doctor import SenderLateness
from modeldyno.seeds import DEFAULT_SEED
from modeldyno.stats.quantiles import summarise_latency

RATE_PER_S = 1_000.0
TURNS = 3
TURN_NS = 1_000_000_000
_WARMUP_NS = 200_000_000
_LATE_NS = 1_000_000
_WAYS = (False, True)


def measure_lateness(scratch: Path, *, cores: int, progress: Progress, clock: Clock) -> tuple[SenderLateness, ...]:
    """Send nowhere at a constant rate, asleep and awake in turns, so that what the machine does meets both.

    Args:
        scratch: a folder to work in.
        cores: of this machine; with one alone nothing is measured, for an awake sender would have all of it.
        progress: where to report how far it is.
        clock: the clock to measure with.
    """
    if cores < len(_WAYS):
        return ()
    turns: dict[bool, list[LoadResult]] = {awake: [] for awake in _WAYS}
    for number in range(TURNS):
        for awake in _WAYS if number % 2 == 0 else reversed(_WAYS):
            folder = scratch / f"lateness-{number}-{awake}"
            turns[awake].append(_send(folder, awake=awake, progress=progress, clock=clock))
    return tuple(_lateness(results, awake=awake) for awake, results in turns.items())


def _send(folder: Path, *, awake: bool, progress: Progress, clock: Clock) -> LoadResult:
    questions = questions_for("null:", Ask(protocol="null"))
    shape = Shape(arrivals="constant", duration_ns=TURN_NS, warmup_ns=_WARMUP_NS, workers=1, awake=awake)
    prepared = questions.make((1,), DEFAULT_SEED)
    return run_load(
        workload_of("null:", questions.model, RATE_PER_S, shape, protocol="null"),
        prepared.requests,
        run_directory=folder,
        clock=clock,
        progress=progress,
        wiring=questions.wired(prepared),
    )


def _lateness(results: list[LoadResult], *, awake: bool) -> SenderLateness:
    measured = [one.requests[one.requests["measured"] & (one.requests["sent_ns"] >= 0)] for one in results]
    late_ns = np.concatenate([rows["sent_ns"] - rows["planned_ns"] for rows in measured])
    stolen = [one.effective.stolen_fraction for one in results if one.effective.stolen_fraction is not None]
    return SenderLateness(
        awake=awake,
        rate_per_s=RATE_PER_S,
        lateness=summarise_latency(late_ns),
        late_fraction=float((late_ns > _LATE_NS).mean()),
        stolen_fraction=sum(stolen) / len(stolen) if stolen else None,
    )
