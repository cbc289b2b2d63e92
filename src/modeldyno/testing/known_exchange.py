"""A known server's side of the connections: reads requests, has them served in turn, answers at the due moment."""

import asyncio
import os
import socket
from typing import NamedTuple, cast

import httptools
import numpy as np

from modeldyno.clock import Clock
from modeldyno.testing.alarms import Alarms
from modeldyno.testing.behaviour import Behaviour
from modeldyno.testing.known_answers import INDEX, METADATA, Reply, reply_to, whole
from modeldyno.testing.lanes import NO_STALLS, Lanes, Stalls
from modeldyno.testing.truth import Fate, Truth

_DRAWN_AT_ONCE = 4096
_JSON_LENGTH = b"inference-header-content-length"


class _Work(NamedTuple):
    """A request that was read, and what is to become of it."""

    number: int
    arrived_ns: int
    begun_ns: int
    served_ns: int
    request: bytes
    """Its body up to the tensors."""


class KnownService:
    """What all connections share: the lanes, the alarms and the account.

    Args:
        behaviour: what it does.
        clock: CLOCK_MONOTONIC.
    """

    def __init__(self, behaviour: Behaviour, clock: Clock) -> None:
        self.behaviour = behaviour
        self.clock = clock
        self.alarms = Alarms(clock)
        self.truth = Truth()
        self._generator = np.random.default_rng(behaviour.seed)
        self._drawn_ns: list[int] = []
        self._stalls = NO_STALLS
        self._lanes = Lanes(0)

    def admit(self, arrived_ns: int, request: bytes) -> tuple[_Work, int]:
        """A POST was read. Returns it with the moment at which its answer is due."""
        behaviour = self.behaviour
        if not self.truth.posts:
            self._begin(arrived_ns)
        service_ns = self._draw_ns()
        begun_ns, served_ns = self._lanes.enter(arrived_ns, service_ns)
        due_ns = self._stalls.finish_ns(served_ns + behaviour.delay_ns, 0)
        number = self.truth.arrive(arrived_ns, begun_ns, service_ns, due_ns)
        return _Work(number, arrived_ns, begun_ns, served_ns, request), due_ns

    def _begin(self, first_ns: int) -> None:
        behaviour = self.behaviour
        if behaviour.stall_every_ns:
            self._stalls = Stalls(behaviour.stall_every_ns, behaviour.stall_ns, first_ns)
        self._lanes = Lanes(behaviour.lanes if behaviour.service_times else 0, self._stalls)

    def _draw_ns(self) -> int:
        times = self.behaviour.service_times
        if times is None:
            return 0
        if not self._drawn_ns:
            self._drawn_ns = times.draw_ns(self._generator, _DRAWN_AT_ONCE).tolist()[::-1]
        return self._drawn_ns.pop()


