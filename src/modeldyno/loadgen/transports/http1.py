"""Keep-alive HTTP/1.1 over TCP or TLS: one request in flight a connection."""

import asyncio
import socket
from collections.abc import Callable, Iterable
from typing import cast

from modeldyno.errors import UsageError
from modeldyno.loadgen.access import Encryption, tls_context
from modeldyno.loadgen.readers.reader import AnswerReader
from modeldyno.loadgen.transports.connection import NO_REQUEST, Connection, ConnectionOwner
from modeldyno.wire.http1_response import HttpResponse, MalformedResponseError, ResponseReader

_OURS = frozenset({"content-length", "transfer-encoding", "connection", "expect", "upgrade"})


def format_request(
    path: str, host: str, headers: Iterable[tuple[str, str]], body: bytes, method: str = "POST"
) -> bytes:
    """A whole request. A header given twice counts the last time; a `Host` given replaces `host`.

    Raises:
        UsageError: a method, path or header that would break the request, or a header that describes the connection.
    """
    fields = {"host": ("Host", host)}
    for name, value in headers:
        check_header(name, value)
        fields[name.lower()] = (name, value)
    if not method.isascii() or not method.isalpha() or not method.isupper():
        raise UsageError(f"{method!r} is not an HTTP method", hint="for example GET or POST")
    if not path.startswith("/") or not path.isascii() or " " in path or _breaks_a_line(path):
        raise UsageError(f"{path!r} is not a path of a URL", hint="percent-encode spaces and special signs")
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.values())]
    length = [f"Content-Length: {len(body)}"] if body or method not in ("GET", "HEAD", "DELETE") else []
    return "\r\n".join([*lines, *length, "", ""]).encode("latin-1", "replace") + body


def check_header(name: str, value: str) -> None:
    """Refuse a header that is none, or that describes the connection.

    Raises:
        UsageError: with the name; the value may be a secret and is not shown.
    """
    if name.lower() in _OURS:
        raise UsageError(
            f"the header {name!r} cannot be set", why="it describes the connection, which the load generator owns"
        )
    if not name or not name.isascii() or any(sign in name for sign in " :\r\n\0") or _breaks_a_line(value):
        raise UsageError(
            f"{name!r} is not a header",
            why="a name is ASCII without blanks, and a value is one line",
            hint="for example Authorization: Bearer TOKEN",
        )
    if not _is_latin(value):
        raise UsageError(
            f"the value of the header {name!r} cannot be sent",
            why="it holds a letter beyond ISO 8859-1, which HTTP/1.1 has no way to write",
            hint="encode it as the server expects it, for example in Base64",
        )


def _is_latin(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def _breaks_a_line(text: str) -> bool:
    return any(sign in text for sign in "\r\n\0")


class Http1Dialer:
    """Opens connections to one address.

    Args:
        address: host and port.
        encryption: None for plain TCP.
        make_reader: makes what reads the answers of one connection.
        now_ns: CLOCK_MONOTONIC.

    Raises:
        InputError: a file of the encryption cannot be used.
    """

    def __init__(
        self,
        address: tuple[str, int],
        encryption: Encryption | None,
        make_reader: Callable[[], AnswerReader],
        now_ns: Callable[[], int],
    ) -> None:
        self._address = address
        self._name = encryption.host_name if encryption is not None else None
        self._context = tls_context(encryption) if encryption is not None else None
        self._make_reader = make_reader
        self._now_ns = now_ns

    async def dial(self, owner: ConnectionOwner) -> Connection:
        """A new connection, after the TLS handshake if there is one.

        Raises:
            OSError: it could not be opened.
        """
        before_ns = self._now_ns()
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Http1Connection(owner, self._now_ns, self._make_reader()),
            *self._address,
            ssl=self._context,
            server_hostname=self._name,
        )
        connection.connect_ns = self._now_ns() - before_ns
        return connection

    def close(self) -> None:
        """Nothing is held beside the connections."""


class Http1Connection(Connection, asyncio.Protocol):
    """One connection."""

    __slots__ = ("_answer", "_moment_ns", "_reader", "_transport")

    def __init__(self, owner: ConnectionOwner, now_ns: Callable[[], int], answer: AnswerReader) -> None:
        super().__init__(owner, now_ns)
        self._answer = answer
        self._moment_ns = 0
        self._reader = ResponseReader(self._take_piece if answer.streams else None)

    def send(self, request: int, which: int, content: bytes) -> None:
        """See `Connection`."""
        self._answer.begin(which)
        self.begin(request, content)
        self._transport.write(content)

    def abort(self) -> None:
        """See `Connection`."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        moment_ns = self._moment_ns = self._now_ns()
        if self.received_bytes == 0:
            self.first_byte_ns = moment_ns
        self.received_bytes += len(data)
        try:
            responses = self._reader.feed(data)
        except MalformedResponseError:
            self._refuse(moment_ns)
            return
        if responses or self.request == NO_REQUEST:
            if len(responses) != 1 or self.request == NO_REQUEST:
                self._refuse(moment_ns)
            else:
                self._finish(responses[0], moment_ns)

    def eof_received(self) -> None:
        """See `asyncio.Protocol`; an idle connection must not be used in the moment before `connection_lost`."""
        if self.request == NO_REQUEST:
            self._owner.lost(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.done_ns = self._now_ns()
        response = self._reader.end() if exc is None and self.request != NO_REQUEST else None
        if response is not None:
            self._finish(response, self.done_ns)
        self._owner.lost(self)

    def _take_piece(self, data: bytes) -> None:
        self._answer.piece(data, self._moment_ns)

    def _finish(self, response: HttpResponse, moment_ns: int) -> None:
        self.done_ns = moment_ns
        self.has_answered = True
        try:
            answer = self._answer.read(response)
        except MalformedResponseError:
            self._refuse(moment_ns)
        else:
            self._owner.answered(self, answer)

    def _refuse(self, moment_ns: int) -> None:
        self.done_ns = moment_ns
        self._owner.malformed(self)
        self.abort()
