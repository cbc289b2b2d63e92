"""Keep-alive HTTP/1.1 over TCP: one request in flight a connection."""

import asyncio
import socket
from collections.abc import Callable, Iterable
from typing import Protocol, cast

from modeldyno.errors import UsageError
from modeldyno.wire.http1_response import HttpResponse, MalformedResponseError, ResponseReader

NO_REQUEST = -1
_OURS = frozenset({"content-length", "transfer-encoding", "connection", "expect", "upgrade"})


def format_request(path: str, host: str, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """A whole POST request. A header given twice counts the last time; a `Host` given replaces `host`.

    Raises:
        UsageError: a path or header that would break the request, or a header that describes the connection.
    """
    fields = {"host": ("Host", host)}
    for name, value in headers:
        if name.lower() in _OURS:
            raise UsageError(
                f"the header {name!r} cannot be set", why="it describes the connection, which the load generator owns"
            )
        if not name or not name.isascii() or any(sign in name for sign in " :\r\n\0") or _breaks_a_line(value):
            raise UsageError(f"{name!r}: {value!r} is not a header", hint="for example Authorization: Bearer TOKEN")
        fields[name.lower()] = (name, value)
    if not path.startswith("/") or not path.isascii() or " " in path or _breaks_a_line(path):
        raise UsageError(f"{path!r} is not a path of a URL", hint="percent-encode spaces and special signs")
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.values())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode("latin-1", "replace") + body


def _breaks_a_line(text: str) -> bool:
    return any(sign in text for sign in "\r\n\0")


class ConnectionOwner(Protocol):
    """Who is told what becomes of a request."""

    def answered(self, connection: "Connection", response: HttpResponse) -> None:
        """The whole answer is there; `connection.done_ns` says since when."""
        ...

    def malformed(self, connection: "Connection") -> None:
        """The bytes that came are not an answer, or nobody asked for them; the connection is closed."""
        ...

    def lost(self, connection: "Connection") -> None:
        """The connection is gone, for whatever reason; nothing but the same call may follow."""
        ...


class Connection(asyncio.Protocol):
    """One connection, and the stamps of the request in flight on it."""

    __slots__ = (
        "_now_ns", "_owner", "_reader", "_transport", "done_ns", "first_byte_ns", "has_answered", "idle_since_ns",
        "received_bytes", "request", "sent_bytes", "sent_ns",
    )  # fmt: skip

    def __init__(self, owner: ConnectionOwner, now_ns: Callable[[], int]) -> None:
        self._owner = owner
        self._now_ns = now_ns
        self._reader = ResponseReader()
        self.request = NO_REQUEST
        """Index of the request in flight."""
        self.has_answered = False
        """Whether a request of it ever got an answer."""
        self.sent_ns = self.first_byte_ns = self.done_ns = -1
        self.sent_bytes = self.received_bytes = 0
        self.idle_since_ns = now_ns()

    def send(self, request: int, content: bytes) -> None:
        """Hand `content` to the socket; the connection must be idle."""
        self.request = request
        self.first_byte_ns = self.done_ns = -1
        self.sent_bytes = len(content)
        self.received_bytes = 0
        self.sent_ns = self._now_ns()
        self._transport.write(content)

    def rest(self) -> int:
        """The request is dealt with. Returns its index."""
        request, self.request = self.request, NO_REQUEST
        self.idle_since_ns = self.done_ns
        return request

    def abort(self) -> None:
        """Close at once; `lost` follows from the event loop."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        moment_ns = self._now_ns()
        if self.received_bytes == 0:
            self.first_byte_ns = moment_ns
        self.received_bytes += len(data)
        try:
            responses = self._reader.feed(data)
        except MalformedResponseError:
            responses = []
            is_sound = False
        else:
            is_sound = len(responses) <= 1 and self.request != NO_REQUEST
        if not is_sound:
            self.done_ns = moment_ns
            self._owner.malformed(self)
            self.abort()
        elif responses:
            self.done_ns = moment_ns
            self.has_answered = True
            self._owner.answered(self, responses[0])

    def eof_received(self) -> None:
        """See `asyncio.Protocol`; an idle connection must not be used in the moment before `connection_lost`."""
        if self.request == NO_REQUEST:
            self._owner.lost(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.done_ns = self._now_ns()
        response = self._reader.end() if exc is None and self.request != NO_REQUEST else None
        if response is not None:
            self._owner.answered(self, response)
        self._owner.lost(self)
