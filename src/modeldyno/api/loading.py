"""`load`: put a server under a load and judge the measurement."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from modeldyno import __version__
from modeldyno.api.load.low_load import measure_low_load
from modeldyno.api.load.observing import (
    Beside,
    Sight,
    counting_of,
    floor_here,
    metrics_address,
    server_processes,
    watch_server,
)
from modeldyno.api.load.questions.ask import MOST_DISTINCT, Ask
from modeldyno.api.load.questions.table import questions_for
from modeldyno.api.load.scenarios import check_samples, judged_scenario, scenario_load, unjudged
from modeldyno.api.load.token_objectives import check_token_objectives
from modeldyno.api.load.workloads import Shape, distinct_of, replay_of, sizes_of, workload_of
from modeldyno.clock import Clock, SystemClock
from modeldyno.errors import ObjectiveError, OutputError, UsageError
from modeldyno.loadgen.driver import LoadResult, run_load
from modeldyno.loadgen.recorder import finish_run, start_run
from modeldyno.loadgen.wiring import PreparedRequest, Wiring
from modeldyno.machine.environment import capture_environment
from modeldyno.policies.sending import check_awake, sending_processes
from modeldyno.protocols import Progress, Silent
from modeldyno.records.objective import Objective, parse_objectives
from modeldyno.records.run import Run
from modeldyno.records.scenario import Scenario
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.stats.judge import judge_run
from modeldyno.stats.queueing import estimate_queueing
from modeldyno.stats.summary import summarise
from modeldyno.traffic.replay import Arrivals


def load(  # noqa: PLR0913 - keyword-only, each an option of the verb
    url: str,
    *,
    rate_per_s: float | None = None,
    ask: Ask | None = None,
    slo: str = "",
    shape: Shape | None = None,
    trace: str | PathLike[str] | None = None,
    scenario: Scenario | None = None,
    out: str | PathLike[str] | None = None,
    server_pids: Sequence[int] = (),
    metrics_url: str | None = None,
    estimate_split: bool = False,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> tuple[Run, Path]:
    """Load a server.

    Args:
        url: base URL, such as `http://127.0.0.1:8000`; `null:` loads nothing and shows what the instrument costs.
        rate_per_s: requests per second to offer, whether or not the server keeps up; not for a replay nor a closed
            loop.
        ask: the protocol, what is sent, and keys and certificates; by default the Open Inference Protocol with rows
            made from the server's metadata.
        slo: objectives to judge, such as `"p99<20ms, error_rate<0.1%"`.
        shape: arrivals, duration and the rest.
        trace: table of recorded arrivals, for a replay.
        scenario: of MLPerf Inference: it decides the arrivals and judges the run by its rules beside.
        out: directory of the run; made from model and time when None.
        server_pids: processes of the server, when it runs here; found by its port when left out.
        metrics_url: where the server exposes metrics in the text format of Prometheus; looked for at `/metrics` of
            the target when None.
        estimate_split: load at a tenth of the rate first, and estimate from it how much of the time is queueing.
        progress: where to report how far it is.
        clock: the clock to measure with.

    Returns:
        The record and the directory that holds it with the raw requests.

    Raises:
        TargetError: the server cannot be reached or does not offer the model.
        UsageError: a load that cannot be, such as one without a rate.
        InputError: the trace cannot be read.
        ObjectiveError: an objective does not parse or needs labels.
        OutputError: `out` exists already or cannot be written.
    """
    progress, clock, shape = progress or Silent(), clock or SystemClock(), shape or Shape()
    objectives = speed_objectives(slo)
    if scenario is not None:
        scenario, shape = scenario_load(scenario, shape, rate_per_s)
    ask = ask or Ask()
    workload, replayed = _plan(url, rate_per_s, shape, trace)
    ask = replace(ask, distinct=_distinct(ask, workload))
    questions = questions_for(url, ask)
    check_token_objectives(objectives, questions.protocol, ask.prompts)
    check_samples(scenario, questions)
    workload = msgspec.structs.replace(workload, model=questions.model, protocol=questions.protocol)
    stamp = clock.wall_time().replace(":", "").replace("-", "").split("+")[0]
    directory = Path(out) if out is not None else Path("out") / f"{Path(questions.model).name}-{stamp}.run"
    if directory.exists() and any(directory.iterdir()):
        raise OutputError(f"{directory} is not empty", hint="choose another --out, or leave it out for a new name")
    prepared = questions.make(sizes_of(workload), shape.seed)
    workload = msgspec.structs.replace(workload, kind_mix=prepared.kinds, prompting=prepared.prompting)
    wiring = questions.wired(prepared)
    low_load = None
    if estimate_split:
        low_load = measure_low_load(workload, prepared.requests, wiring=wiring, progress=progress, clock=clock)
    beside = Beside(metrics_url=metrics_address(workload, metrics_url), low_load=low_load)
    run, _ = measure(
        workload,
        prepared.requests,
        objectives,
        directory=directory,
        server_pids=server_pids,
        progress=progress,
        clock=clock,
        wiring=wiring,
        beside=beside,
        replayed=replayed,
        scenario=scenario,
    )
    return run, directory


def _distinct(ask: Ask, workload: Workload) -> int | None:
    """How many unlike requests are to be prepared, enough for each of the sizes or kinds."""
    wanted = distinct_of(workload, MOST_DISTINCT)
    return None if wanted is None else wanted * max(len(sizes_of(workload)), len(ask.templates), len(ask.lengths))


def _plan(
    url: str, rate_per_s: float | None, shape: Shape, trace: str | PathLike[str] | None
) -> tuple[Workload, Arrivals | None]:
    """The plan of a load whose model and protocol are not known yet, and the arrivals of a replay."""
    is_replay, is_closed = trace is not None or shape.arrivals == "replay", shape.concurrency > 0
    if is_replay and is_closed:
        raise UsageError("a closed loop replays no trace", why="its users send when they have their answer")
    if trace is not None:
        if rate_per_s is not None:
            raise UsageError("the rate of a replay is that of its trace", hint="change it with --speed or --scale")
        return replay_of(url, "", Path(trace), shape)
    if is_closed and rate_per_s is not None:
        raise UsageError(
            "a load has either a rate or users",
            why="a closed loop (--concurrency) sends as fast as the server answers",
            hint="leave out --rate or --concurrency",
        )
    if rate_per_s is None and not is_closed and not is_replay:
        raise UsageError("a load needs a rate", hint="--rate 500, or --concurrency 8 for a closed loop")
    return workload_of(url, "", rate_per_s or 0.0, shape), None


def speed_objectives(slo: str) -> tuple[Objective, ...]:
    """The objectives in `slo`, none of which may be about quality.

    Raises:
        ObjectiveError: one needs labels and a model, which a load does not have.
    """
    objectives = parse_objectives(slo) if slo.strip() else ()
    for objective in objectives:
        if objective.is_about_quality or objective.metric == "size":
            raise ObjectiveError(
                f"load cannot judge {objective.text!r}",
                why="it measures speed and failures only",
                hint="judge quality with: dyno evaluate MODEL --data DATA --slo ...",
            )
    return objectives


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
    environment = capture_environment()
    check_awake(workload, environment.cores)
    beside = beside or Beside()
    server = server_processes(workload, server_pids)
    run = Run(
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
    start_run(directory, run)
    counting = counting_of(workload, wiring.access if wiring is not None else None)
    with watch_server(server, metrics_url=beside.metrics_url, statistics=counting, clock=clock) as watch:
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
    run = concluded(run, result.requests, result.tokens, effective=result.effective, interrupted=result.interrupted)
    try:
        _keep(directory, run, result, sight)
    except OutputError as problem:
        raise _kept_elsewhere(run, result, sight, problem) from problem
    return run, result.requests


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


def concluded(
    run: Run,
    requests: np.ndarray,
    tokens: np.ndarray,
    *,
    effective: EffectiveWorkload,
    interrupted: bool,
) -> Run:
    """The record with summary and verdict, from the raw requests and the stamps of streamed answers."""
    summary = summarise(requests, run.requested, run.objectives, activity=run.activity, tokens=tokens)
    verdict = judge_run(
        summary,
        requests,
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
