"""Accepting connections for others to serve."""

import asyncio
import logging
import socket
from collections.abc import Callable

from modeldyno.server.network.doors import Door
from modeldyno.server.network.listening import BACKLOG, bound_sockets, listen_error

_LOG = logging.getLogger("modeldyno.server")
_ACCEPTED_AT_ONCE = 64
"""In one turn of the loop: a flood must not keep it from its workers."""
_PAUSE_S = 0.1


class Entrance:
    """The sockets of one door.

    Args:
        door: where.
        loop: of the supervisor.
        on_connection: gets each connection.

    Raises:
        UsageError: the address cannot be listened on.
    """

    def __init__(
        self, door: Door, *, loop: asyncio.AbstractEventLoop, on_connection: Callable[[Door, socket.socket], None]
    ) -> None:
        self.door = door
        self._loop = loop
        self._on_connection = on_connection
        self._sockets = bound_sockets(door.host, door.port, option=door.option)
        self._is_open = False

    @property
    def port(self) -> int:
        """The real one."""
        port: int = self._sockets[0].getsockname()[1]
        return port

    def open(self) -> None:
        """Begin to accept.

        Raises:
            UsageError: another process began to listen there first.
        """
        self._is_open = True
        for one in self._sockets:
            try:
                one.listen(BACKLOG)
            except OSError as problem:
                raise listen_error(self.door.host, self.door.port, problem, option=self.door.option) from problem
            self._loop.add_reader(one, self._accept, one)

    def close(self) -> None:
        """Accept nothing more."""
        self._is_open = False
        for one in self._sockets:
            self._loop.remove_reader(one)
            one.close()
        self._sockets = []

    def _accept(self, one: socket.socket) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                connection, _ = one.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as problem:  # such as no descriptor left: those that wait keep waiting
                _LOG.error("a connection cannot be accepted: %s", problem.strerror or problem)
                self._loop.remove_reader(one)
                self._loop.call_later(_PAUSE_S, self._resume, one)
                return
            connection.settimeout(0.0)
            # The listeners of a server get it from the loop, which sets it on what it accepts itself.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._on_connection(self.door, connection)

    def _resume(self, one: socket.socket) -> None:
        if self._is_open:
            self._loop.add_reader(one, self._accept, one)
