"""What the server's processes used, when they run on this machine."""

import time
from collections.abc import Sequence
from pathlib import Path

import psutil

# clock_getcpuclockid(3) as the kernel builds it (CPUCLOCK_SCHED of a process). /proc/PID/stat counts in ticks of
# 10 ms and samples, which is off by several percent for a server that works some microseconds at a time.
_CPUCLOCK_SCHED = 2


def cpu_ns_by_process(pids: Sequence[int]) -> dict[int, int]:
    """CPU time so far of each process that lives, its threads included; takes a microsecond a process."""
    used = {}
    for pid in pids:
        try:
            used[pid] = time.clock_gettime_ns((~pid << 3) | _CPUCLOCK_SCHED)
        except OSError:
            continue  # it ended in between; its absence tells
    return used


def own_thread_cpu_ns() -> int:
    """CPU time of the calling thread so far: what looking at the server costs."""
    return time.thread_time_ns()


def cpu_ns_between(before: dict[int, int], after: dict[int, int]) -> int | None:
    """CPU time used from one reading to the next; None when a process of the first is gone, its time with it."""
    if not before or not before.keys() <= after.keys():
        return None
    return sum(used - before.get(pid, 0) for pid, used in after.items())


def peak_memory_bytes(pids: Sequence[int]) -> int | None:
    """Sum of the largest resident sizes (VmHWM); shared pages count in each. None when no process lives."""
    peaks = [peak for pid in find_family(pids) if (peak := _peak_bytes(pid)) is not None]
    return sum(peaks) if peaks else None


def _peak_bytes(pid: int) -> int | None:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def find_family(pids: Sequence[int]) -> list[int]:
    """The processes that live, and their descendants."""
    family: dict[int, None] = {}
    waiting = list(reversed(pids))
    while waiting:
        pid = waiting.pop()
        if pid in family:
            continue
        try:
            waiting += _children(pid)
        except psutil.Error:
            continue
        family[pid] = None
    return list(family)


def _children(pid: int) -> list[int]:
    # 20 µs, where psutil reads the parent of every process of the machine: 2 ms, during which a sending process that
    # shares the core would be late. Kernels without CONFIG_PROC_CHILDREN have no such file.
    try:
        return [
            int(child)
            for thread in Path(f"/proc/{pid}/task").iterdir()
            for child in (thread / "children").read_text().split()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return [child.pid for child in psutil.Process(pid).children()]
