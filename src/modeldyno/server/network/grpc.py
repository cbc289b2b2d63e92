"""gRPC over HTTP/2 over TCP, on the loop of the HTTP listener and with the same router behind it."""

import asyncio
import logging
import socket
from functools import cached_property
from typing import cast

from modeldyno.records.grpc_status import GrpcStatus
from modeldyno.server.exchange import Exchange
from modeldyno.server.network.grpc_exchange import DocumentExchange, InferExchange, StreamedExchange
from modeldyno.server.network.listening import ConnectionListener
from modeldyno.wire.errors import WireError
from modeldyno.wire.grpc_answer import (
    HEAD,
    NO_GRPC,
    OK,
    CallError,
    MessageReader,
    code_of,
    failure,
    failure_trailers,
    is_grpc,
    timeout_ns,
    unwrap,
    wrap,
)
from modeldyno.wire.header_block import Headers
from modeldyno.wire.http1_request import HttpRequest
from modeldyno.wire.http2_limits import Http2Limits
from modeldyno.wire.http2_server import Http2Server
from modeldyno.wire.v2_grpc_infer import AnswerTranslator, HttpInfer, InferTranslator, stream_error
from modeldyno.wire.v2_grpc_methods import INFER, METHODS, STREAM_INFER
from modeldyno.wire.v2_tensors import Buffer

_LOG = logging.getLogger("modeldyno.server")
_LINGER_NS = 10**9
_FAULT = "a fault of the server; its log says more"
_PREFIX_BYTES = 5
_CREDENTIALS = (b"authorization", b"x-api-key")


class GrpcListener(ConnectionListener):
    """Accepts connections of gRPC."""

    linger_ns = _LINGER_NS

    @cached_property
    def limits(self) -> Http2Limits:
        """What a client may send."""
        largest = self.settings.max_body_bytes
        return Http2Limits(max_body_bytes=largest + _PREFIX_BYTES, max_pending_bytes=2 * largest)

    def connect(self) -> "GrpcConnection":
        """See `ConnectionListener`."""
        return GrpcConnection(self)


class _StreamedCall:
    """A `ModelStreamInfer` that goes on."""

    __slots__ = ("exchanges", "has_begun", "has_ended", "is_reading", "messages")

    def __init__(self, messages: MessageReader) -> None:
        self.messages = messages
        self.exchanges: set[Exchange] = set()
        """Its requests on their way."""
        self.has_begun = False
        self.has_ended = False
        """Whether the client asks nothing more."""
        self.is_reading = False
        """Whether messages that came are still to be looked at."""


