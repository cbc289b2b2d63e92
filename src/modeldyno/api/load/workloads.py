"""From what the user can choose about a load to its plan and its requests."""

import math
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from modeldyno.errors import UsageError
from modeldyno.loadgen.trace import read_trace
from modeldyno.records.prompting import Prompting
from modeldyno.records.workload import ArrivalName, KindShare, ProtocolName, Repeats, RowShare, TraceSource, Workload
from modeldyno.seeds import DEFAULT_SEED
from modeldyno.traffic.mix import mix_of
from modeldyno.traffic.profiles import PROFILES, mean_rate_per_s
from modeldyno.traffic.repeats import questions_needed
from modeldyno.traffic.replay import Arrivals, replay

WARMUP_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Shape:
    """How a load is shaped: what the user can choose beside the rate."""

    arrivals: ArrivalName = "poisson"
    duration_ns: int = 10_000_000_000
    """Not used by a replay, which lasts as long as its trace."""
    requests: int | None = None
    """Planned requests; instead of `duration_ns` when given."""
    warmup_ns: int = WARMUP_NS
    rows_per_request: int = 1
    timeout_ns: int = 5_000_000_000
    connections: int = 8
    max_connections: int = 256
    """Not used by a closed loop, which needs one a user."""
    workers: int = 0
    """0: chosen from the rate."""
    seed: int = DEFAULT_SEED
    row_mix: tuple[RowShare, ...] = ()
    """Sizes of requests and their shares; instead of `rows_per_request` when given."""
    burstiness: float = 1.0
    """`gamma`: see `Workload`."""
    from_per_s: float | None = None
    """`ramp`, `step`, `spike`: the rate to begin with; the rate of the load is then the one to reach."""
    steps: int = 2
    concurrency: int = 0
    """Above 0 a closed loop of so many users."""
    speed: float = 1.0
    """`replay`: see `TraceSource`."""
    scale: float = 1.0
    awake: bool = False
    """The sending processes do not sleep between sends: see `Workload`."""
    repeats: Repeats | None = None
    """How many requests ask what was asked before; None: see `Workload`."""


def workload_of(
    url: str,
    model: str,
    rate_per_s: float,
    shape: Shape,
    *,
    protocol: ProtocolName = "oip",
    kinds: tuple[KindShare, ...] = (),
    prompting: Prompting | None = None,
) -> Workload:
    """The plan of a load that is not a replay.

    Args:
        url: base URL of the server.
        model: its name there.
        rate_per_s: requests per second; of `ramp`, `step` and `spike` the rate to reach; not used in a closed loop.
        shape: the rest.
        protocol: spoken with it.
        kinds: of the requests, when they are a mix of some.
        prompting: what a language model is asked.

    Raises:
        UsageError: it would hold no request at all, or a number is not positive.
    """
    plan = msgspec.structs.replace(_plain(url, model, shape, protocol), kind_mix=kinds, prompting=prompting)
    if shape.arrivals == "replay":
        raise UsageError("a replay needs a trace", hint="--trace FILE")
    if shape.arrivals == "closed" and not shape.concurrency:
        raise UsageError("a closed loop needs a number of users", hint="--concurrency 8")
    if shape.concurrency:
        return msgspec.structs.replace(
            plan,
            arrivals="closed",
            concurrency=shape.concurrency,
            requests=shape.requests or 0,
            warmup_ns=shape.warmup_ns,
            duration_ns=0 if shape.requests else shape.duration_ns,
        )
    first_per_s = rate_per_s
    if shape.arrivals in PROFILES:
        first_per_s = rate_per_s / 10 if shape.from_per_s is None else shape.from_per_s
        plan = msgspec.structs.replace(plan, from_per_s=first_per_s, to_per_s=rate_per_s, steps=shape.steps)
        rate_per_s = mean_rate_per_s(PROFILES[shape.arrivals](1.0, first_per_s, rate_per_s, shape.steps))
    requests = shape.requests if shape.requests is not None else round(rate_per_s * shape.duration_ns / 1e9)
    if requests < 1:
        raise UsageError(
            f"a load of {rate_per_s:g}/s for {shape.duration_ns / 1e9:g} s holds no request",
            hint="raise --rate or --duration",
        )
    return msgspec.structs.replace(
        plan,
        rate_per_s=rate_per_s,
        requests=requests,
        warmup_requests=round(first_per_s * shape.warmup_ns / 1e9),
    )


