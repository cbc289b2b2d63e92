"""The connections of one worker: who is idle, when to open more, how often to try again."""

import asyncio
import errno
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from modeldyno.loadgen.transports.connection import Connection

_RETRY_S = 0.1
"""After a failed connection the next attempt waits so long: ten a second do not load a server that starts."""
_OUR_LIMIT = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})


class PoolOwner(Protocol):
    """Who needs connections."""

    def waiting(self) -> int:
        """How many requests wait for a connection."""
        ...

    def available(self, connection: Connection) -> None:
        """A new connection is open; it belongs to the owner until given back."""
        ...

    def refused(self) -> None:
        """There is no connection, and none can be made now."""
        ...


class Pool:
    """Idle connections, last in first out: the busy ones stay warm, the others show how many were needed.

    Args:
        dial: opens one connection; raises OSError (a timeout is one).
        owner: who needs connections.
        size: to keep open.
        limit: never more than these.
    """

    def __init__(
        self, dial: Callable[[], Coroutine[Any, Any, Connection]], owner: PoolOwner, *, size: int, limit: int
    ) -> None:
        self._dial = dial
        self._owner = owner
        self._size = size
        self._limit = limit
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._dialling = 0
        self._tasks: set[asyncio.Task[None]] = set()  # the event loop itself holds tasks only weakly
        self._lost = 0
        self._is_failing = False
        self._is_closed = False
        self._retry: asyncio.TimerHandle | None = None
        self.opened = 0
        """Connections opened in all."""
        self.reconnects = 0
        """Connections opened in place of lost ones."""
        self.notes: dict[str, None] = {}
        """Limits of this machine that were met."""

    async def fill(self) -> None:
        """Open the first connections.

        Raises:
            OSError: one could not be opened.
        """
        for connection in await asyncio.gather(*(self._dial() for _ in range(self._size))):
            self._add(connection)
            self.give_back(connection)

    def take(self) -> Connection | None:
        """An idle connection, or None."""
        return self._idle.pop() if self._idle else None

    def give_back(self, connection: Connection) -> None:
        """It is idle again."""
        if connection in self._open:
            connection.connect_ns = -1  # nobody waited for it
            self._idle.append(connection)

    def remove(self, connection: Connection) -> None:
        """It is lost; another one takes its place."""
        if connection in self._open:
            self._open.remove(connection)
            self._lost += 1
            if connection in self._idle:
                self._idle.remove(connection)
            if not connection.has_answered:  # a server that takes connections only to drop them is not hammered
                self._pause()
            self.grow()

    def grow(self) -> None:
        """Open as many connections as there are requests waiting, within the limits."""
        if self._is_closed or self._retry is not None:
            return
        missing = max(self._owner.waiting(), self._size - len(self._open)) - self._dialling
        room = self._limit - len(self._open) - self._dialling
        if self._is_failing:  # one attempt at a time until the server takes connections again
            room = min(room, 1 - self._dialling)
        for _ in range(min(missing, room)):
            self._dialling += 1
            task = asyncio.get_running_loop().create_task(self._dial_one())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self) -> int:
        """Close everything. Returns how many connections were open."""
        self._is_closed = True
        if self._retry is not None:
            self._retry.cancel()
        for task in self._tasks:
            task.cancel()
        count = len(self._open)
        for connection in list(self._open):
            connection.abort()
        return count

    async def _dial_one(self) -> None:
        try:
            connection = await self._dial()
        except OSError as problem:
            self._dialling -= 1
            self._failed(problem)
        else:
            self._dialling -= 1
            self._is_failing = False
            self._add(connection)
            self._owner.available(connection)
            self.grow()

    def _add(self, connection: Connection) -> None:
        self._open.add(connection)
        self.opened += 1
        if self._lost > 0:
            self._lost -= 1
            self.reconnects += 1

    def _failed(self, problem: OSError) -> None:
        if problem.errno in _OUR_LIMIT:
            self._limit = max(1, len(self._open))
            self.notes[f"stopped at {len(self._open)} connections: {problem.strerror}"] = None
        elif not self._open:
            self._owner.refused()
        self._pause()

    def _pause(self) -> None:
        self._is_failing = True
        if self._retry is None and not self._is_closed:
            self._retry = asyncio.get_running_loop().call_later(_RETRY_S, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self.grow()
