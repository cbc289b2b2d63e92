"""What each sending process is to do: the plan dealt out in turn, with what to send and where to."""

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from modeldyno.loadgen.access import Encryption
from modeldyno.loadgen.choice import choose
from modeldyno.loadgen.descriptors import allow_descriptors
from modeldyno.loadgen.messages import Assignment
from modeldyno.loadgen.recorder import part_path, token_part_path
from modeldyno.loadgen.target import Target, find_address, parse_target
from modeldyno.loadgen.transports.http1 import format_request
from modeldyno.loadgen.wiring import Expectations, PreparedRequest, Wiring
from modeldyno.records.workload import Workload
from modeldyno.traffic.replay import Arrivals

_GRPC_GRACE_NS = 10_000_000
"""A server is told of a deadline so much later: servers round it to milliseconds, and a request that takes too long is
to be ended, and counted as such, by our own clock."""
_CONNECT_WITHIN_S = 5.0


def assignments_of(
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
    shared = [
        _wired(one, wiring, workload, prepared)
        for one in _dealt_out(workload, arrivals.moments_ns, choose(workload, arrivals, prepared), run_directory)
    ]
    if wiring.transport in ("null", "in-process"):
        return None, [msgspec.structs.replace(one, requests=[request.body for request in prepared]) for one in shared]
    allow_descriptors(max(1, math.ceil(workload.max_connections / workload.workers)))
    target = parse_target(workload.url)
    contents = [_content(wiring, target, request, workload.timeout_ns) for request in prepared]
    address = find_address(target, _CONNECT_WITHIN_S, wiring.access)
    encryption: Encryption | None = wiring.access.encryption(target.host) if target.is_encrypted else None
    return target, [
        msgspec.structs.replace(one, host=address[0], port=address[1], requests=contents, encryption=encryption)
        for one in shared
    ]


def _wired(one: Assignment, wiring: Wiring, workload: Workload, prepared: Sequence[PreparedRequest]) -> Assignment:
    """With how the requests travel, and what is made of the answers."""
    kinds = [mixed.kind for mixed in workload.kind_mix]
    expectations = wiring.expectations or Expectations(answers=())
    return msgspec.structs.replace(
        one,
        transport=wiring.transport,
        reader=wiring.reader,
        rows=[request.rows for request in prepared],
        kinds=[kinds.index(request.kind) if kinds else 0 for request in prepared],
        expected=list(expectations.answers),
        checked_share=expectations.checked_share,
        tolerance=expectations.tolerance,
        session=wiring.session,
    )


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


def _dealt_out(workload: Workload, planned: np.ndarray, choice: np.ndarray, run_directory: Path) -> list[Assignment]:
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
