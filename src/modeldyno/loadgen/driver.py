"""Runs a workload: plans it, has it sent by processes of their own, and collects what happened."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from modeldyno.clock import Clock
from modeldyno.errors import ToolError, UsageError
from modeldyno.loadgen.campaign import Campaign, Outlook
from modeldyno.loadgen.crew import Crew, Death
from modeldyno.loadgen.interruption import Interruption
from modeldyno.loadgen.messages import Assignment, Finished, Ready, Unreachable
from modeldyno.loadgen.recorder import part_path
from modeldyno.loadgen.server_usage import peak_memory_bytes
from modeldyno.loadgen.target import Target, find_address, parse_target, unreachable
from modeldyno.loadgen.transports.http1 import format_request
from modeldyno.protocols import Progress
from modeldyno.records.files import output_problem
from modeldyno.records.requests import REQUEST_DTYPE, empty_requests
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.traffic.mix import mixed_rows
from modeldyno.traffic.replay import Arrivals
from modeldyno.traffic.schedules import planned_moments
from modeldyno.units import format_rate

_CONNECT_WITHIN_S = 5.0
_READY_WITHIN_NS = 60_000_000_000
_CLOSED_CYCLE = 1 << 14
"""A closed loop goes through so many draws of a mix, and then through them again."""
_LEAD_NS = 50_000_000
"""From the announcement of the start to the start: enough for every worker to read it."""


class PreparedRequest(NamedTuple):
    """A request as the codec made it; the path is the run's."""

    body: bytes
    headers: tuple[tuple[str, str], ...]
    """Such as `Content-Type` and `Inference-Header-Content-Length`; `Host` and `Content-Length` are added."""
    rows: int


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


def run_load(  # noqa: PLR0913 - all but two are keyword-only
    workload: Workload,
    prepared: Sequence[PreparedRequest],
    *,
    path: str,
    run_directory: Path,
    clock: Clock,
    progress: Progress,
    server_pids: Sequence[int] = (),
    headers: Sequence[tuple[str, str]] = (),
    replayed: Arrivals | None = None,
) -> LoadResult:
    """Offer `workload` to its server: the requests of `prepared` in turn, or in a mix those of the size that is due.

    While it runs, finished rows are appended to `requests.part-K` in `run_directory` about four times a second;
    `recorder.read_run` reads them when this process or a sending process dies. A disk that is full does not end the
    run: it goes on in memory, and a line of progress says so.

    A sending process that dies ends the run with an error and not with a result: a share of the plan was not sent,
    so nothing true can be said about the whole, but what the others measured stays in their part files.

    Args:
        workload: what to offer.
        prepared: what to send, at least one.
        path: of every request, such as `/v2/models/digits/infer`.
        run_directory: made when missing.
        clock: the system's; the sending processes read the same CLOCK_MONOTONIC.
        progress: told a few times a second.
        server_pids: the server's processes on this machine, when they are known; their children are found.
        headers: added to every request; they win over those of `prepared`.
        replayed: the arrivals of a replay, warm-up included; not used otherwise.

    Raises:
        UsageError: a URL, header, rate or count that cannot be.
        TargetError: the server does not take connections; nothing was recorded.
        OutputError: the directory cannot be written to.
        ToolError: a sending process died or hangs.
    """
    _check(workload, prepared)
    target = parse_target(workload.url)
    contents = [
        format_request(target.base_path + path, target.host_header, (*request.headers, *headers), request.body)
        for request in prepared
    ]
    arrivals = replayed if replayed is not None else Arrivals(planned_moments(workload), None)
    if not workload.is_closed and not len(arrivals.moments_ns):
        raise UsageError(f"no request is planned for arrivals of the kind {workload.arrivals!r}")
    choice = _choose(workload, arrivals, [request.rows for request in prepared])
    address = find_address(target, _CONNECT_WITHIN_S)
    try:
        run_directory.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise output_problem(run_directory, problem) from problem
    rows = [request.rows for request in prepared]
    assignments = [
        msgspec.structs.replace(one, host=address[0], port=address[1], requests=contents, rows=rows)
        for one in _assign(workload, arrivals.moments_ns, choice, run_directory)
    ]
    with Interruption() as interruption, Crew(assignments) as crew:
        _wait_ready(crew, len(assignments), target, clock, interruption)
        campaign = Campaign(
            _outlook(workload, arrivals.moments_ns), crew, clock=clock, progress=progress, server_pids=server_pids
        )
        start_ns = clock.now_ns() + _LEAD_NS
        finished = campaign.run(start_ns, interruption)
    return LoadResult(
        requests=_merge_closed(finished) if workload.is_closed else _merge(finished, len(arrivals.moments_ns)),
        effective=EffectiveWorkload(
            connections=sum(part.connections for part in finished),
            workers=len(finished),
            client_cpu_fraction=max(part.cpu_fraction for part in finished),
            server_cpu_ns=campaign.server_cpu_ns,
            server_peak_memory_bytes=peak_memory_bytes(server_pids) if server_pids else None,
            reconnects=sum(part.reconnects for part in finished),
        ),
        interrupted=interruption.asked,
        start_ns=start_ns,
    )


