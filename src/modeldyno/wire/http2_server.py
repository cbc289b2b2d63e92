"""The server's side of one HTTP/2 connection (RFC 9113): many streams at once, without a socket or a clock.

Frames that bring nothing forward cost patience, of which a client has a reserve that refills with time and with what
it takes of its answers: one rule against rapid resets (CVE-2023-44487), floods of PING, SETTINGS, PRIORITY,
WINDOW_UPDATE and empty DATA (CVE-2019-9511 to 9518) and of CONTINUATION (CVE-2024-27316). Not offered: push, and
priorities, which are ignored.
"""

from collections.abc import Callable
from typing import TypeAlias

from modeldyno.records.base import Record
from modeldyno.wire.header_block import Headers, RequestBlockReader
from modeldyno.wire.http1_response import MalformedResponseError
from modeldyno.wire.http2_frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    FIRST_WINDOW,
    LARGEST_PAYLOAD,
    LARGEST_STREAM,
    LARGEST_WINDOW,
    PADDED,
    PREFACE,
    ErrorCode,
    FrameReader,
    FrameSizeError,
    FrameType,
    Setting,
    format_frame,
    format_goaway,
    format_headers,
    format_reset,
    format_settings,
    format_window_update,
    parse_number,
    parse_settings,
    strip_padding,
    strip_priority,
)
from modeldyno.wire.http2_outbox import Outbox

_DATA = int(FrameType.DATA)
_HEADERS = int(FrameType.HEADERS)
_SETTINGS = int(FrameType.SETTINGS)
_CONTINUATION = int(FrameType.CONTINUATION)
_MOST_CONTINUATIONS = 16
_MOST_FORGOTTEN = 1024
_EARNED = 4
"""Patience won back by an answer: gRPC libraries send a PING and two WINDOW_UPDATEs for one at most."""
_EARNING_BYTES = 1024
"""Bytes of answers that win back one: a client widens its windows while it takes a large one."""

Part: TypeAlias = tuple[int, Headers | None, bytes | bytearray, bool]
"""Stream, its headers, its body or a piece of it, and whether that was all.

Headers of None: the client gave it up. Not all, although the body is not wanted in pieces: it is too large, and the
owner is to refuse it.
"""


class Http2Limits(Record, frozen=True, kw_only=True):
    """What one client may ask of a connection."""

    max_streams: int = 256
    """Requests at once; a further one is refused, and the client may send it again."""
    max_header_bytes: int = 32 * 1024
    """Of one request, compressed."""
    max_body_bytes: int = 64 * 10**6
    """Of one request."""
    max_pending_bytes: int = 2 * 64 * 10**6
    """Of all bodies that have not ended."""
    window_bytes: int = 1 << 22
    """How much may come on one stream before we read it."""
    connection_window_bytes: int = 1 << 24
    patience: int = 1000
    """Frames that bring nothing forward, at once."""
    patience_per_s: int = 200
    """How fast it comes back."""


