"""The requests of one HTTP/2 connection (RFC 9113, section 5): each from its first frame until its answer is whole."""

from collections.abc import Callable
from typing import TypeAlias

from modeldyno.wire.header_block import Headers, RequestBlockReader
from modeldyno.wire.http1_response import MalformedResponseError
from modeldyno.wire.http2_frames import (
    END_STREAM,
    LARGEST_WINDOW,
    PADDED,
    ErrorCode,
    format_reset,
    format_window_update,
    parse_number,
    strip_padding,
)
from modeldyno.wire.http2_limits import EARNED, BrokenConnectionError, Http2Limits, Patience
from modeldyno.wire.http2_outbox import Outbox

_MOST_FORGOTTEN = 1024

Part: TypeAlias = tuple[int, Headers | None, bytes | bytearray, bool]
"""Stream, its headers, its body or a piece of it, and whether that was all.

Headers of None: the client gave it up. Not all, although the body is not wanted in pieces: it is too large, and the
owner is to refuse it.
"""


class _Stream:
    """A request on its way in, or being answered."""

    __slots__ = ("began_ns", "body", "has_ended", "headers", "is_cut", "is_streamed", "room", "unreturned")

    def __init__(self, headers: Headers, room: int, began_ns: int, *, is_streamed: bool) -> None:
        self.headers = headers
        self.body: bytes | bytearray = b""
        self.room = room
        """Bytes that the client may still send."""
        self.unreturned = 0
        """Bytes read, for which no WINDOW_UPDATE was sent."""
        self.has_ended = False
        self.is_cut = False
        """Whether it is too large, and no more of it is kept."""
        self.is_streamed = is_streamed
        self.began_ns = began_ns


