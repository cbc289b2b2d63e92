"""gRPC over HTTP/2, plain or TLS: unary calls, one in flight a connection.

What this does not know: calls that stream; several calls at once on a connection, as gRPC libraries send them, where
one call waits for the bytes of another. A load of n calls in flight here is a load from n clients.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from modeldyno.loadgen.access import Encryption, tls_context
from modeldyno.loadgen.readers.reader import AnswerReader
from modeldyno.loadgen.transports.connection import MOST_WORDS, NO_REQUEST, Connection, ConnectionOwner
from modeldyno.wire.errors import WireError
from modeldyno.wire.grpc_call import read_call
from modeldyno.wire.http1_response import HttpResponse, MalformedResponseError
from modeldyno.wire.http2_client import Http2Client, StreamReset
from modeldyno.wire.http2_frames import ErrorCode


class GrpcDialer:
    """Opens connections to one address.

    Args:
        address: host and port.
        encryption: None for plain TCP.
        make_reader: makes what reads the answers of one connection; given the code of the call as `status`.
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
        self._context = tls_context(encryption, protocols=("h2",)) if encryption is not None else None
        self._make_reader = make_reader
        self._now_ns = now_ns

    async def dial(self, owner: ConnectionOwner) -> Connection:
        """A new connection, after the TLS handshake if there is one, and after the server's HTTP/2 settings.

        gRPC libraries wait for the settings as well: before them it is not known that anybody speaks HTTP/2 there.

        Raises:
            OSError: it could not be opened, or the server does not speak HTTP/2.
        """
        before_ns = self._now_ns()
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: GrpcConnection(owner, self._now_ns, self._make_reader()),
            *self._address,
            ssl=self._context,
            server_hostname=self._name,
        )
        try:
            await connection.wait_ready()
        except BaseException:  # a time-out cancels the wait; nobody else knows of the connection
            connection.abort()
            raise
        connection.connect_ns = self._now_ns() - before_ns
        return connection

    def close(self) -> None:
        """Nothing is held beside the connections."""


class GrpcConnection(Connection, asyncio.Protocol):
    """One connection.

    `first_byte_ns` is when the headers of the answer were there: settings, pings and windows that come meanwhile are
    the connection's, not the answer's.
    """

    __slots__ = ("_client", "_is_owned", "_reader", "_settings", "_transport")

    def __init__(self, owner: ConnectionOwner, now_ns: Callable[[], int], reader: AnswerReader) -> None:
        super().__init__(owner, now_ns)
        self._client = Http2Client()
        self._reader = reader
        self._settings: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_owned = False

    async def wait_ready(self) -> None:
        """Return when the server's settings are there; from then on the owner is told what happens.

        Raises:
            OSError: they did not come.
        """
        await self._settings
        if self._transport.is_closing() or self._client.is_leaving:
            raise ConnectionAbortedError(self._client.goaway_reason or "the server left at once")
        self._is_owned = True

    def send(self, request: int, which: int, content: bytes) -> None:
        """See `Connection`; the content is of `wire.grpc_call.pack_call`."""
        self._reader.begin(which)
        frames = self._client.request(content)
        self.begin(request, frames)
        self._transport.write(frames)

    def abort(self) -> None:
        """See `Connection`."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport.write(self._client.start())

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        moment_ns = self._now_ns()
        client = self._client
        try:
            answer = client.feed(data)
        except MalformedResponseError as problem:
            self._break(moment_ns, problem)
            return
        outgoing = client.take_outgoing()
        if outgoing:
            self._transport.write(outgoing)
            self.sent_bytes += len(outgoing)
        if not self._is_owned:
            if client.is_ready and not self._settings.done():
                self._settings.set_result(None)
        elif self.request != NO_REQUEST:
            self._take(answer, len(data), moment_ns)
        elif client.is_leaving:  # it must not be used in the moment before `connection_lost`
            self._owner.lost(self)
            self.abort()

    def _take(self, answer: HttpResponse | StreamReset | None, size_bytes: int, moment_ns: int) -> None:
        client = self._client
        if client.is_leaving and isinstance(answer, StreamReset) and answer.code == ErrorCode.REFUSED_STREAM:
            # The server has not looked at the call (RFC 9113, section 6.8). gRPC libraries send it again without a
            # word; here it is lost with its connection, and the owner has one rule for all such calls.
            self.abort()
        elif answer is not None or client.headers is not None:
            if self.received_bytes == 0:
                self.first_byte_ns = moment_ns
            self.received_bytes += size_bytes
            if answer is not None:
                self._answered(answer, moment_ns)

    def eof_received(self) -> None:
        """See `asyncio.Protocol`; an idle connection must not be used in the moment before `connection_lost`."""
        if self._is_owned and self.request == NO_REQUEST:
            self._owner.lost(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if not self._is_owned:
            if not self._settings.done():
                why = "the server closed the connection before any HTTP/2 settings"
                self._settings.set_exception(exc if isinstance(exc, OSError) else ConnectionAbortedError(why))
            return
        self.done_ns = self._now_ns()
        self._owner.lost(self)

    def _answered(self, answer: HttpResponse | StreamReset, moment_ns: int) -> None:
        self.done_ns = moment_ns
        try:
            status, message = read_call(answer)
            headers = answer.headers if isinstance(answer, HttpResponse) else {}
            result = self._reader.read(HttpResponse(status.code, headers, message, not self._client.is_leaving))
            if status.message:
                result = result._replace(words=status.message.encode()[:MOST_WORDS])
        except (MalformedResponseError, WireError):
            self._owner.malformed(self)
            self.abort()
            return
        self.has_answered = True
        self._owner.answered(self, result)

    def _break(self, moment_ns: int, problem: MalformedResponseError) -> None:
        """The bytes are not of HTTP/2."""
        if self._is_owned:
            self.done_ns = moment_ns
            self._owner.malformed(self)
        elif not self._settings.done():
            self._settings.set_exception(ConnectionAbortedError(str(problem)))
        self.abort()
