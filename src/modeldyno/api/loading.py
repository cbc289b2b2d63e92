"""`load`: put a server under an open-loop load and judge the measurement."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from modeldyno import __version__
from modeldyno.clock import Clock, SystemClock
from modeldyno.data.files import open_dataset
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.errors import ObjectiveError, OutputError, UsageError
from modeldyno.loadgen.discovery import model_signature, only_model
from modeldyno.loadgen.driver import PreparedRequest, run_load
from modeldyno.loadgen.recorder import finish_run, start_run
from modeldyno.machine.environment import capture_environment
from modeldyno.protocols import Dataset, Progress, Silent
from modeldyno.records.objective import Objective, parse_objectives
from modeldyno.records.run import Run
from modeldyno.records.signature import Signature
from modeldyno.records.workload import ArrivalName, EffectiveWorkload, Workload
from modeldyno.seeds import DEFAULT_SEED
from modeldyno.stats.judge import judge_run
from modeldyno.stats.summary import summarise
from modeldyno.wire.v2_client import encode_infer_request

DISTINCT_REQUESTS = 1024
"""Enough that no cache of the server's processor sees the same row again soon; bounded, for images are large."""
WARMUP_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Shape:
    """How a load is shaped: what the user can choose beside the rate."""

    arrivals: ArrivalName = "poisson"
    duration_ns: int = 10_000_000_000
    requests: int | None = None
    """Planned requests; instead of `duration_ns` when given."""
    warmup_ns: int = WARMUP_NS
    rows_per_request: int = 1
    timeout_ns: int = 5_000_000_000
    connections: int = 8
    workers: int = 1
    seed: int = DEFAULT_SEED


def workload_of(url: str, model: str, rate_per_s: float, shape: Shape) -> Workload:
    """The plan of a load.

    Raises:
        UsageError: it would hold no request at all, or a number is not positive.
    """
    counts = {"rows per request": shape.rows_per_request, "connections": shape.connections, "workers": shape.workers}
    for name, count in counts.items():
        if count < 1:
            raise UsageError(f"{name} must be at least 1, not {count}")
    requests = shape.requests if shape.requests is not None else round(rate_per_s * shape.duration_ns / 1e9)
    if requests < 1:
        raise UsageError(
            f"a load of {rate_per_s:g}/s for {shape.duration_ns / 1e9:g} s holds no request",
            hint="raise --rate or --duration",
        )
    return Workload(
        url=url.rstrip("/"),
        model=model,
        arrivals=shape.arrivals,
        rate_per_s=rate_per_s,
        requests=requests,
        warmup_requests=round(rate_per_s * shape.warmup_ns / 1e9),
        rows_per_request=shape.rows_per_request,
        timeout_ns=shape.timeout_ns,
        connections=shape.connections,
        workers=shape.workers,
        seed=shape.seed,
    )


def load(  # noqa: PLR0913 - keyword-only, each an option of the verb
    url: str,
    *,
    rate_per_s: float,
    model: str | None = None,
    data: str | PathLike[str] | None = None,
    label: str | None = None,
    slo: str = "",
    shape: Shape | None = None,
    out: str | PathLike[str] | None = None,
    server_pids: Sequence[int] = (),
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> tuple[Run, Path]:
    """Load a server that speaks the Open Inference Protocol over HTTP, with binary tensors.

    Args:
        url: base URL, such as `http://127.0.0.1:8000`.
        rate_per_s: requests per second to offer, whether or not the server keeps up.
        model: name on the server; may be left out when it offers exactly one and lists it.
        data: rows to send; without, they are made from the server's metadata.
        label: column or array with the labels, so that it is not sent.
        slo: objectives to judge, such as `"p99<20ms, error_rate<0.1%"`.
        shape: arrivals, duration and the rest.
        out: directory of the run; made from model and time when None.
        server_pids: processes of the server, when it runs here and its cost is to be measured.
        progress: where to report how far it is.
        clock: the clock to measure with.

    Returns:
        The record and the directory that holds it with the raw requests.

    Raises:
        TargetError: the server cannot be reached or does not offer the model.
        ObjectiveError: an objective does not parse or needs labels.
        OutputError: `out` exists already or cannot be written.
    """
    progress, clock, shape = progress or Silent(), clock or SystemClock(), shape or Shape()
    objectives = speed_objectives(slo)
    name = model or only_model(url)
    workload = workload_of(url, name, rate_per_s, shape)
    signature = model_signature(url, name)
    dataset = (
        synthetic_dataset(signature, rows=DISTINCT_REQUESTS, seed=shape.seed)
        if data is None
        else open_dataset(Path(data), signature, label=label)
    )
    stamp = clock.wall_time().replace(":", "").replace("-", "").split("+")[0]
    directory = Path(out) if out is not None else Path("out") / f"{Path(name).name}-{stamp}.run"
    if directory.exists() and any(directory.iterdir()):
        raise OutputError(f"{directory} is not empty", hint="choose another --out, or leave it out for a new name")
    run, _ = measure(
        workload,
        prepared_requests(dataset, signature, shape.rows_per_request),
        objectives,
        directory=directory,
        server_pids=server_pids,
        progress=progress,
        clock=clock,
    )
    return run, directory


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


def prepared_requests(dataset: Dataset, signature: Signature, rows_per_request: int) -> list[PreparedRequest]:
    """Up to `DISTINCT_REQUESTS` different requests over the dataset's rows, encoded once."""
    starts = range(0, max(1, dataset.rows - rows_per_request + 1), rows_per_request)
    prepared = []
    for start in starts[:DISTINCT_REQUESTS]:
        inputs = dataset.inputs(start, min(start + rows_per_request, dataset.rows))
        encoded = encode_infer_request(inputs, signature)
        headers = (
            ("Content-Type", "application/octet-stream"),
            ("Inference-Header-Content-Length", str(encoded.header_length)),
        )
        prepared.append(PreparedRequest(encoded.body, headers, len(next(iter(inputs.values())))))
    return prepared


def measure(
    workload: Workload,
    prepared: Sequence[PreparedRequest],
    objectives: Sequence[Objective],
    *,
    directory: Path,
    server_pids: Sequence[int],
    progress: Progress,
    clock: Clock,
) -> tuple[Run, np.ndarray]:
    """Run a load, summarise and judge it, and keep it: run.json and requests.parquet under `directory`."""
    run = Run(
        tool_version=__version__,
        state="running",
        started_at=clock.wall_time(),
        environment=capture_environment(),
        requested=workload,
        effective=None,
        objectives=tuple(objectives),
    )
    start_run(directory, run)
    result = run_load(
        workload,
        prepared,
        path=f"/v2/models/{workload.model}/infer",
        run_directory=directory,
        clock=clock,
        progress=progress,
        server_pids=server_pids,
    )
    run = concluded(run, result.requests, effective=result.effective, interrupted=result.interrupted)
    try:
        finish_run(directory, run, result.requests)
    except OutputError as problem:
        raise _kept_elsewhere(run, result.requests, problem) from problem
    return run, result.requests


def _kept_elsewhere(run: Run, requests: np.ndarray, problem: OutputError) -> OutputError:
    """Save a finished run that cannot be written where it should be; the error then says where it is."""
    refuge = Path(tempfile.mkdtemp(prefix="dyno-run-"))
    try:
        finish_run(refuge, run, requests)
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
    verdict = judge_run(summary, requests, run.requested, effective, run.objectives, interrupted=interrupted)
    state: Literal["interrupted", "complete"] = "interrupted" if interrupted else "complete"
    return msgspec.structs.replace(run, state=state, effective=effective, summary=summary, verdict=verdict)