def replay_of(
    url: str, model: str, trace: Path, shape: Shape, *, protocol: ProtocolName = "oip"
) -> tuple[Workload, Arrivals]:
    """The plan of a replay, and its arrivals: the first seconds of the trace are the warm-up.

    Raises:
        InputError: the trace cannot be read.
        UsageError: it would hold no request to measure, or a number is not positive.
    """
    plan = _plain(url, model, shape, protocol)
    recorded, digest = read_trace(trace)
    arrivals = replay(recorded, speed=shape.speed, scale=shape.scale, seed=shape.seed)
    warmup = int(np.searchsorted(arrivals.moments_ns, shape.warmup_ns)) if shape.warmup_ns else 0
    end = len(arrivals.moments_ns) if shape.requests is None else warmup + shape.requests
    if arrivals.questions is not None and shape.repeats is not None:
        raise UsageError(
            f"the trace {trace} names the question of each request, so that it says itself how many repeat",
            hint="leave out --repeats",
        )
    arrivals = Arrivals(
        arrivals.moments_ns[:end],
        None if arrivals.rows is None else arrivals.rows[:end],
        None if arrivals.questions is None else arrivals.questions[:end],
    )
    measured = arrivals.moments_ns[warmup:]
    span_ns = int(measured[-1] - measured[0]) if len(measured) > 1 else 0
    if not span_ns:
        raise UsageError(
            f"the replay of {trace} leaves {len(measured):,} requests to measure, over {span_ns} s",
            why=f"{warmup:,} of its {len(arrivals.moments_ns):,} requests are warm-up",
            hint="shorten the warm-up (--warmup 0s), or lower --speed",
        )
    plan = msgspec.structs.replace(
        plan,
        arrivals="replay",
        trace=TraceSource(
            path=str(trace),
            digest=digest,
            speed=shape.speed,
            scale=shape.scale,
            questions=None if arrivals.questions is None else len(np.unique(arrivals.questions)),
        ),
        rate_per_s=1e9 * (len(measured) - 1) / span_ns,
        requests=len(measured),
        warmup_requests=warmup,
        row_mix=plan.row_mix if arrivals.rows is None else mix_of(arrivals.rows),
    )
    return plan, arrivals


def _plain(url: str, model: str, shape: Shape, protocol: ProtocolName) -> Workload:
    """What all loads have in common; no request is planned yet."""
    _check(shape)
    single = shape.row_mix[0].rows if len(shape.row_mix) == 1 else shape.rows_per_request
    return Workload(
        url=url.rstrip("/"),
        model=model,
        protocol=protocol,
        arrivals=shape.arrivals,
        rate_per_s=0.0,
        requests=0,
        warmup_requests=0,
        rows_per_request=single,
        timeout_ns=shape.timeout_ns,
        connections=shape.concurrency or shape.connections,
        max_connections=shape.concurrency or max(shape.connections, shape.max_connections),
        workers=shape.workers,
        seed=shape.seed,
        burstiness=shape.burstiness,
        row_mix=shape.row_mix if len(shape.row_mix) > 1 else (),
        awake=shape.awake,
        repeats=shape.repeats,
    )


def _check(shape: Shape) -> None:
    counts = {"rows per request": shape.rows_per_request, "connections": shape.connections}
    for name, count in counts.items():
        if count < 1:
            raise UsageError(f"{name} must be at least 1, not {count}")
    if shape.workers < 0:
        raise UsageError(f"there cannot be {shape.workers} sending processes", hint="leave out --workers, or give 1")
    if shape.concurrency < 0:
        raise UsageError(f"a closed loop needs at least 1 user, not {shape.concurrency}")
    if shape.requests is not None and shape.requests < 1:
        raise UsageError(f"a load of {shape.requests} requests holds no request", hint="raise --requests")
    if shape.steps < 2:
        raise UsageError(f"stairs have at least 2 steps, not {shape.steps}")
    check_repeats(shape.repeats)
    factors = {"burstiness": shape.burstiness, "speed": shape.speed, "scale": shape.scale}
    if shape.from_per_s is not None:
        factors["the rate to begin with"] = shape.from_per_s
    for name, factor in factors.items():
        if not 0 < factor < math.inf:
            raise UsageError(f"{name} must be a number above 0, not {factor:g}")


def check_repeats(repeats: Repeats | None) -> None:
    """Refuse repeats that cannot be.

    Raises:
        UsageError: a share of 1 or more, an empty pool, or no popularity.
    """
    if repeats is None:
        return
    if not 0 <= repeats.share < 1:
        raise UsageError(
            f"a share of {repeats.share:g} of the requests cannot ask what was asked before",
            why="the first request of a load asks something new",
            hint="for example --repeats 30%",
        )
    if repeats.pool < 1:
        raise UsageError(
            f"nothing can be asked again from a pool of {repeats.pool} questions", hint="--repeat-pool 1000"
        )
    if not 0 <= repeats.exponent < math.inf:
        raise UsageError(
            f"a popularity with the exponent {repeats.exponent:g}",
            why="it is 0 where all questions of the pool are equally popular, and about 1 by Zipf's law",
            hint="--repeat-exponent 1",
        )


def distinct_of(workload: Workload, most: int) -> int | None:
    """How many different requests a load wants of each size, at most `most`; None where it does not say."""
    planned = workload.warmup_requests + workload.requests
    if workload.trace is not None and workload.trace.questions is not None:
        return min(most, workload.trace.questions)
    if workload.repeats is None:
        return None
    return most if workload.is_closed else min(most, questions_needed(workload.repeats, planned))


def sizes_of(workload: Workload) -> tuple[int, ...]:
    """The sizes of request that a workload sends."""
    return tuple(one.rows for one in workload.row_mix) or (workload.rows_per_request,)
