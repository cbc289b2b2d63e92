"""Whose time is over: deadlines of many, most of which never come."""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

TICK_NS = 1_000_000
"""Deadlines are told apart by whole ms, rounded up, as an event loop's timers are."""
_STALE = 64

Item = TypeVar("Item", bound=Hashable)


class Deadlines(Generic[Item]):
    """Items by deadline. Adding and discarding cost the same however many there are.

    A heap of the items themselves would hold every answered request, its tensors with it, until its deadline.
    """

    def __init__(self) -> None:
        self._ticks: dict[int, dict[Item, None]] = {}
        self._heap: list[int] = []

    def __len__(self) -> int:
        return sum(map(len, self._ticks.values()))

    def add(self, item: Item, deadline_ns: int) -> None:
        """Its time is over at `deadline_ns`."""
        tick = -(-deadline_ns // TICK_NS)
        items = self._ticks.get(tick)
        if items is None:
            items = self._ticks[tick] = {}
            heapq.heappush(self._heap, tick)
            if len(self._heap) > 2 * len(self._ticks) + _STALE:
                self._heap = list(self._ticks)
                heapq.heapify(self._heap)
        items[item] = None

    def discard(self, item: Item, deadline_ns: int) -> None:
        """Its time does not matter any more; without effect when it is over already."""
        tick = -(-deadline_ns // TICK_NS)
        items = self._ticks.get(tick)
        if items is not None:
            items.pop(item, None)
            if not items:
                del self._ticks[tick]

    def next_ns(self) -> int | None:
        """When the next item's time is over."""
        heap = self._heap
        while heap and heap[0] not in self._ticks:
            heapq.heappop(heap)
        return heap[0] * TICK_NS if heap else None

    def pop_due(self, now_ns: int) -> list[Item]:
        """The items whose time is over, in the order of their deadlines; they are forgotten."""
        due: list[Item] = []
        while (moment_ns := self.next_ns()) is not None and moment_ns <= now_ns:
            due += self._ticks.pop(heapq.heappop(self._heap))
        return due