class GrpcConnection(asyncio.Protocol):
    """One client: calls in, answers out in the order in which they are there."""

    def __init__(self, listener: GrpcListener) -> None:
        assert listener.router is not None  # noqa: S101 - connections are made by `listen`, which sets it
        self._listener = listener
        self._router = listener.router
        self._clock = listener.clock
        self._settings = listener.settings
        self._http = Http2Server(listener.limits, is_streamed=_is_streamed)
        self._requests = InferTranslator()
        self._answers = AnswerTranslator()
        self._transport: asyncio.Transport | None = None
        self._exchanges: dict[int, Exchange] = {}
        self._streamed: dict[int, _StreamedCall] = {}
        self._is_feeding = False
        self._unquiet_ns: int | None = None
        self._idle_ns: int | None = None
        self._blocked_ns: int | None = None
        """Since when the client takes too little of its answers."""
        self._leaving_ns: int | None = None
        """Since when only the client's end is awaited."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        # A cast, since uvloop's transports are none of asyncio's.
        self._transport = transport = cast("asyncio.Transport", transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener = self._listener
        is_full = len(listener.connections) >= self._settings.max_connections
        listener.connections.add(self)
        transport.write(self._http.start())
        if is_full or listener.is_draining:
            self.leave()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the name is asyncio's
        """See `asyncio.Protocol`: what was asked on this connection is abandoned."""
        self._transport = None
        for exchange in self._exchanges.values():
            exchange.abandon()
        self._exchanges.clear()
        for number in list(self._streamed):
            self._abandon(number)
        self._listener.forget(self)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        now_ns = self._clock.now_ns()
        self._is_feeding = True
        try:
            for stream, headers, body, is_last in self._http.feed(data, now_ns):
                if headers is None:
                    self._abandon(stream)
                else:
                    self._take(stream, headers, body, now_ns, is_last=is_last)
        finally:
            self._is_feeding = False
            self.flush()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`: the client does not read its answers, so it gets to ask nothing more."""
        self._blocked_ns = self._clock.now_ns()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._blocked_ns = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # The outlet of exchanges.

    def must_close(self) -> bool:
        """See `GrpcOutlet`."""
        return False

    def flush(self) -> None:
        """Write what there is, and close behind the last answer."""
        if self._transport is None or self._is_feeding:
            return
        outgoing = self._http.take_outgoing()
        if outgoing:
            self._transport.write(outgoing)
        if self._leaving_ns is None and self._http.is_leaving and (self._http.fault or self._http.is_idle):
            # The client closes; if we did, bytes that it has sent meanwhile would reset our last answer away.
            self._leaving_ns = self._clock.now_ns()

    def answer(self, stream: int, parts: list[Buffer], trailers: bytes) -> None:
        """See `GrpcOutlet`."""
        self._exchanges.pop(stream, None)
        self._http.answer(stream, HEAD, wrap(parts), trailers)
        self.flush()

    def fail(self, stream: int, code: GrpcStatus, message: str, retry_after_s: int | None = None) -> None:
        """See `GrpcOutlet`."""
        self._exchanges.pop(stream, None)
        self._http.refuse(stream, failure(code, message, retry_after_s=retry_after_s))
        self.flush()

    def answer_piece(self, exchange: Exchange, stream: int, parts: list[Buffer]) -> None:
        """See `GrpcOutlet`."""
        call = self._streamed.get(stream)
        if call is None:
            return
        call.exchanges.discard(exchange)
        self._begin(stream, call)
        self._http.send(stream, wrap(parts))
        if self._http.waiting_bytes(stream) > self._settings.max_body_bytes:
            self._break_off(stream, call, GrpcStatus.RESOURCE_EXHAUSTED, "the client does not take its answers")
        self._end_if_done(stream, call)
        self.flush()

    # Calls.

    def _take(self, stream: int, headers: Headers, body: bytes | bytearray, now_ns: int, *, is_last: bool) -> None:
        path = headers[b":path"]
        try:
            if not is_grpc(headers):
                self._http.refuse(stream, NO_GRPC)
            elif path == STREAM_INFER:
                self._stream(stream, headers, body, now_ns, is_last=is_last)
            elif not is_last:
                limit = self._settings.max_body_bytes
                self.fail(stream, GrpcStatus.RESOURCE_EXHAUSTED, f"a message of more than the {limit} bytes allowed")
            elif path == INFER:
                message = unwrap(body, headers, self._settings.max_body_bytes)
                self._infer(stream, headers, message, now_ns)
            else:
                self._ask(stream, headers, body, now_ns)
        except CallError as problem:
            self.fail(stream, problem.code, problem.message)
        except WireError as problem:
            self.fail(stream, code_of(problem.status), problem.message)
        except Exception:  # noqa: BLE001 - one call must not take the others of its connection with it
            _LOG.exception("a fault of the server on %r", path)
            call = self._streamed.get(stream)
            if call is None:
                self.fail(stream, GrpcStatus.INTERNAL, _FAULT)
            else:
                self._break_off(stream, call, GrpcStatus.INTERNAL, _FAULT)

    def _infer(self, stream: int, headers: Headers, message: Buffer, now_ns: int) -> None:
        asked = self._requests.translate(message)
        exchange = InferExchange(
            self,
            stream,
            self._answers,
            identity=asked.id,
            is_raw=asked.is_raw,
            started_ns=now_ns,
            with_timing=self._settings.server_timing,
        )
        waits_ns = timeout_ns(headers)
        if waits_ns is not None:
            exchange.deadline_ns = now_ns + waits_ns
        self._exchanges[stream] = exchange
        self._router.handle(_infer_request(headers, asked), exchange)

    def _ask(self, stream: int, headers: Headers, body: bytes | bytearray, now_ns: int) -> None:
        path = headers[b":path"]
        method = METHODS.get(path)
        if method is None:
            raise CallError(GrpcStatus.UNIMPLEMENTED, f"the method {path.decode('latin-1')!r} is not offered")
        question = method.ask(bytes(unwrap(body, headers, self._settings.max_body_bytes)))
        exchange = DocumentExchange(self, stream, method, started_ns=now_ns)
        self._exchanges[stream] = exchange
        request = HttpRequest(question.method, question.target, _credentials(headers), question.body, keep_alive=True)
        self._router.handle(request, exchange)

    def _abandon(self, stream: int) -> None:
        """The client gave the call up."""
        exchange = self._exchanges.pop(stream, None)
        if exchange is not None:
            exchange.abandon()
        call = self._streamed.pop(stream, None)
        if call is not None:
            for one in call.exchanges:
                one.abandon()

    # Calls that stream.

    def _stream(self, stream: int, headers: Headers, piece: bytes | bytearray, now_ns: int, *, is_last: bool) -> None:
        call = self._streamed.get(stream)
        if call is None:
            call = self._streamed[stream] = _StreamedCall(MessageReader(headers, self._settings.max_body_bytes))
        call.messages.feed(piece)
        call.is_reading = True  # an answer that comes at once must not end the call before its other messages
        try:
            while (message := call.messages.take()) is not None:
                self._infer_streamed(stream, call, headers, message, now_ns)
        except CallError as problem:
            self._break_off(stream, call, problem.code, problem.message)
            return
        call.is_reading, call.has_ended = False, is_last
        if is_last and call.messages.pending_bytes:
            self._break_off(stream, call, GrpcStatus.INTERNAL, "the stream ends within a message")
        elif self._pending_bytes() > self._listener.limits.max_pending_bytes:
            self._break_off(stream, call, GrpcStatus.RESOURCE_EXHAUSTED, "too many large messages at once")
        else:
            self._end_if_done(stream, call)

    def _pending_bytes(self) -> int:
        return sum(call.messages.pending_bytes for call in self._streamed.values())

    def _infer_streamed(self, stream: int, call: _StreamedCall, headers: Headers, message: Buffer, now_ns: int) -> None:
        limit = self._listener.limits.max_streams
        if len(call.exchanges) >= limit:
            raise CallError(GrpcStatus.RESOURCE_EXHAUSTED, f"more than {limit} requests at once on one stream")
        try:
            asked = self._requests.translate(message)
        except WireError as problem:  # of this request; the stream goes on
            self._begin(stream, call)
            self._http.send(stream, wrap([stream_error(problem.message)]))
            return
        exchange = StreamedExchange(
            self,
            stream,
            self._answers,
            identity=asked.id,
            is_raw=asked.is_raw,
            started_ns=now_ns,
        )
        call.exchanges.add(exchange)
        self._router.handle(_infer_request(headers, asked), exchange)

    def _begin(self, stream: int, call: _StreamedCall) -> None:
        if not call.has_begun:
            call.has_begun = True
            self._http.begin(stream, HEAD)

    def _end_if_done(self, stream: int, call: _StreamedCall) -> None:
        if call.exchanges or call.is_reading or stream not in self._streamed:
            return
        if call.has_ended:
            del self._streamed[stream]
            self._begin(stream, call)
            self._http.end(stream, OK)
        elif self._http.is_leaving:
            self._break_off(stream, call, GrpcStatus.UNAVAILABLE, "the server is shutting down")

    def _break_off(self, stream: int, call: _StreamedCall, code: GrpcStatus, message: str) -> None:
        self._abandon(stream)
        if call.has_begun:
            self._http.end(stream, failure_trailers(code, message))
        else:
            self._http.refuse(stream, failure(code, message))

    # The end.

    def announce_leaving(self) -> None:
        """Tell the client to begin nothing more here."""
        self._http.announce_leaving()
        self.flush()

    def leave(self) -> None:
        """Look at nothing that is not begun, and close when all is answered."""
        self._http.leave()
        for stream, call in list(self._streamed.items()):
            self._end_if_done(stream, call)
        self.flush()

    def abort(self) -> None:
        """Close at once, whatever is on its way."""
        if self._transport is not None:
            self._transport.abort()

    def check_time(self, now_ns: int) -> None:
        """End what takes the client too long."""
        limit_ns, http = self._settings.read_timeout_ns, self._http
        if self._leaving_ns is not None:
            if now_ns - self._leaving_ns > _LINGER_NS and self._transport is not None:
                if self._transport.is_closing():  # the client does not take what it was sent
                    self._transport.abort()
                else:
                    self._transport.close()
                self._leaving_ns = now_ns
            return
        self._unquiet_ns = None if http.is_quiet else self._unquiet_ns or now_ns
        since_ns = self._blocked_ns or self._unquiet_ns
        if since_ns is not None and now_ns - since_ns > limit_ns:
            self.abort()
            return
        for stream in http.give_up(now_ns, limit_ns):
            self._abandon(stream)
        self._idle_ns = (self._idle_ns or now_ns) if http.is_idle else None
        if self._idle_ns is not None and now_ns - self._idle_ns > self._settings.idle_timeout_ns:
            http.leave()
        self.flush()


def _is_streamed(headers: Headers) -> bool:
    return headers[b":path"] == STREAM_INFER


def _infer_request(headers: Headers, asked: HttpInfer) -> HttpRequest:
    """The request in the HTTP form."""
    length = {b"inference-header-content-length": b"%d" % asked.header_length}
    return HttpRequest(b"POST", asked.target, _credentials(headers) | length, asked.body, keep_alive=True)


def _credentials(headers: Headers) -> Headers:
    """Keys that came as metadata. Nothing else: what describes an HTTP body says nothing of ours."""
    return {name: headers[name] for name in _CREDENTIALS if name in headers}
