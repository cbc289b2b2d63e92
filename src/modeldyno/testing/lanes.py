"""A queue of k lanes, first come first served, and the stalls that hold it up: arithmetic on moments, no clock."""

import heapq
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from modeldyno.errors import UsageError


class Stay(NamedTuple):
    """What becomes of one arrival."""

    begun_ns: int
    """When a lane took it; the wait is this minus the arrival."""
    done_ns: int


class Stalls:
    """Stretches of time in which nothing goes on, the first one a whole period after `origin_ns`.

    Args:
        every_ns: from the begin of one to the begin of the next; 0 for none at all.
        length_ns: shorter than `every_ns`.
        origin_ns: where the first period begins.
    """

    def __init__(self, every_ns: int, length_ns: int, origin_ns: int) -> None:
        if every_ns and not 0 < length_ns < every_ns:
            raise UsageError(f"a stall of {length_ns} ns does not fit into every {every_ns} ns")
        self._every_ns, self._length_ns = every_ns, length_ns
        self._first_ns = origin_ns + every_ns

    def finish_ns(self, begun_ns: int, work_ns: int) -> int:
        """When work begun at a moment is done, if it rests during stalls; never in the middle of one.

        Work that would be done at the very moment at which a stall begins is done at its end.
        """
        if not self._every_ns:
            return begun_ns + work_ns
        worked_ns = self._worked_ns(begun_ns) + work_ns
        if worked_ns < 0:
            return self._first_ns + worked_ns
        stalls, rest_ns = divmod(worked_ns, self._every_ns - self._length_ns)
        return self._first_ns + stalls * self._every_ns + self._length_ns + rest_ns

    def _worked_ns(self, moment_ns: int) -> int:
        """How long work went on between the begin of the first stall and a moment; negative before it."""
        since_ns = moment_ns - self._first_ns
        if since_ns < 0:
            return since_ns
        periods, into_ns = divmod(since_ns, self._every_ns)
        return periods * (self._every_ns - self._length_ns) + max(0, into_ns - self._length_ns)


NO_STALLS = Stalls(0, 0, 0)


class Lanes:
    """Who comes first is served first, by the lane that is free first (J. Kiefer and J. Wolfowitz, 1955).

    With one lane this is D. V. Lindley's recursion (1952): begun = max(arrived, done of the one before).

    Args:
        lanes: how many; 0 for as many as are needed, so that nobody waits.
        stalls: while one lasts no lane begins, goes on or ends.
    """

    def __init__(self, lanes: int, stalls: Stalls = NO_STALLS) -> None:
        self._stalls = stalls
        self._is_endless = lanes == 0
        self._free_ns = [0] * lanes
        """When each lane is free, as a heap."""

    def enter(self, arrived_ns: int, service_ns: int) -> Stay:
        """The next arrival, not before the one before it."""
        free_ns = 0 if self._is_endless else self._free_ns[0]
        begun_ns = self._stalls.finish_ns(max(arrived_ns, free_ns), 0)
        done_ns = self._stalls.finish_ns(begun_ns, service_ns)
        if not self._is_endless:
            heapq.heapreplace(self._free_ns, done_ns)
        return Stay(begun_ns, done_ns)


def simulate(
    arrived_ns: Sequence[int], service_ns: Iterable[int], lanes: int = 1, stalls: Stalls = NO_STALLS
) -> list[Stay]:
    """A whole queue: arrivals in order of time, and the service time of each."""
    queue = Lanes(lanes, stalls)
    return [queue.enter(arrived, service) for arrived, service in zip(arrived_ns, service_ns, strict=True)]
