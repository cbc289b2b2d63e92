"""How many cores, and how much memory, this process may use: the cgroup's and the affinity's word, not the host's."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def usable_cores(affinity: int, quota: float | None) -> int:
    """Thread budget: min(affinity, ceil(quota)), at least 1.

    The quota is rounded up because a quota of 1.5 cores still runs two threads at once, three quarters of the time.
    """
    return max(1, min(affinity, affinity if quota is None else math.ceil(quota)))


def cores_affinity() -> int:
    """Logical processors this process may be scheduled on."""
    return len(os.sched_getaffinity(0))


def share_of(cores: Sequence[int], number: int, of: int) -> list[int]:
    """The processors of one of several processes: neighbours, and as many as each other has, or one more.

    Args:
        cores: their numbers.
        number: of the process, from 0.
        of: how many processes there are; when there are more of them than processors, some share one.
    """
    ordered = sorted(cores)
    if of >= len(ordered):
        return [ordered[number % len(ordered)]]
    return ordered[number * len(ordered) // of : (number + 1) * len(ordered) // of]


def cores_quota(cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> float | None:
    """CPU time per time that the tightest enclosing cgroup grants; None without a limit.

    Reads `cpu.max` (version 2) or `cpu.cfs_quota_us` (version 1) of the own group and every group above it; see
    the kernel's Documentation/admin-guide/cgroup-v2.rst, "CPU".
    """
    quotas = [quota for group in _own_groups(cgroups, own, "cpu") if (quota := _cpu_quota(group)) is not None]
    return min(quotas, default=None)


def memory_limit_bytes(cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> int | None:
    """Memory that the tightest enclosing cgroup grants; None without a limit."""
    limits = [limit for group in _own_groups(cgroups, own, "memory") if (limit := _memory_limit(group)) is not None]
    return min(limits, default=None)


def _own_groups(cgroups: Path, own: Path, controller: str) -> list[Path]:
    """The directories of the process's own group and of all groups above it, for one controller."""
    lines = _read(own).splitlines()
    groups: list[Path] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root = cgroups
        elif controller in controllers.split(","):
            root = cgroups / controllers if (cgroups / controllers).is_dir() else cgroups / controller
        else:
            continue
        group = root / path.strip("/")
        groups += [group, *(parent for parent in group.parents if parent.is_relative_to(root))]
    return groups


def _cpu_quota(group: Path) -> float | None:
    words = _read(group / "cpu.max").split()
    if len(words) == 2 and words[0] != "max":
        return int(words[0]) / int(words[1])
    quota, period = _read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us")
    if quota and period and int(quota) > 0:
        return int(quota) / int(period)
    return None


def _memory_limit(group: Path) -> int | None:
    # Version 1 says "no limit" with a page-rounded 2**63; anything near that is none.
    for name in ("memory.max", "memory.limit_in_bytes"):
        text = _read(group / name)
        if text and text != "max" and int(text) < 2**60:
            return int(text)
    return None


def _read(path: Path) -> str:
    """The file's text without surrounding white space; empty when it is not there or not ours to read."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
