"""HTTP/1.1 over TCP: bytes to requests, and answers to bytes in the order of the requests."""

import asyncio
import logging
from collections import deque
from functools import cached_property
from typing import cast

from modeldyno.server.exchange import Exchange
from modeldyno.server.network.listening import ConnectionListener
from modeldyno.wire.errors import WireError
from modeldyno.wire.http1_head import CONTINUE, format_response
from modeldyno.wire.http1_reader import RequestReader
from modeldyno.wire.http1_request import HttpRequest, RequestLimits
from modeldyno.wire.v2_documents import encode_error

_LOG = logging.getLogger("modeldyno.server")
_MAX_PIPELINED = 64
_LINGER_NS = 2 * 10**9


class Listener(ConnectionListener):
    """Accepts connections of HTTP/1.1."""

    linger_ns = _LINGER_NS

    @cached_property
    def limits(self) -> RequestLimits:
        """What a client may send."""
        return RequestLimits(max_body_bytes=self.settings.max_body_bytes)

    def connect(self) -> "Connection":
        """See `ConnectionListener`."""
        return Connection(self)


class Connection(asyncio.Protocol):
    """One client: requests in, answers out in the order of the requests."""

    def __init__(self, listener: Listener) -> None:
        assert listener.router is not None  # noqa: S101 - connections are made by `listen`, which sets it
        self._listener = listener
        self._router = listener.router
        self._clock = listener.clock
        self._with_timing = listener.settings.server_timing
        self._reader = RequestReader(listener.limits)
        self._transport: asyncio.Transport | None = None
        self._outstanding: deque[Exchange] = deque()
        self._began_ns = 0
        """First byte of the request being read."""
        self._idle_ns: int | None = None
        """When it was seen that nothing is asked; forgotten with the next byte. No answer needs the clock for that."""
        self._blocked_ns: int | None = None
        """Since when the client takes too little of its answers."""
        self._lingering_ns: int | None = None
        """Since when only the client's end is awaited."""
        self._takes_requests = True
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        # A cast, since uvloop's transports are none of asyncio's.
        self._transport = transport = cast("asyncio.Transport", transport)
        listener = self._listener
        is_full = len(listener.connections) >= listener.settings.max_connections
        listener.connections.add(self)
        if is_full:
            body = encode_error(f"more than {listener.settings.max_connections} connections; try again later")
            transport.write(format_response(503, body, headers=b"Retry-After: 1\r\nConnection: close\r\n"))
            self._linger()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the name is asyncio's
        """See `asyncio.Protocol`: what was asked on this connection is abandoned."""
        for exchange in self._outstanding:
            exchange.abandon()
        self._outstanding.clear()
        self._takes_requests = False
        self._transport = None
        self._reader.close()
        self._listener.forget(self)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._lingering_ns is not None:
            return
        now_ns = self._clock.now_ns()
        self._idle_ns = None
        reader = self._reader
        if not reader.is_reading:
            self._began_ns = now_ns
        for request in reader.feed(data):
            self._take(request)
            self._began_ns = now_ns
        if reader.error is not None:
            self._break_off(reader.error)
        elif reader.wants_continue:
            self._continue()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`: the client does not read its answers, so it gets to ask nothing more."""
        self._blocked_ns = self._clock.now_ns()
        self._pace()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._blocked_ns = None
        self._pace()

    def flush(self) -> None:
        """Write the answers that are there, in the order of their requests."""
        outstanding, transport = self._outstanding, self._transport
        if transport is None or outstanding[0].message is None:
            return
        is_last = self._write_ready(transport)
        if is_last and self._reader.error is not None:
            self._linger()
        elif is_last:
            self._takes_requests = False
            transport.close()
        else:
            if self._is_paused:
                self._pace()
            if self._reader.wants_continue:
                self._continue()

    def _write_ready(self, transport: asyncio.Transport) -> bool:
        """Write the answers at the front of the queue; whether the connection ends behind them."""
        outstanding = self._outstanding
        is_last = False
        while not is_last and outstanding and (message := outstanding[0].message) is not None:
            is_last = outstanding.popleft().closes
            transport.write(message)
        return is_last or (self._listener.is_draining and not outstanding and not self._reader.is_reading)

    def must_close(self) -> bool:
        """Whether the answer being written is the last: while draining, the last of those asked for."""
        return self._listener.is_draining and len(self._outstanding) == 1 and not self._reader.is_reading

    def announce_leaving(self) -> None:
        """See `Peer`: the last answer says so."""

    def leave(self) -> None:
        """Close unless a request is being read or answered."""
        if self._transport is not None and not self._outstanding and not self._reader.is_reading:
            self._transport.close()

    def abort(self) -> None:
        """Close at once, whatever is on its way."""
        if self._transport is not None:
            self._transport.abort()

    def check_time(self, now_ns: int) -> None:
        """End what takes the client too long."""
        settings = self._listener.settings
        if self._lingering_ns is not None:
            if now_ns - self._lingering_ns > _LINGER_NS:
                self.abort()
        elif self._blocked_ns is not None:
            if now_ns - self._blocked_ns > settings.read_timeout_ns:
                self.abort()
        elif self._reader.is_reading:
            if not self._is_paused and now_ns - self._began_ns > settings.read_timeout_ns:
                self._break_off(WireError("the request did not arrive in time", status=408))
        elif not self._outstanding:
            if self._idle_ns is None:
                self._idle_ns = now_ns
            elif now_ns - self._idle_ns > settings.idle_timeout_ns:
                self.leave()

    def _take(self, request: HttpRequest) -> None:
        if not self._takes_requests:
            return  # sent behind a request that was to be the last
        exchange = Exchange(
            self,
            started_ns=self._began_ns,
            closes=not request.keep_alive,
            # Only an HTTP/1.0 client must be told that the connection stays, and it says that it wants it to.
            keep_alive_line=b"Connection: keep-alive\r\n" if b"connection" in request.headers else b"",
            without_body=request.method == b"HEAD",
            with_timing=self._with_timing,
            accepted=request.headers.get(b"accept-encoding"),
        )
        self._outstanding.append(exchange)
        if not request.keep_alive:
            self._takes_requests = False
        elif len(self._outstanding) >= _MAX_PIPELINED:
            self._pace()
        try:
            self._router.handle(request, exchange)
        except Exception:  # noqa: BLE001 - one request must not take the others of its connection with it
            _LOG.exception("a fault of the server on %r", request.target)
            exchange.refuse(500, "a fault of the server; its log says more")

    def _break_off(self, problem: WireError) -> None:
        """Answer what cannot be read on, after the answers before it, and close."""
        if not self._takes_requests:
            return
        self._takes_requests = False
        self._reader.error = problem
        exchange = Exchange(self, started_ns=self._began_ns, closes=True)
        self._outstanding.append(exchange)
        exchange.refuse(problem.status, problem.message)

    def _continue(self) -> None:
        """Ask for the body, once all that was asked before is answered."""
        if not self._outstanding and self._transport is not None:
            self._reader.wants_continue = False
            self._transport.write(CONTINUE)

    def _pace(self) -> None:
        """Read only while the client takes its answers and not too many are outstanding."""
        pause = self._blocked_ns is not None or len(self._outstanding) >= _MAX_PIPELINED
        if self._transport is None or self._transport.is_closing() or pause == self._is_paused:
            return
        self._is_paused = pause
        if pause:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _linger(self) -> None:
        """Close our half and wait for the client's: a close with unread bytes would reset the last answer away."""
        self._takes_requests = False
        self._lingering_ns = self._clock.now_ns()
        transport = self._transport
        if transport is None:
            return
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()  # TLS ends both ways at once, after it has sent what is there
