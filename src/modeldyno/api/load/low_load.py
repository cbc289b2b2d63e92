"""A short load at a tenth of the rate, before a run whose queueing is to be estimated."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from modeldyno.clock import Clock
from modeldyno.errors import UsageError
from modeldyno.loadgen.driver import run_load
from modeldyno.loadgen.wiring import PreparedRequest, Wiring
from modeldyno.protocols import Progress
from modeldyno.records.requests import Outcome
from modeldyno.records.run import LowLoad
from modeldyno.records.workload import Workload
from modeldyno.stats.quantiles import summarise_latency

SHARE = 0.1
LEAST_S, MOST_S = 2.0, 20.0
ENOUGH_REQUESTS = 100


def measure_low_load(
    workload: Workload, prepared: Sequence[PreparedRequest], *, wiring: Wiring, progress: Progress, clock: Clock
) -> LowLoad | None:
    """The mean service time at a tenth of the rate; None, and a line of progress, when too few were answered.

    It takes two seconds, and longer at low rates: until a hundred requests, for twenty seconds at most.

    Raises:
        UsageError: the load has no rate of which a tenth could be offered.
    """
    if workload.is_closed or workload.arrivals == "replay":
        raise UsageError(
            "the split of this load cannot be estimated",
            why="it needs a tenth of the rate, and a closed loop or a replay has none that could be asked",
            hint="leave out --split estimate, or give a --rate",
        )
    result = _run(_low(workload), prepared, wiring=wiring, progress=progress, clock=clock)
    rows = result[result["measured"] & (result["outcome"] == Outcome.OK)]
    mean = summarise_latency(rows["done_ns"] - rows["sent_ns"]).mean_ns if len(rows) else None
    if mean is None:
        progress.say(f"the split is not estimated: {len(rows)} answers to the low load are too few")
        return None
    return LowLoad(rate_per_s=_low(workload).rate_per_s, answered=len(rows), service_ns=mean)


def _low(workload: Workload) -> Workload:
    rate = workload.rate_per_s * SHARE
    seconds = min(MOST_S, max(LEAST_S, ENOUGH_REQUESTS / rate))
    return msgspec.structs.replace(
        workload,
        arrivals="poisson",
        rate_per_s=rate,
        requests=max(1, round(rate * seconds)),
        warmup_requests=max(1, round(rate * LEAST_S * SHARE)),
        workers=1,
        from_per_s=None,
        to_per_s=None,
    )


def _run(
    workload: Workload, prepared: Sequence[PreparedRequest], *, wiring: Wiring, progress: Progress, clock: Clock
) -> np.ndarray:
    with tempfile.TemporaryDirectory(prefix="dyno-low-load-") as scratch:
        result = run_load(
            workload,
            prepared,
            run_directory=Path(scratch),
            clock=clock,
            progress=progress,
            wiring=wiring,
        )
    if result.interrupted:
        raise KeyboardInterrupt
    return result.requests
