"""`load`: put a server under a load and judge the measurement."""

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import msgspec

from modeldyno.api.load.low_load import measure_low_load
from modeldyno.api.load.measuring import measure
from modeldyno.api.load.observing import (
    Beside,
    metrics_address,
)
from modeldyno.api.load.questions.ask import MOST_DISTINCT, Ask
from modeldyno.api.load.questions.table import questions_for
from modeldyno.api.load.scenarios import check_samples, scenario_load
from modeldyno.api.load.token_objectives import check_token_objectives
from modeldyno.api.load.workloads import Shape, distinct_of, replay_of, sizes_of, workload_of
from modeldyno.clock import Clock, SystemClock
from modeldyno.errors import ObjectiveError, OutputError, UsageError
from modeldyno.protocols import Progress, Silent
from modeldyno.records.objective import Objective, parse_objectives
from modeldyno.records.run import Run
from modeldyno.records.scenario import Scenario
from modeldyno.records.workload import Workload
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
    directory = _directory(out, questions.model, clock)
    prepared = questions.make(sizes_of(workload), shape.seed)
    workload = msgspec.structs.replace(workload, kind_mix=prepared.kinds, prompting=prepared.prompting)
    wiring = questions.wired(prepared)
    beside = Beside(metrics_url=metrics_address(workload, metrics_url, ask.access))
    if estimate_split:
        low_load = measure_low_load(workload, prepared.requests, wiring=wiring, progress=progress, clock=clock)
        beside = replace(beside, low_load=low_load)
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


def _directory(out: str | PathLike[str] | None, model: str, clock: Clock) -> Path:
    """Where the run is kept: as asked, else named by model and time."""
    stamp = clock.wall_time().replace(":", "").replace("-", "").split("+")[0]
    directory = Path(out) if out is not None else Path("out") / f"{Path(model).name}-{stamp}.run"
    if directory.exists() and any(directory.iterdir()):
        raise OutputError(f"{directory} is not empty", hint="choose another --out, or leave it out for a new name")
    return directory


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
