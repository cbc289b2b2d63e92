"""One load, measured: sent, watched, summarised, judged and kept."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from modeldyno import __version__
from modeldyno.api.load.observing import (
    Beside,
    Sight,
    counting_of,
    floor_here,
    metrics_access,
    server_processes,
    watch_server,
)
from modeldyno.api.load.scenarios import judged_scenario, unjudged
from modeldyno.clock import Clock
from modeldyno.errors import OutputError
from modeldyno.loadgen.driver import run_load
from modeldyno.loadgen.load_result import LoadResult
from modeldyno.loadgen.recorder import finish_run, start_run
from modeldyno.loadgen.wiring import PreparedRequest, Wiring
from modeldyno.machine.environment import capture_environment
from modeldyno.policies.sending import check_awake, check_size, sending_processes
from modeldyno.protocols import Progress
from modeldyno.records.objective import Objective
from modeldyno.records.run import Run
from modeldyno.records.scenario import Scenario
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.stats.judge import judge_run
from modeldyno.stats.queueing import estimate_queueing
from modeldyno.stats.summary import due_rows, summarise
from modeldyno.traffic.replay import Arrivals


def measure(  # noqa: PLR0913 - all but three are keyword-only
    workload: Workload,
    prepared: Sequence[PreparedRequest],
    objectives: Sequence[Objective],
    *,
    directory: Path,
    server_pids: Sequence[int],
    progress: Progress,
    clock: Clock,
    wiring: Wiring | None = None,
    beside: Beside | None = None,
    replayed: Arrivals | None = None,
    scenario: Scenario | None = None,
) -> tuple[Run, np.ndarray]:
    """Run a load, summarise and judge it, and keep it under `directory`: the record, the requests, the server's side.

    Without `server_pids`, the processes that listen on the target's port are looked at, when it is on this machine.
    """
    beside = beside or Beside()
    server = server_processes(workload, server_pids)
    run = _begun(workload, objectives, beside, scenario, clock=clock, progress=progress)
    start_run(directory, run)
    access = wiring.access if wiring is not None else None
    with watch_server(
        server,
        metrics_url=beside.metrics_url,
        statistics=counting_of(workload, access),
        clock=clock,
        access=metrics_access(workload, beside.metrics_url, access),
    ) as watch:
        result = run_load(
            _staffed(workload, run),
            prepared,
            run_directory=directory,
            clock=clock,
            progress=progress,
            server_pids=server.pids,
            wiring=wiring,
            replayed=replayed,
        )
    sight = watch.sight(result.requests, result.start_ns, progress)
    run = msgspec.structs.replace(
        run, server=sight.use, metrics=sight.changes, activity=sight.activity, gpus=sight.gpus, answers=result.answers
    )
    run = _concluded(run, result.requests, result.tokens, effective=result.effective, interrupted=result.interrupted)
    try:
        _keep(directory, run, result, sight)
    except OutputError as problem:
        raise _kept_elsewhere(run, result, sight, problem) from problem
    return run, result.requests


def _begun(
    workload: Workload,
    objectives: Sequence[Objective],
    beside: Beside,
    scenario: Scenario | None,
    *,
    clock: Clock,
    progress: Progress,
) -> Run:
    """The record before anything was sent."""
    environment = capture_environment()
    check_awake(workload, environment.cores)
    check_size(workload, environment.memory_limit_bytes or environment.memory_bytes)
    return Run(
        tool_version=__version__,
        state="running",
        started_at=clock.wall_time(),
        environment=environment,
        requested=workload,
        effective=None,
        objectives=tuple(objectives),
        floor=floor_here(environment, workload.protocol, progress),
        low_load=beside.low_load,
        scenario=unjudged(scenario),
    )


def _staffed(workload: Workload, run: Run) -> Workload:
    """With as many sending processes as its rate needs, unless the user said how many."""
    if workload.workers:
        return workload
    highest = run.floor.highest_rate_per_s if run.floor is not None else None
    peak = max(workload.rate_per_s, workload.to_per_s or 0.0, workload.from_per_s or 0.0)
    count = sending_processes(peak, highest_per_s=highest, cores=run.environment.cores)
    return msgspec.structs.replace(workload, workers=count)


def _keep(directory: Path, run: Run, result: LoadResult, sight: Sight) -> None:
    finish_run(directory, run, result.requests, result.tokens)
    sight.keep(directory)


def _kept_elsewhere(run: Run, result: LoadResult, sight: Sight, problem: OutputError) -> OutputError:
    """Save a finished run that cannot be written where it should be; the error then says where it is."""
    refuge = Path(tempfile.mkdtemp(prefix="dyno-run-"))
    try:
        _keep(refuge, run, result, sight)
    except OutputError:
        return problem
    return OutputError(
        problem.what,
        why=problem.why,
        hint=f"nothing is lost: the whole run was kept in {refuge}; see it with: dyno report {refuge}",
    )


def _concluded(
    run: Run,
    requests: np.ndarray,
    tokens: np.ndarray,
    *,
    effective: EffectiveWorkload,
    interrupted: bool,
) -> Run:
    """The record with summary and verdict, from the raw requests and the stamps of streamed answers."""
    due = due_rows(requests) if interrupted else requests
    summary = summarise(due, run.requested, run.objectives, activity=run.activity, tokens=tokens)
    verdict = judge_run(
        summary,
        due,
        run.requested,
        effective,
        run.objectives,
        interrupted=interrupted,
        floor=run.floor,
        server=run.server,
        answers=run.answers,
        tokens=tokens,
        activity=run.activity,
    )
    state: Literal["interrupted", "complete"] = "interrupted" if interrupted else "complete"
    return msgspec.structs.replace(
        judged_scenario(run, requests),
        state=state,
        effective=effective,
        summary=summary,
        verdict=verdict,
        queueing=estimate_queueing(summary, run.low_load),
    )
