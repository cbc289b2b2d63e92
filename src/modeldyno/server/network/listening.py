"""Accepting connections, watching over them, and draining them: what all protocols over TCP share."""

import asyncio
import errno
import logging
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Protocol

import uvloop

from modeldyno.clock import Clock
from modeldyno.errors import UsageError
from modeldyno.records.server import ServerSettings
from modeldyno.server.exchange import Handler

_LOG = logging.getLogger("modeldyno.server")
_GRACE_S = 0.1
_HANDSHAKE_S = 10.0
_LARGEST_PORT = 65_535
BACKLOG = 1024
"""Connections that may wait to be accepted."""


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop for listeners."""
    return uvloop.new_event_loop()


class Peer(Protocol):
    """A connection, as the listener sees it."""

    def announce_leaving(self) -> None:
        """Tell the client to begin nothing more here, where the protocol has words for it."""
        ...

    def leave(self) -> None:
        """Close, at the latest when what was begun is answered."""
        ...

    def abort(self) -> None:
        """Close at once, whatever is on its way."""
        ...

    def check_time(self, now_ns: int) -> None:
        """End what takes the client too long."""
        ...


class ConnectionListener(ABC):
    """Accepts the connections of one address, or adopts those that were accepted elsewhere.

    Args:
        settings: where to listen, and the limits.
        loop: of the server.
        clock: for time-outs.
        on_drained: called when the last connection is gone after `drain`.
        tls: None for plain TCP.
    """

    linger_ns: ClassVar[int]
    """How long a connection waits for the client's end; `check_time` must come often enough for it."""

    def __init__(
        self,
        settings: ServerSettings,
        *,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        on_drained: Callable[[], None],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.router: Handler | None = None
        self.connections: set[Peer] = set()
        self.is_draining = False
        self.on_closed: Callable[[], None] | None = None
        """Called for each adopted connection that is gone."""
        self._loop = loop
        self._on_drained = on_drained
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._is_open = False
        self._arriving: set[asyncio.Task[None]] = set()
        """Connections being adopted: of TLS, until the handshake is done."""
        timeouts_ns = (settings.read_timeout_ns, settings.idle_timeout_ns, self.linger_ns)
        self._watch_interval_s = min(1.0, min(timeouts_ns) / 4e9)

    @abstractmethod
    def connect(self) -> asyncio.Protocol:
        """A protocol for one more connection; called after the handshake of TLS, or before its end."""

    def open(self, router: Handler) -> None:
        """Be ready to `adopt`, without an address of its own."""
        self.router = router
        self._is_open = True
        self._watch()

    async def listen(self, router: Handler, *, option: str = "--port") -> int:
        """Begin to accept.

        Args:
            router: answers what is asked; it takes the HTTP form.
            option: by which the user chooses the port.

        Returns:
            The real port.

        Raises:
            UsageError: the address cannot be listened on.
        """
        self.router = router
        settings = self.settings
        check_address(settings.host, settings.port, option=option)
        try:
            self._server = await self._loop.create_server(
                self.connect,
                settings.host,
                settings.port,
                backlog=BACKLOG,
                ssl=self._tls,
                ssl_handshake_timeout=None if self._tls is None else _HANDSHAKE_S,
            )
        except OSError as problem:
            raise listen_error(settings.host, settings.port, problem, option=option) from problem
        self.open(router)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def adopt(self, connection: socket.socket) -> None:
        """Take over a connection that was accepted elsewhere; one that comes after the end is closed."""
        if not self._is_open:
            connection.close()
            self._count_closed()
            return
        task = self._loop.create_task(self._adopt(connection))
        self._arriving.add(task)
        task.add_done_callback(self._end_arrival)

    async def _adopt(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self.connect,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=None if self._tls is None else _HANDSHAKE_S,
            )
        except OSError as problem:  # the client is gone already, or its handshake failed
            _LOG.debug("a connection could not be taken over: %s", problem)
            self._count_closed()

    def _end_arrival(self, task: asyncio.Task[None]) -> None:
        self._arriving.discard(task)
        self._report_if_drained()

    def drain(self) -> None:
        """Accept nothing more, answer what was accepted, close each connection, then call `on_drained`.

        A second call does not wait for the answers.
        """
        if self.is_draining:
            self._abort()
            return
        self.is_draining = True
        for connection in list(self.connections):
            connection.announce_leaving()
        # What is already in the sockets and in the backlog when the signal comes is read and answered first.
        self._loop.call_later(_GRACE_S, self._stop_accepting)
        self._loop.call_later(self.settings.drain_timeout_ns / 1e9, self._abort)

    def dismiss(self) -> None:
        """Let each connection end when what was begun on it is answered, and go on accepting."""
        for connection in list(self.connections):
            connection.leave()

    def forget(self, connection: Peer) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        self._count_closed()
        self._report_if_drained()

    def _count_closed(self) -> None:
        if self.on_closed is not None:
            self.on_closed()

    def _stop_accepting(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._is_open:
            self._is_open = False
            self.dismiss()
        self._report_if_drained()

    def _report_if_drained(self) -> None:
        if not self._is_open and not self.connections and not self._arriving:
            self._on_drained()

    def _abort(self) -> None:
        self._stop_accepting()
        for task in list(self._arriving):
            task.cancel()
        for connection in list(self.connections):
            connection.abort()

    def _watch(self) -> None:
        now_ns = self.clock.now_ns()
        for connection in list(self.connections):
            connection.check_time(now_ns)
        self._loop.call_later(self._watch_interval_s, self._watch)


def bound_sockets(host: str, port: int, *, option: str) -> list[socket.socket]:
    """One socket for each address of a host, bound and not listening yet: a client is still refused.

    Args:
        host: name or address of this machine.
        port: 0 for any free one.
        option: by which the user chooses the port.

    Raises:
        UsageError: the address cannot be listened on.
    """
    check_address(host, port, option=option)
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            one = socket.socket(family, kind, protocol)
            sockets.append(one)
            one.settimeout(0.0)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # Any free port is chosen once, for all addresses of the host.
            chosen = port or (sockets[0].getsockname()[1] if len(sockets) > 1 else 0)
            one.bind((address[0], chosen, *address[2:]))
    except OSError as problem:
        for one in sockets:
            one.close()
        raise listen_error(host, port, problem, option=option) from problem
    return sockets


def check_address(host: str, port: int, *, option: str) -> None:
    """Raises `UsageError` when the port is none, or the host is empty."""
    # uvloop would take "" for all addresses and a port modulo 65,536.
    if not host or not 0 <= port <= _LARGEST_PORT:
        raise UsageError(
            f"cannot listen on host {host!r}, port {port}",
            hint=f"--host takes a name or address of this machine, {option} a number from 0 to {_LARGEST_PORT}",
        )


def listen_error(host: str, port: int, problem: OSError, *, option: str) -> UsageError:
    """Why an address cannot be listened on, and what to do."""
    code = problem.errno
    if isinstance(problem, socket.gaierror):
        return UsageError(
            f"cannot listen on host {host!r}", why=str(problem), hint="a name or address of this machine: --host"
        )
    if code == errno.EADDRINUSE:
        return UsageError(
            f"port {port} on {host} is in use", hint=f"choose another with {option}, or {option} 0 for any free one"
        )
    if code == errno.EADDRNOTAVAIL:
        return UsageError(
            f"{host} is not an address of this machine", hint="--host 127.0.0.1, or --host 0.0.0.0 for all addresses"
        )
    return UsageError(f"cannot listen on {host}, port {port}", why=str(problem), hint=f"choose another with {option}")
