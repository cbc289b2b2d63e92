"""Runs a workload: plans it, has it sent by processes of their own, and collects what happened."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from modeldyno.clock import Clock
from modeldyno.errors import ToolError, UsageError
from modeldyno.loadgen.access import Encryption
from modeldyno.loadgen.aside import run_aside
from modeldyno.loadgen.campaign import Campaign, Outlook
from modeldyno.loadgen.choice import asked_again, choose
from modeldyno.loadgen.crew import Crew, Death
from modeldyno.loadgen.descriptors import allow_descriptors
from modeldyno.loadgen.interruption import Interruption
from modeldyno.loadgen.messages import Assignment, Finished, Ready, Unreachable
from modeldyno.loadgen.recorder import part_path, token_part_path
from modeldyno.loadgen.target import Target, find_address, parse_target, unreachable
from modeldyno.loadgen.transports.http1 import format_request
from modeldyno.loadgen.watching.server_usage import peak_memory_bytes
from modeldyno.loadgen.watching.stolen_time import ProcessorTime, stolen_fraction
from modeldyno.loadgen.wiring import Expectations, PreparedRequest, Wiring
from modeldyno.protocols import Progress
from modeldyno.records.answers import AnswersChecked
from modeldyno.records.files import output_problem
from modeldyno.records.requests import REQUEST_DTYPE, TOKEN_DTYPE
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.traffic.replay import Arrivals
from modeldyno.traffic.schedules import planned_moments
from modeldyno.units import format_rate

_GRPC_GRACE_NS = 10_000_000
"""A server is told of a deadline so much later: servers round it to milliseconds, and a request that takes too long is
to be ended, and counted as such, by our own clock."""
_CONNECT_WITHIN_S = 5.0
_READY_WITHIN_NS = 60_000_000_000
_LEAD_NS = 50_000_000
"""From the announcement of the start to the start: enough for every worker to read it."""


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
    arrivals = replayed if replayed is not None else Arrivals(planned_moments(workload), None)
    if not workload.is_closed and not len(arrivals.moments_ns):
        raise UsageError(f"no request is planned for arrivals of the kind {workload.arrivals!r}")
    target, assignments = _assignments(workload, prepared, arrivals, wiring, run_directory)
    try:
        run_directory.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise output_problem(run_directory, problem) from problem
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
    requests = _gather(
        REQUEST_DTYPE,
        [(one.part_path, part.rows_bytes, part.rows) for one, part in zip(assignments, finished, strict=True)],
    )
    questions, repeated = asked_again(requests, [one.choice for one in assignments], prepared)
    return LoadResult(
        requests=requests[np.argsort(requests["planned_ns" if workload.is_closed else "number"], kind="stable")],
        tokens=_gather(
            TOKEN_DTYPE,
            [
                (one.tokens_path, part.tokens_bytes, part.tokens)
                for one, part in zip(assignments, finished, strict=True)
            ],
        ),
        effective=EffectiveWorkload(
            connections=sum(part.connections for part in finished),
            workers=len(finished),
            client_cpu_fraction=max(part.cpu_fraction for part in finished),
            server_cpu_ns=campaign.server_cpu_ns,
            server_peak_memory_bytes=peak_memory_bytes(server_pids) if server_pids else None,
            reconnects=sum(part.reconnects for part in finished),
            stolen_fraction=stolen,
            awake_fraction=_least_awake(finished),
            questions=questions,
            repeated_fraction=repeated,
        ),
        interrupted=interruption.asked,
        start_ns=start_ns,
        answers=_answers(wiring.expectations, finished),
    )


def _least_awake(finished: Sequence[Finished]) -> float | None:
    return min((part.awake_fraction for part in finished if part.awake_fraction is not None), default=None)


def _answers(expectations: Expectations | None, finished: Sequence[Finished]) -> AnswersChecked | None:
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


def _assignments(
    workload: Workload,
    prepared: Sequence[PreparedRequest],
    arrivals: Arrivals,
    wiring: Wiring,
    run_directory: Path,
) -> tuple[Target | None, list[Assignment]]:
    """The server, and what each sending process is to do; there is no server where there is no network.

    Raises:
        TargetError: the server does not take connections.
    """
    choice = choose(workload, arrivals, prepared)
    if wiring.transport not in ("null", "in-process"):
        allow_descriptors(max(1, math.ceil(workload.max_connections / workload.workers)))
    kinds = [one.kind for one in workload.kind_mix]
    expectations = wiring.expectations
    shared = _assign(workload, arrivals.moments_ns, choice, run_directory)
    shared = [
        msgspec.structs.replace(
            one,
            transport=wiring.transport,
            reader=wiring.reader,
            rows=[request.rows for request in prepared],
            kinds=[kinds.index(request.kind) if kinds else 0 for request in prepared],
            expected=[] if expectations is None else list(expectations.answers),
            checked_share=1.0 if expectations is None else expectations.checked_share,
            tolerance=0.0 if expectations is None else expectations.tolerance,
            session=wiring.session,
        )
        for one in shared
    ]
    if wiring.transport in ("null", "in-process"):
        return None, [msgspec.structs.replace(one, requests=[request.body for request in prepared]) for one in shared]
    target = parse_target(workload.url)
    contents = [_content(wiring, target, request, workload.timeout_ns) for request in prepared]
    address = find_address(target, _CONNECT_WITHIN_S, wiring.access)
    encryption: Encryption | None = wiring.access.encryption(target.host) if target.is_encrypted else None
    return target, [
        msgspec.structs.replace(one, host=address[0], port=address[1], requests=contents, encryption=encryption)
        for one in shared
    ]


def _content(wiring: Wiring, target: Target, request: PreparedRequest, timeout_ns: int) -> bytes:
    headers = (*request.headers, *wiring.access.headers)
    if wiring.transport == "grpc":
        from modeldyno.wire.grpc_call import pack_call  # hpack takes 15 ms

        return pack_call(
            target.base_path + request.path,
            target.host_header,
            request.body,
            is_secure=target.is_encrypted,
            timeout_ns=timeout_ns + _GRPC_GRACE_NS,
            metadata=headers,
        )
    return format_request(target.base_path + request.path, target.host_header, headers, request.body, request.method)


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


def _outlook(workload: Workload, planned: np.ndarray) -> Outlook:
    patience_ns = 2 * workload.timeout_ns
    if not workload.is_closed:
        measured_from_ns = int(planned[min(workload.warmup_requests, len(planned) - 1)])
        return Outlook(format_rate(workload.rate_per_s), measured_from_ns, int(planned[-1]), patience_ns, planned)
    end_ns = workload.warmup_ns + workload.duration_ns if workload.duration_ns else None
    users = "1 user" if workload.concurrency == 1 else f"{workload.concurrency:,} users"
    return Outlook(users, workload.warmup_ns, end_ns, patience_ns, planned)


def _assign(workload: Workload, planned: np.ndarray, choice: np.ndarray, run_directory: Path) -> list[Assignment]:
    """The plan dealt out in turn; the server and the requests are still open.

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
            transport="null",
            reader="plain",
            requests=[],
            choice=_share(workload, choice, worker, workers).astype("<i4").tobytes(),
            rows=[],
            kinds=[],
            planned=planned[worker::workers].astype("<i8").tobytes(),
            first_measured=len(range(worker, workload.warmup_requests, workers)),
            plan_end_ns=int(planned[-1]) if len(planned) else workload.warmup_ns + workload.duration_ns,
            timeout_ns=workload.timeout_ns,
            connections=max(1, len(range(worker, connections, workers))),
            max_connections=max(1, len(range(worker, most, workers))),
            part_path=str(part_path(run_directory, worker).absolute()),
            tokens_path=str(token_part_path(run_directory, worker).absolute()),
            seed=workload.seed,
            awake=workload.awake,
            concurrency=len(range(worker, users, workers)),
            warmup_ns=workload.warmup_ns,
            duration_ns=workload.duration_ns,
            most_requests=len(range(worker, workload.requests, workers)) if users else 0,
        )
        for worker in range(workers)
    ]


def _share(workload: Workload, choice: np.ndarray, worker: int, workers: int) -> np.ndarray:
    """What one sending process goes through; what is asked again is not to be asked by each of them anew."""
    goes_round = workload.is_closed and workload.repeats is None
    return np.roll(choice, -worker) if goes_round else choice[worker::workers]


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