class KnownExchange(asyncio.Protocol):
    """One connection; a client has one request at a time on its way on it."""

    def __init__(self, service: KnownService) -> None:
        self._service = service
        self._behaviour = service.behaviour
        self._now_ns = service.clock.now_ns
        self._parser = httptools.HttpRequestParser(self)
        self._idle: asyncio.TimerHandle | None = None
        self._idle_since_ns = self._now_ns()
        self._path = b""
        self._json_length: int | None = None
        self._body: list[bytes] = []
        self._read_until_ns = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are none of asyncio's
        if self._behaviour.read_bytes_per_s:
            # The kernel holds as little as it can, so that a client with a large body has to wait too.
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the name is asyncio's
        """See `asyncio.Protocol`."""
        if self._idle is not None:
            self._idle.cancel()
        self._parser = None

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._idle is not None:
            self._idle.cancel()
        slow = self._behaviour.read_bytes_per_s
        if not slow:
            self._parse(data)
            return
        self._transport.pause_reading()
        self._read_until_ns = max(self._now_ns(), self._read_until_ns) + len(data) * 1_000_000_000 // slow
        self._service.alarms.set(self._read_until_ns, lambda: self._read_on(data))

    def _read_on(self, data: bytes) -> None:
        if self._parser is not None:
            self._transport.resume_reading()
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.write(whole(b'{"error": "not HTTP"}', status=400, headers=b"Connection: close\r\n"))
            self._transport.close()

    def on_message_begin(self) -> None:
        """Called by the parser."""
        self._json_length = None
        self._body = []
        self._path = b""

    def on_url(self, url: bytes) -> None:
        """Called by the parser; a long URL comes in parts."""
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        if name.lower() == _JSON_LENGTH and value.isdigit():
            self._json_length = int(value)

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        arrived_ns = self._now_ns()
        if self._parser.get_method() == b"GET":
            self._transport.write(whole(self._document()))
        elif self._path.endswith(b"/repository/index"):
            self._transport.write(whole(INDEX))
        elif self._is_stale(arrived_ns):
            self._transport.abort()
        else:
            self._take_in(arrived_ns)

    def _document(self) -> bytes:
        if self._path == b"/truth":
            return self._service.truth.encode()
        return METADATA if b"/v2/models/" in self._path else str(self._service.truth.posts).encode()

    def _is_stale(self, moment_ns: int) -> bool:
        limit_ns = self._behaviour.reset_after_idle_ns
        return limit_ns > 0 and moment_ns - self._idle_since_ns >= limit_ns

    def _take_in(self, arrived_ns: int) -> None:
        work, due_ns = self._service.admit(arrived_ns, b"".join(self._body)[: self._json_length])
        behaviour = self._behaviour
        if work.number == behaviour.die_after:
            os._exit(0)  # an exception would only end this connection
        if work.number == behaviour.stall_at:
            self._service.clock.sleep_until_ns(self._now_ns() + behaviour.stall_ns)
        if due_ns > self._now_ns():
            self._service.alarms.set(due_ns, lambda: self._answer(work))
        else:
            self._answer(work)

    def _answer(self, work: _Work) -> None:
        truth, number = self._service.truth, work.number
        if self._transport.is_closing():
            truth.end(number, Fate.LEFT, 0, -1)
            return
        written_ns = self._now_ns()
        reply = reply_to(self._behaviour, number, work.request, self._headers(work, written_ns))
        if not reply.content:
            truth.end(number, reply.fate, reply.status, -1)
            if reply.then == "reset":
                self._transport.abort()
            return
        self._write(number, reply, 0, written_ns)

    def _write(self, number: int, reply: Reply, piece: int, first_ns: int) -> None:
        """Write one piece of an answer, and see to the next; they count from 0."""
        service, pieces = self._service, self._behaviour.pieces
        if self._transport.is_closing():
            service.truth.end(number, Fate.LEFT, 0, -1)
            return
        content, moment_ns = reply.content, self._now_ns() if piece else first_ns
        self._transport.write(content[piece * len(content) // pieces : (piece + 1) * len(content) // pieces])
        if piece < pieces - 1:
            next_ns = first_ns + (piece + 1) * self._behaviour.piece_gap_ns
            service.alarms.set(next_ns, lambda: self._write(number, reply, piece + 1, first_ns))
            return
        service.truth.end(number, reply.fate, reply.status, moment_ns)
        if reply.then == "close":
            self._transport.close()
        self._watch_idle(moment_ns)

    def _headers(self, work: _Work, written_ns: int) -> bytes:
        """The `Server-Timing` header, in milliseconds with six decimals."""
        behaviour = self._behaviour
        if behaviour.tells_times:
            times = (work.begun_ns - work.arrived_ns, work.served_ns - work.begun_ns, written_ns - work.arrived_ns)
            said = b"queue;dur=%.6f, inference;dur=%.6f, total;dur=%.6f" % tuple(time_ns / 1e6 for time_ns in times)
        else:
            said = behaviour.server_timing.encode()
        return b"Server-Timing: %b\r\n" % said if said else b""

    def _watch_idle(self, moment_ns: int) -> None:
        self._idle_since_ns = moment_ns
        if self._behaviour.close_idle_after_ns:
            delay_s = self._behaviour.close_idle_after_ns / 1e9
            self._idle = asyncio.get_running_loop().call_later(delay_s, self._transport.close)
