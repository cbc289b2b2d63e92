"""Calls at absolute moments, on a running event loop."""

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush

from modeldyno.clock import Clock
from modeldyno.loadgen.pacer import Pacer

Call = Callable[[], None]


class Alarms:
    """Calls what is due, in the order of the moments, tens of microseconds late.

    Timers of event loops are a millisecond off, which is more than many a service time. Made on a
    running event loop, and kept as long as that runs.

    Args:
        clock: CLOCK_MONOTONIC.
    """

    def __init__(self, clock: Clock) -> None:
        self._now_ns = clock.now_ns
        self._pacer = Pacer()
        self._due: list[tuple[int, int, Call]] = []
        self._set = 0
        """How many were set so far; ends ties, for calls cannot be compared."""
        self._is_ringing = False
        asyncio.get_running_loop().add_reader(self._pacer.descriptor, self._ring)

    def set(self, moment_ns: int, call: Call) -> None:
        """Call at `moment_ns`, not earlier, and soon when that is past."""
        self._set += 1
        due = self._due
        heappush(due, (moment_ns, self._set, call))
        if due[0][1] == self._set and not self._is_ringing:
            self._pacer.arm(moment_ns)

    def _ring(self) -> None:
        due = self._due
        self._is_ringing = True
        try:
            while due and due[0][0] <= self._now_ns():
                heappop(due)[2]()
        finally:
            self._is_ringing = False
            if due:
                self._pacer.arm(due[0][0])
            else:
                self._pacer.disarm()
