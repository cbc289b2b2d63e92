"""Runs a workload: plans it, has it sent by processes of their own, and collects what happened."""

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from modeldyno.clock import Clock
from modeldyno.errors import ToolError, UsageError
from modeldyno.loadgen.aside import run_aside
from modeldyno.loadgen.assignments import assignments_of
from modeldyno.loadgen.campaign import Campaign, Outlook
from modeldyno.loadgen.choice import asked_again
from modeldyno.loadgen.crew import Crew, Death
from modeldyno.loadgen.interruption import Interruption
from modeldyno.loadgen.load_result import LoadResult, answers_of, effective_of, requests_of, tokens_of
from modeldyno.loadgen.messages import Ready, Unreachable
from modeldyno.loadgen.target import Target, unreachable
from modeldyno.loadgen.watching.server_usage import peak_memory_bytes
from modeldyno.loadgen.watching.stolen_time import ProcessorTime, stolen_fraction
from modeldyno.loadgen.wiring import PreparedRequest, Wiring
from modeldyno.protocols import Progress
from modeldyno.records.files import output_problem
from modeldyno.records.workload import Workload
from modeldyno.traffic.replay import Arrivals
from modeldyno.traffic.schedules import planned_moments
from modeldyno.units import format_rate

_READY_WITHIN_NS = 60_000_000_000
_LEAD_NS = 50_000_000
"""From the announcement of the start to the start: enough for every worker to read it."""


def run_load(
    workload: Workload,
    prepared: Sequence[PreparedRequest],
    *,
    run_directory: Path,
    clock: Clock,
    progress: Progress,
    server_pids: Sequence[int] = (),
    wiring: Wiring | None = None,
    replayed: Arrivals | None = None,
) -> LoadResult:
    """Offer `workload` to its server: the requests of `prepared` in turn, or in a mix those of the size that is due.

    A load that says how many of its requests repeat takes the next of `prepared` for each that does not.

    While it runs, finished rows are appended to `requests.part-K` in `run_directory` about four times a second;
    `recorder.read_run` reads them when this process or a sending process dies. A disk that is full does not end the
    run: it goes on in memory, and a line of progress says so.

    A sending process that dies ends the run with an error and not with a result: a share of the plan was not sent,
    so nothing true can be said about the whole, but what the others measured stays in their part files.

    Args:
        workload: what to offer.
        prepared: what to send, at least one.
        run_directory: made when missing.
        clock: the system's; the sending processes read the same CLOCK_MONOTONIC.
        progress: told a few times a second.
        server_pids: the server's processes on this machine, when they are known; their children are found.
        wiring: how the requests reach the server; plain HTTP/1.1 when left out.
        replayed: the arrivals of a replay, warm-up included; not used otherwise.

    Raises:
        UsageError: a URL, header, rate or count that cannot be.
        TargetError: the server does not take connections; nothing was recorded.
        OutputError: the directory cannot be written to.
        ToolError: a sending process died or hangs.
    """
    _check(workload, prepared)
    wiring = wiring or Wiring()
    arrivals = _arrivals(workload, replayed)
    target, assignments = assignments_of(workload, prepared, arrivals, wiring, run_directory)
    _make(run_directory)
    with Interruption() as interruption, Crew(assignments, wiring.module) as crew:
        _wait_ready(crew, target, clock, interruption)
        campaign = Campaign(
            _outlook(workload, arrivals.moments_ns), crew, clock=clock, progress=progress, server_pids=server_pids
        )
        start_ns = clock.now_ns() + _LEAD_NS
        before = ProcessorTime.read()
        campaign.start(start_ns)
        finished = run_aside(lambda: campaign.follow(interruption), name="campaign")
        stolen = stolen_fraction(before, ProcessorTime.read())
    requests = requests_of(workload, assignments, finished)
    questions, repeated = asked_again(requests, [one.choice for one in assignments], prepared)
    effective = msgspec.structs.replace(
        effective_of(finished),
        server_cpu_ns=campaign.server_cpu_ns,
        server_peak_memory_bytes=peak_memory_bytes(server_pids) if server_pids else None,
        stolen_fraction=stolen,
        questions=questions,
        repeated_fraction=repeated,
    )
    return LoadResult(
        requests=requests,
        tokens=tokens_of(assignments, finished),
        effective=effective,
        interrupted=interruption.asked,
        start_ns=start_ns,
        answers=answers_of(wiring.expectations, finished),
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
        raise UsageError(f"a timeout of {workload.timeout_ns} ns lets no request succeed", hint="--timeout 5s")
    if not prepared:
        raise UsageError("there is no request to send", why="the data gave no rows")


def _arrivals(workload: Workload, replayed: Arrivals | None) -> Arrivals:
    arrivals = replayed if replayed is not None else Arrivals(planned_moments(workload), None)
    if not workload.is_closed and not len(arrivals.moments_ns):
        raise UsageError(f"no request is planned for arrivals of the kind {workload.arrivals!r}")
    return arrivals


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise output_problem(directory, problem) from problem


def _outlook(workload: Workload, planned: np.ndarray) -> Outlook:
    patience_ns = 2 * workload.timeout_ns
    if not workload.is_closed:
        measured_from_ns = int(planned[min(workload.warmup_requests, len(planned) - 1)])
        return Outlook(format_rate(workload.rate_per_s), measured_from_ns, int(planned[-1]), patience_ns, planned)
    end_ns = workload.warmup_ns + workload.duration_ns if workload.duration_ns else None
    users = "1 user" if workload.concurrency == 1 else f"{workload.concurrency:,} users"
    return Outlook(users, workload.warmup_ns, end_ns, patience_ns, planned)


def _wait_ready(crew: Crew, target: Target | None, clock: Clock, interruption: Interruption) -> None:
    """Wait until all are connected.

    Raises:
        KeyboardInterrupt: stopped by the user before anything was measured.
    """
    waiting = set(range(crew.size))
    give_up_ns = clock.now_ns() + _READY_WITHIN_NS
    while waiting:
        for number, message in crew.hear(0.1):
            if isinstance(message, Ready):
                waiting.discard(number)
            elif isinstance(message, Unreachable) and target is not None:
                raise unreachable(target, message.reason.lower())
            elif isinstance(message, Unreachable):
                raise UsageError("the model cannot be loaded in the sending process", why=message.reason)
            elif isinstance(message, Death):
                raise ToolError(f"sending process {number} ended before the start", why=message.reason)
        if interruption.asked:
            raise KeyboardInterrupt
        if clock.now_ns() > give_up_ns:
            raise ToolError(f"{len(waiting)} sending processes did not get ready within 60 s")
