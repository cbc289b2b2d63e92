"""`load`: put a server under a load and judge the measurement."""

import tempfile
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from modeldyno import __version__
from modeldyno.api.low_load import measure_low_load
from modeldyno.api.observing import Beside, Sight, floor_here, metrics_address, server_processes, watch_server
from modeldyno.api.workloads import DISTINCT_REQUESTS, Shape, prepared_requests, replay_of, sizes_of, workload_of
from modeldyno.clock import Clock, SystemClock
from modeldyno.data.files import open_dataset
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.errors import ObjectiveError, OutputError, UsageError
from modeldyno.loadgen.discovery import model_signature, only_model
from modeldyno.loadgen.driver import PreparedRequest, run_load
from modeldyno.loadgen.recorder import finish_run, start_run
from modeldyno.machine.environment import capture_environment
from modeldyno.protocols import Progress, Silent
from modeldyno.records.objective import Objective, parse_objectives
from modeldyno.records.run import Run
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.stats.judge import judge_run
from modeldyno.stats.queueing import estimate_queueing
from modeldyno.stats.summary import summarise
from modeldyno.traffic.replay import Arrivals


def load(  # noqa: PLR0913 - keyword-only, each an option of the verb
    url: str,
    *,
    rate_per_s: float | None = None,
    model: str | None = None,
    data: str | PathLike[str] | None = None,
    label: str | None = None,
    slo: str = "",
    shape: Shape | None = None,
    trace: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    server_pids: Sequence[int] = (),
    metrics_url: str | None = None,
    estimate_split: bool = False,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> tuple[Run, Path]:
    """Load a server that speaks the Open Inference Protocol over HTTP, with binary tensors.

    Args:
        url: base URL, such as `http://127.0.0.1:8000`.
        rate_per_s: requests per second to offer, whether or not the server keeps up; not for a replay nor a closed
            loop.
        model: name on the server; may be left out when it offers exactly one and lists it.
        data: rows to send; without, they are made from the server's metadata.
        label: column or array with the labels, so that it is not sent.
        slo: objectives to judge, such as `"p99<20ms, error_rate<0.1%"`.
        shape: arrivals, duration and the rest.
        trace: table of recorded arrivals, for a replay.
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
    name = model or only_model(url)
    workload, replayed = _plan(url, name, rate_per_s, shape, trace)
    signature = model_signature(url, name)
    dataset = (
        synthetic_dataset(signature, rows=max(DISTINCT_REQUESTS, *sizes_of(workload)), seed=shape.seed)
        if data is None
        else open_dataset(Path(data), signature, label=label)
    )
    stamp = clock.wall_time().replace(":", "").replace("-", "").split("+")[0]
    directory = Path(out) if out is not None else Path("out") / f"{Path(name).name}-{stamp}.run"
    if directory.exists() and any(directory.iterdir()):
        raise OutputError(f"{directory} is not empty", hint="choose another --out, or leave it out for a new name")
    prepared = prepared_requests(dataset, signature, *sizes_of(workload))
    beside = Beside(
        metrics_url=metrics_address(url, metrics_url),
        low_load=measure_low_load(workload, prepared, progress=progress, clock=clock) if estimate_split else None,
    )
    run, _ = measure(
        workload,
        prepared,
        objectives,
        directory=directory,
        server_pids=server_pids,
        progress=progress,
        clock=clock,
        beside=beside,
        replayed=replayed,
    )
    return run, directory


def _plan(
    url: str, model: str, rate_per_s: float | None, shape: Shape, trace: str | PathLike[str] | None
) -> tuple[Workload, Arrivals | None]:
    is_replay, is_closed = trace is not None or shape.arrivals == "replay", shape.concurrency > 0
    if is_replay and is_closed:
        raise UsageError("a closed loop replays no trace", why="its users send when they have their answer")
    if trace is not None:
        if rate_per_s is not None:
            raise UsageError("the rate of a replay is that of its trace", hint="change it with --speed or --scale")
        return replay_of(url, model, Path(trace), shape)
    if is_closed and rate_per_s is not None:
        raise UsageError(
            "a load has either a rate or users",
            why="a closed loop (--concurrency) sends as fast as the server answers",
            hint="leave out --rate or --concurrency",
        )
    if rate_per_s is None and not is_closed and not is_replay:
        raise UsageError("a load needs a rate", hint="--rate 500, or --concurrency 8 for a closed loop")
    return workload_of(url, model, rate_per_s or 0.0, shape), None


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
    beside: Beside | None = None,
    replayed: Arrivals | None = None,
) -> tuple[Run, np.ndarray]:
    """Run a load, summarise and judge it, and keep it under `directory`: the record, the requests, the server's side.

    Without `server_pids`, the processes that listen on the target's port are looked at, when it is on this machine.
    """
    environment = capture_environment()
    beside = beside or Beside()
    server = server_processes(workload.url, server_pids)
    run = Run(
        tool_version=__version__,
        state="running",
        started_at=clock.wall_time(),
        environment=environment,
        requested=workload,
        effective=None,
        objectives=tuple(objectives),
        floor=floor_here(environment, progress),
        low_load=beside.low_load,
    )
    start_run(directory, run)
    with watch_server(server, metrics_url=beside.metrics_url, clock=clock) as watch:
        result = run_load(
            workload,
            prepared,
            path=f"/v2/models/{workload.model}/infer",
            run_directory=directory,
            clock=clock,
            progress=progress,
            server_pids=server.pids,
            replayed=replayed,
        )
    sight = watch.sight(result.requests, result.start_ns, progress)
    run = msgspec.structs.replace(run, server=sight.use, metrics=sight.changes)
    run = concluded(run, result.requests, effective=result.effective, interrupted=result.interrupted)
    try:
        _keep(directory, run, result.requests, sight)
    except OutputError as problem:
        raise _kept_elsewhere(run, result.requests, sight, problem) from problem
    return run, result.requests


def _keep(directory: Path, run: Run, requests: np.ndarray, sight: Sight) -> None:
    finish_run(directory, run, requests)
    sight.keep(directory)


def _kept_elsewhere(run: Run, requests: np.ndarray, sight: Sight, problem: OutputError) -> OutputError:
    """Save a finished run that cannot be written where it should be; the error then says where it is."""
    refuge = Path(tempfile.mkdtemp(prefix="dyno-run-"))
    try:
        _keep(refuge, run, requests, sight)
    except OutputError:
        return problem
    return OutputError(
        problem.what,
        why=problem.why,
        hint=f"nothing is lost: the whole run was kept in {refuge}; see it with: dyno report {refuge}",
    )


def concluded(run: Run, requests: np.ndarray, *, effective: EffectiveWorkload, interrupted: bool) -> Run:
    """The record with summary and verdict, from the raw requests."""
    summary = summarise(requests, run.requested, run.objectives)
    verdict = judge_run(
        summary,
        requests,
        run.requested,
        effective,
        run.objectives,
        interrupted=interrupted,
        floor=run.floor,
        server=run.server,
    )
    state: Literal["interrupted", "complete"] = "interrupted" if interrupted else "complete"
    return msgspec.structs.replace(
        run,
        state=state,
        effective=effective,
        summary=summary,
        verdict=verdict,
        queueing=estimate_queueing(summary, run.low_load),
    )
