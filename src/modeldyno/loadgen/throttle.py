"""What the kernel keeps from processes at a real-time priority. See sched(7), "Limiting the CPU usage of real-time"."""

import os
from pathlib import Path

_KERNEL = Path("/proc/sys/kernel")
_USUALLY = 0.05


def throttled_share(policy: int | None = None, kernel: Path = _KERNEL) -> float:
    """The share of a core that a process of this scheduling policy is not given, however much it wants.

    A real-time process that never sleeps uses up its part of each period (0.95 s of 1 s unless set otherwise), and is
    then kept waiting for the rest of it.

    Args:
        policy: of the process; that of this one when left out.
        kernel: where the kernel shows its settings.

    Returns:
        0 at a normal priority, and where nothing is kept.
    """
    policy = os.sched_getscheduler(0) if policy is None else policy
    if policy not in (os.SCHED_FIFO, os.SCHED_RR):
        return 0.0
    try:
        runtime_us = int((kernel / "sched_rt_runtime_us").read_text())
        period_us = int((kernel / "sched_rt_period_us").read_text())
    except (OSError, ValueError):
        return _USUALLY  # not shown in some containers, where the host's setting holds all the same
    return 0.0 if runtime_us < 0 else 1 - runtime_us / period_us
