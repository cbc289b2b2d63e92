"""Looks at the server's processes; what that takes from the machine is measured with every sample and kept."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from modeldyno.clock import Clock
from modeldyno.loadgen.watching.server_usage import cpu_ns_by_process, find_family, own_thread_cpu_ns
from modeldyno.records.observation import OBSERVATION_DTYPE

EVERY_NS = 200_000_000
_FAMILY_EVERY = 10
"""Samples between two searches for new children, each of which looks at every process of the machine."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Counters:
    """Files of the machine that tell more about a server; each list may be empty."""

    throttling: Sequence[Path] = ()
    """`cpu.stat` of the cgroups with a quota around the server."""
    energy: Sequence[tuple[Path, int]] = ()
    """RAPL counters in µJ, each with the range at which it wraps."""


class _Look(NamedTuple):
    """What one process shows at one moment; counts since it began."""

    cpu_ns: int
    resident_bytes: int
    threads: int
    voluntary: int
    involuntary: int


class Observer:
    """Keeps what the server's processes show.

    Args:
        pids: the server's processes; their children are found, also those that come later.
        clock: CLOCK_MONOTONIC.
        counters: what else to read.
    """

    def __init__(self, pids: Sequence[int], *, clock: Clock, counters: Counters | None = None) -> None:
        self._pids = pids
        self._clock = clock
        self._counters = counters or Counters()
        self._family = find_family(pids)
        self._last: dict[int, _Look] = {}
        self._joules: dict[Path, int] = {}
        self._sums = {"cpu_ns": 0, "voluntary_switches": 0, "involuntary_switches": 0, "energy_uj": 0}
        self._throttled_from: tuple[int, int] | None = None
        self._rows: list[np.ndarray] = []

    def observations(self, start_ns: int) -> np.ndarray:
        """The samples so far, `OBSERVATION_DTYPE`, with moments since `start_ns` on the clock."""
        if not self._rows:
            return np.empty(0, OBSERVATION_DTYPE)
        rows = np.concatenate(self._rows)
        rows["moment_ns"] -= start_ns
        return rows

    def sample(self) -> None:
        """Look once."""
        before_ns = own_thread_cpu_ns()
        if self._rows and len(self._rows) % _FAMILY_EVERY == 0:
            self._family = find_family(self._pids)
        row = np.zeros(1, OBSERVATION_DTYPE)
        row["moment_ns"] = self._clock.now_ns()
        looks = _looks(self._family)
        self._add(looks)
        row["resident_bytes"] = sum(look.resident_bytes for look in looks.values())
        row["threads"] = sum(look.threads for look in looks.values())
        row["processes"] = len(looks)
        self._add_energy()
        for name, value in self._sums.items():
            row[name] = value
        if not self._counters.energy:
            row["energy_uj"] = -1
        row["throttled_ns"], row["throttled_periods"] = self._throttled()
        row["cost_ns"] = own_thread_cpu_ns() - before_ns
        self._rows.append(row)

    def _add(self, looks: dict[int, _Look]) -> None:
        """A process that ended keeps what it had; one that came in between counts from its begin."""
        is_first = not self._rows
        for pid, look in looks.items():
            last = self._last.get(pid, look if is_first else _Look(0, 0, 0, 0, 0))
            self._sums["cpu_ns"] += max(0, look.cpu_ns - last.cpu_ns)
            # Threads that ended in between take their counts with them.
            self._sums["voluntary_switches"] += max(0, look.voluntary - last.voluntary)
            self._sums["involuntary_switches"] += max(0, look.involuntary - last.involuntary)
        self._last = looks

    def _add_energy(self) -> None:
        for path, wraps_at in self._counters.energy:
            now = int(path.read_text())
            self._sums["energy_uj"] += (now - self._joules.get(path, now)) % wraps_at
            self._joules[path] = now

    def _throttled(self) -> tuple[int, int]:
        if not self._counters.throttling:
            return -1, -1
        counts = [_throttling(path.read_text()) for path in self._counters.throttling]
        total = sum(ns for ns, _ in counts), sum(periods for _, periods in counts)
        self._throttled_from = self._throttled_from or total
        return total[0] - self._throttled_from[0], total[1] - self._throttled_from[1]


def _throttling(text: str) -> tuple[int, int]:
    """Nanoseconds and periods: `throttled_usec` in version 2 of cgroups, `throttled_time` (ns) in version 1."""
    counts = {words[0]: int(words[1]) for line in text.splitlines() if len(words := line.split()) == 2}
    return counts.get("throttled_usec", 0) * 1000 + counts.get("throttled_time", 0), counts.get("nr_throttled", 0)


def _looks(pids: Sequence[int]) -> dict[int, _Look]:
    looks = {}
    for pid, cpu_ns in cpu_ns_by_process(pids).items():
        try:
            looks[pid] = _look(pid, cpu_ns)
        except OSError:
            continue  # it ended in between
    return looks


def _look(pid: int, cpu_ns: int) -> _Look:
    process = Path(f"/proc/{pid}")
    pages = int((process / "statm").read_text().split()[1])
    threads = voluntary = involuntary = 0
    for thread in (process / "task").iterdir():
        counts = _switches(thread)
        threads += 1
        voluntary += counts[0]
        involuntary += counts[1]
    return _Look(cpu_ns, pages * _PAGE_BYTES, threads, voluntary, involuntary)


def _switches(thread: Path) -> tuple[int, int]:
    """The two last lines of a thread's status; that of a process shows its first thread only."""
    try:
        text = (thread / "status").read_bytes()
    except OSError:
        return 0, 0  # the thread ended
    _, _, tail = text.rpartition(b"\nvoluntary_ctxt_switches:")
    voluntary, _, rest = tail.partition(b"\n")
    return int(voluntary), int(rest.split(b":")[1])
