"""What a load says of itself while it runs, in one line."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.loadgen.buckets import COUNT, quantile_ns
from modeldyno.loadgen.tally_board import Tally
from modeldyno.records.requests import Outcome
from modeldyno.units import format_duration, format_rate

WINDOW_NS = 5_000_000_000
"""Rates and percentiles are those of the last five seconds: what is the matter now; the report has the whole."""
_LEVELS = (("p50", 0.5), ("p99", 0.99))


class _Counts(NamedTuple):
    """All workers together, up to one moment."""

    elapsed_ns: float
    sent: int
    buckets: NDArray[np.int64]


_NOTHING = _Counts(0.0, 0, np.zeros(COUNT, np.int64))


class LiveView:
    """Makes the line from the latest tally of each worker.

    Args:
        asked: what was asked of the client, in words, where there is no plan: `8 users`.
        planned_ns: the planned moments since the start, ascending; empty in a closed loop.
    """

    def __init__(self, asked: str, planned_ns: NDArray[np.int64]) -> None:
        self._asked = asked
        self._planned_ns = planned_ns
        self._history: deque[_Counts] = deque([_NOTHING])

    def line(self, tallies: Iterable[Tally]) -> str:
        """`498/s of 500/s asked, p50 1.2 ms, p99 3.4 ms, backlog 2 in flight, no failures`."""
        tallies = list(tallies)
        now = _summed(tallies)
        if now.elapsed_ns > self._history[-1].elapsed_ns:
            self._history.append(now)
        while len(self._history) > 2 and self._history[1].elapsed_ns <= now.elapsed_ns - WINDOW_NS:
            self._history.popleft()
        before = self._history[0]
        latencies = now.buckets - before.buckets
        levels = [(name, quantile_ns(latencies, fraction)) for name, fraction in _LEVELS]
        return ", ".join(
            [
                self._rates(before, now),
                *(f"{name} {format_duration(value, 2)}" for name, value in levels if value is not None),
                _backlog(tallies),
                _failures(tallies),
            ]
        )

    def _rates(self, before: _Counts, now: _Counts) -> str:
        seconds = (now.elapsed_ns - before.elapsed_ns) / 1e9
        delivered = format_rate((now.sent - before.sent) / seconds if seconds > 0 else 0.0)
        if not len(self._planned_ns):
            return f"{delivered} by {self._asked}"
        # A plan that is over asks for nothing: the rate is then that of the time before its end.
        until_ns = min(now.elapsed_ns, float(self._planned_ns[-1]))
        asked_s = (until_ns - before.elapsed_ns) / 1e9
        due = np.searchsorted(self._planned_ns, (before.elapsed_ns, until_ns), side="right")
        return f"{delivered} of {format_rate((due[1] - due[0]) / asked_s)} asked" if asked_s > 0 else delivered


def _summed(tallies: list[Tally]) -> _Counts:
    buckets = np.zeros(COUNT, np.int64)
    for tally in tallies:
        buckets += tally.buckets
    # Tallies come a few times a second from each worker, not all at one moment.
    elapsed_ns = sum(tally.elapsed_ns for tally in tallies) / len(tallies) if tallies else 0.0
    return _Counts(elapsed_ns, sum(tally.sent for tally in tallies), buckets)


def _backlog(tallies: list[Tally]) -> str:
    in_flight, waiting = sum(tally.in_flight for tally in tallies), sum(tally.waiting for tally in tallies)
    return f"backlog {in_flight:,} in flight" + (f" + {waiting:,} late" if waiting else "")


def _failures(tallies: list[Tally]) -> str:
    counts = np.zeros(len(Outcome), np.int64)
    for tally in tallies:
        counts += tally.failures
    if not counts.any():
        return "no failures"
    kinds = sorted(np.flatnonzero(counts).tolist(), key=lambda kind: -int(counts[kind]))
    told = ", ".join(f"{Outcome(kind).name.lower().replace('_', ' ')} {counts[kind]:,}" for kind in kinds)
    return f"failures: {told}"