def _check(workload: Workload, prepared: Sequence[PreparedRequest]) -> None:
    if not workload.is_closed and (not math.isfinite(workload.rate_per_s) or workload.rate_per_s <= 0):
        raise UsageError(f"a rate of {workload.rate_per_s} requests per second cannot be offered")
    is_endless = workload.requests < 1 and not (workload.is_closed and workload.duration_ns > 0)
    if is_endless or workload.warmup_requests < 0:
        raise UsageError(f"{workload.warmup_requests} + {workload.requests} requests cannot be offered")
    if workload.workers < 1 or workload.connections < 1:
        raise UsageError(f"{workload.workers} workers with {workload.connections} connections cannot send anything")
    if workload.timeout_ns < 1:
        raise UsageError(f"a timeout of {workload.timeout_ns} ns lets no request succeed")
    if not prepared:
        raise UsageError("there is no request to send", why="the data gave no rows")


def _choose(workload: Workload, arrivals: Arrivals, prepared_rows: Sequence[int]) -> np.ndarray:
    """Which of the prepared requests each request of the plan is; those of one size take turns.

    Raises:
        UsageError: a size is due of which nothing was prepared.
    """
    count = len(arrivals.moments_ns) or _CLOSED_CYCLE
    due = arrivals.rows
    if due is None:
        if not workload.row_mix:
            return np.arange(count if len(arrivals.moments_ns) else len(prepared_rows)) % len(prepared_rows)
        due = mixed_rows(workload.row_mix, requests=count, seed=workload.seed)
    choice = np.empty(count, np.int64)
    for size in np.unique(due):
        places, offered = np.flatnonzero(due == size), np.flatnonzero(np.array(prepared_rows) == size)
        if not len(offered):
            raise UsageError(f"no request of {size} rows was prepared")
        choice[places] = offered[np.arange(len(places)) % len(offered)]
    return choice


def _outlook(workload: Workload, planned: np.ndarray) -> Outlook:
    patience_ns = 2 * workload.timeout_ns
    if not workload.is_closed:
        measured_from_ns = int(planned[min(workload.warmup_requests, len(planned) - 1)])
        return Outlook(format_rate(workload.rate_per_s), measured_from_ns, int(planned[-1]), patience_ns)
    end_ns = workload.warmup_ns + workload.duration_ns if workload.duration_ns else None
    users = "1 user" if workload.concurrency == 1 else f"{workload.concurrency:,} users"
    return Outlook(users, workload.warmup_ns, end_ns, patience_ns)


def _assign(workload: Workload, planned: np.ndarray, choice: np.ndarray, run_directory: Path) -> list[Assignment]:
    """The plan dealt out in turn, the address and the requests still open.

    More workers than requests or users would have nothing to do.
    """
    users = workload.concurrency
    workers = min(workload.workers, users or len(planned))
    connections = users or workload.connections
    most = users or workload.max_connections
    return [
        Assignment(
            worker=worker,
            workers=workers,
            host="",
            port=0,
            requests=[],
            choice=(np.roll(choice, -worker) if users else choice[worker::workers]).astype("<i4").tobytes(),
            rows=[],
            planned=planned[worker::workers].astype("<i8").tobytes(),
            first_measured=len(range(worker, workload.warmup_requests, workers)),
            plan_end_ns=int(planned[-1]) if len(planned) else workload.warmup_ns + workload.duration_ns,
            timeout_ns=workload.timeout_ns,
            connections=max(1, len(range(worker, connections, workers))),
            max_connections=max(1, len(range(worker, most, workers))),
            part_path=str(part_path(run_directory, worker).absolute()),
            concurrency=len(range(worker, users, workers)),
            warmup_ns=workload.warmup_ns,
            duration_ns=workload.duration_ns,
            most_requests=len(range(worker, workload.requests, workers)) if users else 0,
        )
        for worker in range(workers)
    ]


def _wait_ready(crew: Crew, workers: int, target: Target, clock: Clock, interruption: Interruption) -> None:
    """Wait until all are connected.

    Raises:
        KeyboardInterrupt: stopped by the user before anything was measured.
    """
    waiting = set(range(workers))
    give_up_ns = clock.now_ns() + _READY_WITHIN_NS
    while waiting:
        for number, message in crew.hear(0.1):
            if isinstance(message, Ready):
                waiting.discard(number)
            elif isinstance(message, Unreachable):
                raise unreachable(target, message.reason.lower())
            elif isinstance(message, Death):
                raise ToolError(f"sending process {number} ended before the start", why=message.reason)
        if interruption.asked:
            raise KeyboardInterrupt
        if clock.now_ns() > give_up_ns:
            raise ToolError(f"{len(waiting)} sending processes did not get ready within 60 s")


def _merge(finished: Sequence[Finished], count: int) -> np.ndarray:
    requests = empty_requests(count)
    for worker, part in enumerate(finished):
        requests[worker :: len(finished)] = np.frombuffer(part.rows, requests.dtype)
    return requests


def _merge_closed(finished: Sequence[Finished]) -> np.ndarray:
    requests = np.concatenate([np.frombuffer(part.rows, REQUEST_DTYPE) for part in finished])
    return requests[np.argsort(requests["planned_ns"], kind="stable")]
