"""The requests that wait for an instance: by priority, and within one by what can be merged."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from itertools import chain, islice
from typing import Generic, Protocol, TypeVar

from modeldyno.policies.batching import choose_batch
from modeldyno.records.deployment import Batching


class Waiting(Hashable, Protocol):
    """What a line must know of those who wait in it."""

    @property
    def rows(self) -> int:
        """How much of a batch it takes."""
        ...

    @property
    def lane(self) -> int:
        """Index of its priority, 0 the highest."""
        ...

    @property
    def key(self) -> Hashable:
        """Only those of one key can be merged."""
        ...

    @property
    def queued_ns(self) -> int:
        """When it came; those in one line come in this order."""
        ...

    @property
    def due_ns(self) -> int:
        """Until when it may be kept waiting for company."""
        ...


Item = TypeVar("Item", bound=Waiting)


class Line(Generic[Item]):
    """Requests in the order in which they will be computed.

    Strict priority: a batch begins with the oldest of the highest lane and is filled up with what can be merged, lane
    after lane, first come first served within one. A batch that may still wait for company gives way to one that is
    ready, whatever its lane.
    """

    def __init__(self, batching: Batching) -> None:
        self._max_rows = batching.max_rows
        self._preferred_rows = batching.preferred_rows
        self._waits = batching.max_delay_ns > 0
        # An ordered dictionary takes an item out of its middle at once, where thousands give up at the same time.
        self._lanes: list[dict[Hashable, OrderedDict[Item, None]]] = [{} for _ in batching.lanes or (None,)]
        self._lane_rows = [0] * len(self._lanes)
        self.rows = 0
        """Rows that wait."""

    def __iter__(self) -> Iterator[Item]:
        return chain.from_iterable(queue for lane in self._lanes for queue in lane.values())

    def lane_rows(self, lane: int) -> int:
        """Rows that wait in a lane."""
        return self._lane_rows[lane]

    def rows_ahead(self, lane: int) -> int:
        """Rows that would be computed before one who joins this lane now."""
        return sum(self._lane_rows[: lane + 1])

    def add(self, item: Item) -> None:
        """Join the end of the item's lane."""
        queues = self._lanes[item.lane]
        queue = queues.get(item.key)
        if queue is None:
            if queues and not self._lane_rows[item.lane]:
                queues.clear()  # the last key's empty queue, kept in case the next request has that key too
            queue = queues[item.key] = OrderedDict()
        queue[item] = None
        self._lane_rows[item.lane] += item.rows
        self.rows += item.rows

    def remove(self, item: Item) -> bool:
        """Leave; whether the item was there."""
        queues = self._lanes[item.lane]
        queue = queues.get(item.key)
        if queue is None or item not in queue:
            return False
        del queue[item]
        self._left(item)
        if not queue and len(queues) > 1:
            del queues[item.key]
        return True

    def take(self, *, idle_instances: int, now_ns: int) -> tuple[list[Item], int | None]:
        """The next batch, which leaves; or none, and when to look again (None: on the next event)."""
        if not self._waits and idle_instances and (taken := self._take_all()) is not None:
            return taken, None
        look_again_ns: int | None = None
        for index, lane in enumerate(self._lanes):
            if not self._lane_rows[index]:
                continue
            for key in _oldest_first(lane):
                if index and any(higher.get(key) for higher in self._lanes[:index]):
                    continue  # it was asked together with the higher lane
                queues = self._mergeable(key, index)
                decision = choose_batch(
                    (item.rows for queue in queues for item in queue),
                    max_rows=self._max_rows,
                    preferred_rows=self._preferred_rows,
                    due_ns=self._due_ns(queues) if self._waits else now_ns,
                    idle_instances=idle_instances,
                    now_ns=now_ns,
                )
                if decision.take:
                    return self._leave(key, queues, decision.take), None
                if decision.look_again_ns is not None:
                    look_again_ns = min(decision.look_again_ns, look_again_ns or decision.look_again_ns)
        return [], look_again_ns

    def _take_all(self) -> list[Item] | None:
        """All who wait, where they are one batch: there is nothing to decide, and it is what happens most."""
        lane = self._lanes[0]
        if len(lane) != 1 or self.rows != self._lane_rows[0]:
            return None
        (queue,) = lane.values()
        if len(queue) > 1 and (self.rows > self._max_rows or self._preferred_rows):
            return None
        taken = list(queue)
        queue.clear()
        self._lane_rows[0] = self.rows = 0
        return taken

    def _mergeable(self, key: Hashable, first_lane: int) -> list[OrderedDict[Item, None]]:
        """What waits with this key, lane by lane; the first lane has some."""
        if len(self._lanes) == 1:
            return [self._lanes[0][key]]
        return [queue for lane in self._lanes[first_lane:] if (queue := lane.get(key))]

    def _due_ns(self, queues: list[OrderedDict[Item, None]]) -> int:
        # Each has a row at least, so no more than these can be in the batch. A lower lane's counts too: it is what a
        # batch would otherwise leave behind when it is due.
        return min(item.due_ns for queue in queues for item in islice(queue, self._max_rows))

    def _leave(self, key: Hashable, queues: list[OrderedDict[Item, None]], count: int) -> list[Item]:
        taken: list[Item] = []
        for queue in queues:
            if len(queue) <= count - len(taken):
                taken += queue
                queue.clear()
            while queue and len(taken) < count:
                taken.append(queue.popitem(last=False)[0])
        for item in taken:
            self._left(item)
        for lane in self._lanes:
            if len(lane) > 1 and not lane.get(key, True):
                del lane[key]
        return taken

    def _left(self, item: Item) -> None:
        self._lane_rows[item.lane] -= item.rows
        self.rows -= item.rows


def _oldest_first(lane: dict[Hashable, OrderedDict[Item, None]]) -> list[Hashable]:
    # The dictionary keeps the order in which queues began, not that of their present heads.
    if len(lane) == 1:
        return list(lane)
    return sorted((key for key in lane if lane[key]), key=lambda key: next(iter(lane[key])).queued_ns)
