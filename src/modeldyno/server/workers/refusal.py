"""What a supervisor answers itself: that there is no worker to answer."""

import asyncio
import logging
import socket

import msgspec

from modeldyno.clock import Clock
from modeldyno.errors import DynoError
from modeldyno.records.server import ServerSettings
from modeldyno.server.call import Refusal
from modeldyno.server.exchange import Exchange
from modeldyno.server.network.doors import Door, DoorName
from modeldyno.server.network.listening import ConnectionListener
from modeldyno.server.network.tls import Certificates
from modeldyno.server.rights import right_of, segments_of
from modeldyno.wire.http1_request import HttpRequest
from modeldyno.wire.v2_documents import LIVE

_LOG = logging.getLogger("modeldyno.server")
_PATIENCE_NS = 5 * 10**9
"""For a client that says nothing, here where nothing is to be had."""


class Refusals:
    """Answers in the protocol of each door. Its listeners are made when first needed: nearly never.

    Args:
        settings: of the server.
        loop: of the supervisor.
        clock: of the supervisor.
    """

    def __init__(self, settings: ServerSettings, *, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._settings = msgspec.structs.replace(settings, read_timeout_ns=_PATIENCE_NS, idle_timeout_ns=_PATIENCE_NS)
        self._loop = loop
        self._clock = clock
        self._certificates: Certificates | None = None
        self._listeners: dict[DoorName, ConnectionListener] = {}
        self._is_dismissing = False
        self.reason = ""
        """Why, for the connections to come."""
        self.requests = 0
        """Inference requests that were refused."""

    def adopt(self, door: Door, connection: socket.socket) -> None:
        """Refuse all that is asked on a connection."""
        try:
            listener = self._listeners.get(door.name) or self._open(door)
        except DynoError as problem:  # a certificate that was good at the start, and is not any more
            _LOG.error("a connection is closed: %s (%s)", problem.what, problem.why)
            connection.close()
            return
        listener.adopt(connection)
        # A client that asks again and again on the same connection would never find out that there is a worker again.
        if not self._is_dismissing:
            self._is_dismissing = True
            self._loop.call_later(_PATIENCE_NS / 1e9, self.dismiss)

    def handle(self, request: HttpRequest, exchange: Exchange) -> None:
        """See `Handler`: alive, but neither ready nor able."""
        exchange.closes = True  # the next connection may find a worker
        segments = segments_of(request.target)
        if segments == ["v2", "health", "live"]:
            exchange.respond(200, LIVE)
            return
        right = right_of(request.method, segments)
        self.requests += right is not None and right.verb == "infer"
        exchange.reply(Refusal(503, self.reason, 1))

    def dismiss(self) -> None:
        """Let the clients come again: there may be a worker."""
        self._is_dismissing = False
        for listener in self._listeners.values():
            listener.dismiss()

    async def end(self) -> None:
        """Close all connections."""
        for listener in self._listeners.values():
            listener.drain()
            listener.drain()
        await asyncio.sleep(0)

    def renew(self) -> None:
        """Read certificate and key again."""
        if self._certificates is not None:
            self._certificates.renew()

    def _open(self, door: Door) -> ConnectionListener:
        if self._certificates is None and self._settings.tls is not None:
            self._certificates = Certificates(self._settings.tls)
        listener = self._listeners[door.name] = door.new_listener(
            self._settings,
            loop=self._loop,
            clock=self._clock,
            on_drained=lambda: None,
            certificates=self._certificates,
        )
        listener.open(self)
        return listener