class Streams:
    """Makes `parts` of the frames of streams, and keeps the client's side of flow control.

    It is one class of this length since every request goes through most of it: each object more that a request's
    frames passed on their way would cost every request a call.

    Args:
        limits: of the connection.
        outbox: of the connection.
        blocks: decodes headers.
        patience: charged for what brings nothing forward.
        is_streamed: whether the body of a request with these headers is wanted in pieces, as it comes.
    """

    __slots__ = (
        "_blocks", "_charge", "_forgotten", "_is_streamed", "_limits", "_outbox", "_patience", "_pending", "_room",
        "_unreturned", "is_shut", "last", "open", "parts",
    )  # fmt: skip

    def __init__(
        self,
        limits: Http2Limits,
        outbox: Outbox,
        blocks: RequestBlockReader,
        patience: Patience,
        *,
        is_streamed: Callable[[Headers], bool],
    ) -> None:
        self._limits = limits
        self._outbox = outbox
        self._blocks = blocks
        self._patience = patience
        self._charge = patience.charge
        self._is_streamed = is_streamed
        self._forgotten: dict[int, None] = {}
        self._room = limits.connection_window_bytes
        self._unreturned = 0
        self._pending = 0
        self.open: dict[int, _Stream] = {}
        """By number; always the same dictionary, so that others may hold on to it."""
        self.last = 0
        """The highest number that was looked at."""
        self.parts: list[Part] = []
        """Where the owner wants to have what is completed."""
        self.is_shut = False
        """Whether no further request is looked at."""

    # Ends.

    def end(self, number: int) -> bool:
        """The answer is whole; whether the client is to be told that the rest of its request is not wanted."""
        stream = self.open.pop(number)
        self._patience.left += EARNED
        if stream.has_ended:
            return False
        self._pending -= len(stream.body)
        self._forget(number)  # RFC 9113, section 8.1
        return True

    def give_up(self, now_ns: int, limit_ns: int) -> None:
        """Reset those whose request takes longer than this to arrive, or whose answer is not taken for so long."""
        for number, stream in list(self.open.items()):
            if not stream.has_ended and not stream.is_streamed and now_ns - stream.began_ns > limit_ns:
                self._abandon(number, ErrorCode.CANCEL)
        for number in self._outbox.stuck(now_ns, limit_ns):
            if number in self.open:
                self._abandon(number, ErrorCode.CANCEL)
            else:
                self._drop_answer(number, ErrorCode.CANCEL)

    def _abandon(self, number: int, code: ErrorCode) -> None:
        """Reset a stream; the client may not have heard of it yet when it sends more."""
        stream = self.open.pop(number)
        if not stream.has_ended:
            self._pending -= len(stream.body)
        self._drop_answer(number, code)
        self._forget(number)
        if stream.has_ended or stream.is_streamed:
            self.parts.append((number, None, b"", True))

    def _drop_answer(self, number: int, code: ErrorCode) -> None:
        self._outbox.drop(number)
        self._outbox.push(format_reset(number, code))

    def _forget(self, number: int) -> None:
        if len(self._forgotten) >= _MOST_FORGOTTEN:
            del self._forgotten[next(iter(self._forgotten))]
        self._forgotten[number] = None

    def _check_opened(self, stream: int, frame: str) -> None:
        if stream == 0 or stream > self.last or not stream & 1:
            raise BrokenConnectionError(ErrorCode.PROTOCOL_ERROR, f"{frame} on stream {stream}, which nobody opened")

    # Headers.

    def on_block(self, flags: int, number: int, block: bytes) -> None:
        """A whole header block: a request, or trailers."""
        try:
            headers = self._blocks.decode(block)
        except MalformedResponseError as problem:
            raise BrokenConnectionError(ErrorCode.COMPRESSION_ERROR, str(problem)) from problem
        if number > self.last and number & 1:
            self._open(flags, number, headers)
        elif number in self.open:
            self._on_trailers(flags, number, headers)
        else:
            self._check_opened(number, "HEADERS")
            if number not in self._forgotten:
                raise BrokenConnectionError(ErrorCode.STREAM_CLOSED, f"HEADERS on the closed stream {number}")

    def _open(self, flags: int, number: int, headers: Headers | None) -> None:
        if self.is_shut:  # the client was told, and may send it elsewhere
            return
        self.last = number
        if headers is None or b":method" not in headers:
            self._turn_away(number, ErrorCode.PROTOCOL_ERROR)
        elif len(self.open) + self._outbox.waiting >= self._limits.max_streams:
            self._turn_away(number, ErrorCode.REFUSED_STREAM)
        else:
            stream = _Stream(
                headers, self._limits.window_bytes, self._patience.now_ns, is_streamed=self._is_streamed(headers)
            )
            self.open[number] = stream
            if flags & END_STREAM:
                self._complete(number, stream)
            elif stream.is_streamed:
                self.parts.append((number, headers, b"", False))

    def _turn_away(self, number: int, code: ErrorCode) -> None:
        self._charge()
        self._outbox.push(format_reset(number, code))
        self._forget(number)

    def _on_trailers(self, flags: int, number: int, headers: Headers | None) -> None:
        stream = self.open[number]
        if stream.has_ended:
            self._abandon(number, ErrorCode.STREAM_CLOSED)
        elif not flags & END_STREAM or headers is None or b":method" in headers:
            self._abandon(number, ErrorCode.PROTOCOL_ERROR)
        elif stream.is_streamed:
            stream.has_ended = True
            self.parts.append((number, stream.headers, b"", True))
        elif not stream.is_cut:
            self._complete(number, stream)

    # Bodies.

    def on_data(self, flags: int, number: int, payload: bytes) -> None:
        """DATA."""
        size = len(payload)
        self._room -= size
        if self._room < 0:
            raise BrokenConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the connection's window")
        self._unreturned += size
        if self._unreturned >= self._limits.connection_window_bytes // 2:
            self._outbox.push(format_window_update(0, self._unreturned))
            self._room += self._unreturned
            self._unreturned = 0
        stream = self.open.get(number)
        if stream is None or stream.has_ended:
            self._on_late_data(number, stream)
            return
        if stream.is_cut:
            return
        if flags & PADDED:  # most frames have no padding, and this is called for each
            payload = strip_padding(flags, payload)
        if not payload and not flags & END_STREAM:
            self._charge()
        stream.room -= size
        if stream.room < 0:
            self._abandon(number, ErrorCode.FLOW_CONTROL_ERROR)
        elif stream.is_streamed:
            stream.has_ended = bool(flags & END_STREAM)
            self.parts.append((number, stream.headers, payload, stream.has_ended))
            self._return_window(number, stream, size)
        else:
            self._collect(flags, number, stream, payload, size)

    def _collect(self, flags: int, number: int, stream: _Stream, payload: bytes, size: int) -> None:
        if stream.body:
            if isinstance(stream.body, bytes):
                # Not a list of pieces: a body of one-byte frames must not cost an object a byte.
                stream.body = bytearray(stream.body)
            stream.body += payload
        else:
            stream.body = payload
        self._pending += len(payload)
        limits = self._limits
        if len(stream.body) > limits.max_body_bytes or self._pending > limits.max_pending_bytes:
            self._pending -= len(stream.body)
            stream.body, stream.is_cut = b"", True
            self.parts.append((number, stream.headers, b"", False))
        elif flags & END_STREAM:
            self._complete(number, stream)
        else:
            self._return_window(number, stream, size)

    def _complete(self, number: int, stream: _Stream) -> None:
        stream.has_ended = True
        body, stream.body = stream.body, b""
        self._pending -= len(body)
        length = stream.headers.get(b"content-length")
        if length is not None and length != b"%d" % len(body):
            self.open.pop(number)
            self._outbox.push(format_reset(number, ErrorCode.PROTOCOL_ERROR))
        else:
            self.parts.append((number, stream.headers, body, True))

    def _return_window(self, number: int, stream: _Stream, size: int) -> None:
        stream.unreturned += size
        if stream.unreturned >= self._limits.window_bytes // 2 and not stream.has_ended:
            self._outbox.push(format_window_update(number, stream.unreturned))
            stream.room += stream.unreturned
            stream.unreturned = 0

    def _on_late_data(self, number: int, stream: _Stream | None) -> None:
        self._check_opened(number, "DATA")
        self._charge()
        if stream is not None:
            self._abandon(number, ErrorCode.STREAM_CLOSED)
        elif number not in self._forgotten:
            self._outbox.push(format_reset(number, ErrorCode.STREAM_CLOSED))

    # Resets and windows.

    def on_reset(self, flags: int, number: int, payload: bytes) -> None:  # noqa: ARG002 - all handlers are called alike
        """RST_STREAM: the client gives a request up."""
        self._check_opened(number, "RST_STREAM")
        parse_number(payload)
        self._charge()
        self._outbox.drop(number)
        stream = self.open.pop(number, None)
        if stream is not None:
            if not stream.has_ended:
                self._pending -= len(stream.body)
            if stream.has_ended or stream.is_streamed:
                self.parts.append((number, None, b"", True))

    def on_window_update(self, flags: int, number: int, payload: bytes) -> None:  # noqa: ARG002 - as above
        """WINDOW_UPDATE, of a stream or of the connection."""
        increment = parse_number(payload) & LARGEST_WINDOW
        self._charge()
        if number:
            self._check_opened(number, "WINDOW_UPDATE")
            self._widen(number, increment)
        elif not increment:
            raise BrokenConnectionError(ErrorCode.PROTOCOL_ERROR, "a WINDOW_UPDATE by nothing")
        elif not self._outbox.widen(0, increment):
            raise BrokenConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "a window of more than 2^31 - 1 bytes")

    def _widen(self, number: int, increment: int) -> None:
        is_open = number in self.open
        if not is_open and not self._outbox.has(number):
            return  # it has ended
        if increment and self._outbox.widen(number, increment):
            return
        code = ErrorCode.FLOW_CONTROL_ERROR if increment else ErrorCode.PROTOCOL_ERROR
        if is_open:
            self._abandon(number, code)
        else:
            self._drop_answer(number, code)
