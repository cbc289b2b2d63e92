"""How many processes send a load, and which load they cannot send."""

import math

from modeldyno.errors import UsageError
from modeldyno.records.requests import REQUEST_DTYPE
from modeldyno.records.workload import Workload
from modeldyno.units import format_size

_WITHOUT_FLOOR_PER_S = 10_000.0
"""What one process keeps up with on a machine that `dyno doctor` has not measured: half of what it does on two cores
of 2026."""
_COPIES = 2
"""Of all rows at the end of a run: as the sending processes wrote them, and in planned order."""
_SHARE = 0.5
"""Of its highest rate that a process is given: beyond, sends begin to be late in bursts."""


def sending_processes(rate_per_s: float, *, highest_per_s: float | None, cores: int) -> int:
    """Processes for a rate: as few as keep up easily, and one core left for what else runs here.

    Args:
        rate_per_s: the highest that the plan reaches; 0 for a closed loop, whose users one process serves.
        highest_per_s: that one process keeps up with on this machine; None when it was never measured.
        cores: of this machine.
    """
    easily_per_s = _SHARE * (highest_per_s or _WITHOUT_FLOOR_PER_S)
    return min(max(1, math.ceil(rate_per_s / easily_per_s)), max(1, cores - 1))


def check_size(workload: Workload, memory_bytes: int) -> None:
    """Refuse a plan whose rows could not be put together at its end, when all of it has been measured.

    Args:
        workload: what is asked.
        memory_bytes: of this machine, or what this process may have of it.

    Raises:
        UsageError: two copies of the rows, which a run needs at the very least, are larger than that.
    """
    planned = workload.warmup_requests + workload.requests
    row_bytes = _COPIES * REQUEST_DTYPE.itemsize
    if planned * row_bytes <= memory_bytes:
        return
    raise UsageError(
        f"a load of {planned:,} requests does not fit into the memory here",
        why=f"their rows take {row_bytes} bytes each when they are summarised, {format_size(planned * row_bytes)} in "
        f"all, and there are {format_size(memory_bytes)}",
        hint="lower --rate, or shorten the load (--duration, --requests)",
    )


def check_awake(workload: Workload, cores: int) -> None:
    """Refuse to keep processes awake that would then take the core from one another, or from the model.

    Args:
        workload: with as many workers as the user said, or 0.
        cores: of this machine.

    Raises:
        UsageError: more of them than cores, or the model computes in the same process.
    """
    if not workload.awake:
        return
    if workload.protocol == "in-process":
        raise UsageError(
            "a load in process cannot stay awake",
            why="the model computes in the process that sends, and would wait for it at every step",
            hint="leave out --awake",
        )
    if workload.workers > cores:
        raise UsageError(
            f"{workload.workers} sending processes cannot stay awake on {cores} {'core' if cores == 1 else 'cores'}",
            why="each of them takes a whole core",
            hint="leave out --workers, or --awake",
        )