class _BrokenError(Exception):
    """The connection cannot be used any further."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


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


class Http2Server:
    """What came, and what to send. Whatever `take_outgoing` gives is to be sent after every other call.

    Args:
        limits: of this connection.
        is_streamed: whether the body of a request with these headers is wanted in pieces, as it comes.
    """

    __slots__ = (
        "_block", "_block_flags", "_block_frames", "_block_stream", "_blocks", "_forgotten", "_frames",
        "_is_acknowledged", "_is_settled", "_is_streamed", "_last", "_limits", "_now_ns", "_on", "_outbox", "_parts",
        "_patience", "_patience_bytes", "_patience_ns", "_pending", "_preface", "_room", "_streams",
        "_unreturned", "fault", "is_leaving",
    )  # fmt: skip

    def __init__(self, limits: Http2Limits, *, is_streamed: Callable[[Headers], bool] = lambda _headers: False) -> None:
        self._limits = limits
        self._is_streamed = is_streamed
        self._frames = FrameReader()
        self._blocks = RequestBlockReader()
        self._outbox = Outbox()
        self._on: dict[int, Callable[[int, int, bytes], None]] = {
            _DATA: self._on_data,
            _HEADERS: self._on_headers,
            int(FrameType.PRIORITY): self._on_priority,
            int(FrameType.RST_STREAM): self._on_reset,
            _SETTINGS: self._on_settings,
            int(FrameType.PUSH_PROMISE): self._on_push_promise,
            int(FrameType.PING): self._on_ping,
            int(FrameType.GOAWAY): self._on_goaway,
            int(FrameType.WINDOW_UPDATE): self._on_window_update,
            _CONTINUATION: self._on_continuation,
        }
        self._preface = b""
        self._is_settled = False
        self._is_acknowledged = False
        self._streams: dict[int, _Stream] = {}
        self._forgotten: dict[int, None] = {}
        self._last = 0
        self._room = limits.connection_window_bytes
        self._unreturned = 0
        self._pending = 0
        self._block: bytes | None = None
        self._block_stream = self._block_flags = self._block_frames = 0
        self._parts: list[Part] = []
        self._patience = float(limits.patience)
        self._patience_ns = self._patience_bytes = self._now_ns = 0
        self.fault = ""
        """Why the connection cannot be used any further; empty while it can. The client is told by `take_outgoing`."""
        self.is_leaving = False
        """Whether no further request is looked at."""

    # What the owner calls.

    def start(self) -> bytes:
        """The first bytes of the connection."""
        limits = self._limits
        settings = {
            Setting.HEADER_TABLE_SIZE: 0,
            Setting.MAX_CONCURRENT_STREAMS: limits.max_streams,
            Setting.INITIAL_WINDOW_SIZE: limits.window_bytes,
            Setting.MAX_HEADER_LIST_SIZE: limits.max_header_bytes,
        }
        widened = format_window_update(0, limits.connection_window_bytes - FIRST_WINDOW)
        return format_settings(settings) + widened

    @property
    def is_idle(self) -> bool:
        """Whether no request is being read or answered."""
        return not self._streams and not self._outbox.waiting

    @property
    def is_quiet(self) -> bool:
        """Whether the client is between frames that belong together; before its first ones it is not."""
        return self._is_settled and self._block is None

    def feed(self, data: bytes, now_ns: int) -> list[Part]:
        """What `data` completes, in order. Look at `fault` afterwards."""
        self._now_ns = now_ns
        parts: list[Part] = []
        self._parts = parts
        if self.fault:
            return parts
        try:
            if len(self._preface) < len(PREFACE):
                data = self._take_preface(data)
            for kind, flags, stream, payload in self._frames.feed(data):
                if self._block is not None or not self._is_settled:
                    self._check_order(kind)
                handle = self._on.get(kind)
                if handle is None:  # RFC 9113, section 4.1
                    self._charge()
                else:
                    handle(flags, stream, payload)
        except _BrokenError as fault:
            self._fail(fault)
        except FrameSizeError as problem:
            self._fail(_BrokenError(ErrorCode.FRAME_SIZE_ERROR, str(problem)))
        except MalformedResponseError as problem:
            self._fail(_BrokenError(ErrorCode.PROTOCOL_ERROR, str(problem)))
        return parts

    def take_outgoing(self) -> bytes:
        """What is to be sent now; often nothing."""
        return self._outbox.take()

    def answer(self, stream: int, head: bytes, body: bytes, trailers: bytes) -> None:
        """Answer a request: header block, body, trailer block. Nothing happens if the client gave it up."""
        if stream in self._streams:
            self._outbox.send(stream, format_headers(stream, head), body, trailers, resets=self._end(stream))

    def refuse(self, stream: int, block: bytes) -> None:
        """Answer with headers alone; the rest of a request that has not ended is not read."""
        if stream in self._streams:
            self._outbox.send(stream, b"", b"", block, resets=self._end(stream))

    def begin(self, stream: int, head: bytes) -> None:
        """The header block of an answer that comes in pieces: then `send`, and `end`."""
        if stream in self._streams:
            self._outbox.push(format_headers(stream, head))

    def send(self, stream: int, piece: bytes) -> None:
        """A piece of the body of an answer."""
        if stream in self._streams:
            self._outbox.send(stream, b"", piece, None)
            self._patience += _EARNED

    def waiting_bytes(self, stream: int) -> int:
        """How much of an answer the client does not take yet."""
        return self._outbox.waiting_bytes(stream)

    def end(self, stream: int, trailers: bytes) -> None:
        """The trailer block of an answer that came in pieces."""
        if stream in self._streams:
            self._outbox.send(stream, b"", b"", trailers, resets=self._end(stream))

    def announce_leaving(self) -> None:
        """Tell the client to open no further stream; those that it has opened meanwhile are still answered."""
        self._outbox.push(format_goaway(LARGEST_STREAM, ErrorCode.NO_ERROR))

    def leave(self) -> None:
        """Look at no further request, and tell the client the last one, so that it can send others elsewhere."""
        if not self.is_leaving:
            self.is_leaving = True
            self._outbox.push(format_goaway(self._last, ErrorCode.NO_ERROR))

    def give_up(self, now_ns: int, limit_ns: int) -> list[int]:
        """Reset the streams whose request takes longer than this to arrive, or whose answer is not taken for so long.

        To be called from time to time; nothing may be in flight between `feed` and the use of its parts.

        Returns:
            Those of which a part was handed out already.
        """
        self._parts = []
        for number, stream in list(self._streams.items()):
            if not stream.has_ended and not stream.is_streamed and now_ns - stream.began_ns > limit_ns:
                self._abandon(number, ErrorCode.CANCEL)
        for number in self._outbox.stuck(now_ns, limit_ns):
            if number in self._streams:
                self._abandon(number, ErrorCode.CANCEL)
            else:
                self._drop_answer(number, ErrorCode.CANCEL)
        return [number for number, _, _, _ in self._parts]

    # Streams.

    def _end(self, number: int) -> bool:
        """The answer is whole; whether the client is to be told that the rest of its request is not wanted."""
        stream = self._streams.pop(number)
        self._patience += _EARNED
        if stream.has_ended:
            return False
        self._pending -= len(stream.body)
        self._forget(number)  # RFC 9113, section 8.1
        return True

    def _abandon(self, number: int, code: ErrorCode) -> None:
        """Reset a stream; the client may not have heard of it yet when it sends more."""
        stream = self._streams.pop(number)
        if not stream.has_ended:
            self._pending -= len(stream.body)
        self._drop_answer(number, code)
        self._forget(number)
        if stream.has_ended or stream.is_streamed:
            self._parts.append((number, None, b"", True))

    def _drop_answer(self, number: int, code: ErrorCode) -> None:
        self._outbox.drop(number)
        self._outbox.push(format_reset(number, code))

    def _forget(self, number: int) -> None:
        if len(self._forgotten) >= _MOST_FORGOTTEN:
            del self._forgotten[next(iter(self._forgotten))]
        self._forgotten[number] = None

    def _charge(self) -> None:
        """A frame that brings nothing forward."""
        limits, now_ns, sent_bytes = self._limits, self._now_ns, self._outbox.sent_bytes
        won_back = (now_ns - self._patience_ns) * limits.patience_per_s / 1e9
        won_back += (sent_bytes - self._patience_bytes) / _EARNING_BYTES
        self._patience_ns, self._patience_bytes = now_ns, sent_bytes
        self._patience = min(self._patience + won_back, limits.patience) - 1
        if self._patience < 0:
            raise _BrokenError(ErrorCode.ENHANCE_YOUR_CALM, "too many frames that bring nothing forward")

    def _fail(self, fault: _BrokenError) -> None:
        self.fault = fault.reason
        self.is_leaving = True
        self._outbox.push(format_goaway(self._last, fault.code, fault.reason))

    def _check_opened(self, stream: int, frame: str) -> None:
        if stream == 0 or stream > self._last or not stream & 1:
            raise _BrokenError(ErrorCode.PROTOCOL_ERROR, f"{frame} on stream {stream}, which nobody opened")

    # What comes, one method a type of frame.

    def _take_preface(self, data: bytes) -> bytes:
        missing = len(PREFACE) - len(self._preface)
        self._preface += data[:missing]
        if not PREFACE.startswith(self._preface):
            raise _BrokenError(ErrorCode.PROTOCOL_ERROR, "the client does not speak HTTP/2")
        return data[missing:]

    def _check_order(self, kind: int) -> None:
        if not self._is_settled and kind != _SETTINGS:
            raise _BrokenError(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS")
        if self._block is not None and kind != _CONTINUATION:
            raise _BrokenError(ErrorCode.PROTOCOL_ERROR, "a header block that is interrupted by another frame")

    def _on_data(self, flags: int, number: int, payload: bytes) -> None:
        size = len(payload)
        self._room -= size
        if self._room < 0:
            raise _BrokenError(ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the connection's window")
        self._unreturned += size
        if self._unreturned >= self._limits.connection_window_bytes // 2:
            self._outbox.push(format_window_update(0, self._unreturned))
            self._room += self._unreturned
            self._unreturned = 0
        stream = self._streams.get(number)
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
            self._parts.append((number, stream.headers, payload, stream.has_ended))
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
            self._parts.append((number, stream.headers, b"", False))
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
            self._streams.pop(number)
            self._outbox.push(format_reset(number, ErrorCode.PROTOCOL_ERROR))
        else:
            self._parts.append((number, stream.headers, body, True))

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

    def _on_headers(self, flags: int, stream: int, payload: bytes) -> None:
        block = strip_priority(flags, strip_padding(flags, payload))
        if flags & END_HEADERS:
            self._on_block(flags, stream, block)
            return
        self._check_size(block)
        self._block, self._block_stream, self._block_flags, self._block_frames = block, stream, flags, 0

    def _on_continuation(self, flags: int, stream: int, payload: bytes) -> None:
        if self._block is None or stream != self._block_stream:
            raise _BrokenError(ErrorCode.PROTOCOL_ERROR, "a CONTINUATION that continues nothing")
        block = self._block + payload
        self._check_size(block)
        self._block_frames += 1
        if self._block_frames > _MOST_CONTINUATIONS:
            raise _BrokenError(ErrorCode.ENHANCE_YOUR_CALM, f"more than {_MOST_CONTINUATIONS} CONTINUATION frames")
        self._block = block
        if flags & END_HEADERS:
            self._block = None
            self._on_block(self._block_flags, stream, block)

    def _check_size(self, block: bytes) -> None:
        if len(block) > self._limits.max_header_bytes:
            largest = self._limits.max_header_bytes
            raise _BrokenError(ErrorCode.ENHANCE_YOUR_CALM, f"a header block of more than {largest} bytes")

    def _on_block(self, flags: int, number: int, block: bytes) -> None:
        try:
            headers = self._blocks.decode(block)
        except MalformedResponseError as problem:
            raise _BrokenError(ErrorCode.COMPRESSION_ERROR, str(problem)) from problem
        if number > self._last and number & 1:
            self._open(flags, number, headers)
        elif number in self._streams:
            self._on_trailers(flags, number, headers)
        else:
            self._check_opened(number, "HEADERS")
            if number not in self._forgotten:
                raise _BrokenError(ErrorCode.STREAM_CLOSED, f"HEADERS on the closed stream {number}")

    def _open(self, flags: int, number: int, headers: Headers | None) -> None:
        if self.is_leaving:  # the client was told, and may send it elsewhere
            return
        self._last = number
        if headers is None or b":method" not in headers:
            self._turn_away(number, ErrorCode.PROTOCOL_ERROR)
        elif len(self._streams) + self._outbox.waiting >= self._limits.max_streams:
            self._turn_away(number, ErrorCode.REFUSED_STREAM)
        else:
            stream = _Stream(headers, self._limits.window_bytes, self._now_ns, is_streamed=self._is_streamed(headers))
            self._streams[number] = stream
            if flags & END_STREAM:
                self._complete(number, stream)
            elif stream.is_streamed:
                self._parts.append((number, headers, b"", False))

    def _turn_away(self, number: int, code: ErrorCode) -> None:
        self._charge()
        self._outbox.push(format_reset(number, code))
        self._forget(number)

    def _on_trailers(self, flags: int, number: int, headers: Headers | None) -> None:
        stream = self._streams[number]
        if stream.has_ended:
            self._abandon(number, ErrorCode.STREAM_CLOSED)
        elif not flags & END_STREAM or headers is None or b":method" in headers:
            self._abandon(number, ErrorCode.PROTOCOL_ERROR)
        elif stream.is_streamed:
            stream.has_ended = True
            self._parts.append((number, stream.headers, b"", True))
        elif not stream.is_cut:
            self._complete(number, stream)

    def _on_priority(self, flags: int, stream: int, payload: bytes) -> None:  # noqa: ARG002 - all handlers are called alike
        if not stream:
            raise _BrokenError(ErrorCode.PROTOCOL_ERROR, "PRIORITY on stream 0")
        if len(payload) != 5:
            raise FrameSizeError(f"a PRIORITY of {len(payload)} bytes")
        self._charge()

    def _on_reset(self, flags: int, number: int, payload: bytes) -> None:  # noqa: ARG002 - as above
        self._check_opened(number, "RST_STREAM")
        parse_number(payload)
        self._charge()
        self._outbox.drop(number)
        stream = self._streams.pop(number, None)
        if stream is not None:
            if not stream.has_ended:
                self._pending -= len(stream.body)
            if stream.has_ended or stream.is_streamed:
                self._parts.append((number, None, b"", True))

    def _on_settings(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise _BrokenError(ErrorCode.PROTOCOL_ERROR, f"SETTINGS on stream {stream}")
        if flags & ACK:
            if payload:
                raise FrameSizeError("an acknowledgement of SETTINGS with content")
            if self._is_settled and not self._is_acknowledged:
                self._is_acknowledged = True
                self._blocks.acknowledge()
            else:
                self._charge()
            return
        for name, value in parse_settings(payload):
            self._obey(name, value)
        if self._is_settled:
            self._charge()
        self._is_settled = True
        self._outbox.push(format_frame(FrameType.SETTINGS, ACK, 0, b""))

    def _obey(self, name: int, value: int) -> None:
        if name == Setting.INITIAL_WINDOW_SIZE:
            if value > LARGEST_WINDOW or not self._outbox.resize(value):
                raise _BrokenError(ErrorCode.FLOW_CONTROL_ERROR, f"a window of {value} bytes")
        elif (name == Setting.MAX_FRAME_SIZE and not LARGEST_PAYLOAD <= value < 1 << 24) or (
            name == Setting.ENABLE_PUSH and value > 1
        ):
            raise _BrokenError(ErrorCode.PROTOCOL_ERROR, f"the setting {Setting(name).name} with the value {value}")

    def _on_push_promise(self, flags: int, stream: int, payload: bytes) -> None:  # noqa: ARG002 - as above
        raise _BrokenError(ErrorCode.PROTOCOL_ERROR, "a push from a client")

    def _on_ping(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise _BrokenError(ErrorCode.PROTOCOL_ERROR, f"PING on stream {stream}")
        if len(payload) != 8:
            raise FrameSizeError(f"a PING of {len(payload)} bytes")
        self._charge()
        if not flags & ACK:
            self._outbox.push(format_frame(FrameType.PING, ACK, 0, payload))

    def _on_goaway(self, flags: int, stream: int, payload: bytes) -> None:  # noqa: ARG002 - as above
        if stream:
            raise _BrokenError(ErrorCode.PROTOCOL_ERROR, f"GOAWAY on stream {stream}")
        if len(payload) < 8:
            raise FrameSizeError(f"a GOAWAY of {len(payload)} bytes")
        self._charge()  # we open no streams, so that it says nothing to us; the client closes when it has its answers

    def _on_window_update(self, flags: int, number: int, payload: bytes) -> None:  # noqa: ARG002 - as above
        increment = parse_number(payload) & LARGEST_WINDOW
        self._charge()
        if number:
            self._check_opened(number, "WINDOW_UPDATE")
            self._widen(number, increment)
        elif not increment:
            raise _BrokenError(ErrorCode.PROTOCOL_ERROR, "a WINDOW_UPDATE by nothing")
        elif not self._outbox.widen(0, increment):
            raise _BrokenError(ErrorCode.FLOW_CONTROL_ERROR, "a window of more than 2^31 - 1 bytes")

    def _widen(self, number: int, increment: int) -> None:
        is_open = number in self._streams
        if not is_open and not self._outbox.has(number):
            return  # it has ended
        if increment and self._outbox.widen(number, increment):
            return
        code = ErrorCode.FLOW_CONTROL_ERROR if increment else ErrorCode.PROTOCOL_ERROR
        if is_open:
            self._abandon(number, code)
        else:
            self._drop_answer(number, code)
