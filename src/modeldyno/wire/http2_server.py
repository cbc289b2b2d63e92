"""The server's side of one HTTP/2 connection (RFC 9113): many streams at once, without a socket or a clock.

Not offered: push, and priorities, which are ignored.
"""

from collections.abc import Callable

from modeldyno.wire.header_block import Headers, RequestBlockReader
from modeldyno.wire.http1_response import MalformedResponseError
from modeldyno.wire.http2_control import Control
from modeldyno.wire.http2_frames import (
    ACK,
    END_HEADERS,
    FIRST_WINDOW,
    LARGEST_STREAM,
    PREFACE,
    ErrorCode,
    FrameReader,
    FrameSizeError,
    FrameType,
    Setting,
    format_goaway,
    format_headers,
    format_settings,
    format_window_update,
    strip_padding,
    strip_priority,
)
from modeldyno.wire.http2_limits import EARNED, BrokenConnectionError, Http2Limits, Patience
from modeldyno.wire.http2_outbox import Outbox
from modeldyno.wire.http2_streams import Part, Streams

_SETTINGS = int(FrameType.SETTINGS)
_CONTINUATION = int(FrameType.CONTINUATION)
_MOST_CONTINUATIONS = 16


class Http2Server:
    """What came, and what to send. Whatever `take_outgoing` gives is to be sent after every other call.

    Args:
        limits: of this connection.
        is_streamed: whether the body of a request with these headers is wanted in pieces, as it comes.
    """

    __slots__ = (
        "_awaited", "_block", "_block_flags", "_block_frames", "_block_stream", "_end", "_frames", "_limits", "_on",
        "_on_block", "_open", "_outbox", "_patience", "_preface", "_streams", "fault", "is_leaving",
    )  # fmt: skip

    def __init__(self, limits: Http2Limits, *, is_streamed: Callable[[Headers], bool] = lambda _headers: False) -> None:
        self._limits = limits
        self._frames = FrameReader()
        self._outbox = Outbox()
        self._patience = Patience(limits, self._outbox)
        blocks = RequestBlockReader()
        self._streams = Streams(limits, self._outbox, blocks, self._patience, is_streamed=is_streamed)
        # Held here too, since every answer needs them.
        self._open, self._end, self._on_block = self._streams.open, self._streams.end, self._streams.on_block
        self._on = self._handlers(Control(self._outbox, blocks, self._patience))
        self._preface: bytes | None = b""
        """What came of it; None once it is whole."""
        self._awaited: int | None = _SETTINGS
        """The only type of frame that may come now, where only one may."""
        self._block = b""
        self._block_stream = self._block_flags = self._block_frames = 0
        self.fault = ""
        """Why the connection cannot be used any further; empty while it can. The client is told by `take_outgoing`."""
        self.is_leaving = False
        """Whether no further request is looked at."""

    def _handlers(self, control: Control) -> dict[int, Callable[[int, int, bytes], None]]:
        streams = self._streams

        def on_first_settings(flags: int, stream: int, payload: bytes) -> None:
            control.on_settings(flags, stream, payload)
            if not flags & ACK:
                self._awaited = None
                self._on[_SETTINGS] = control.on_settings

        return {
            int(FrameType.DATA): streams.on_data,
            int(FrameType.HEADERS): self._on_headers,
            int(FrameType.PRIORITY): control.on_priority,
            int(FrameType.RST_STREAM): streams.on_reset,
            _SETTINGS: on_first_settings,
            int(FrameType.PUSH_PROMISE): control.on_push_promise,
            int(FrameType.PING): control.on_ping,
            int(FrameType.GOAWAY): control.on_goaway,
            int(FrameType.WINDOW_UPDATE): streams.on_window_update,
            _CONTINUATION: self._on_continuation,
        }

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
        return not self._open and not self._outbox.waiting

    @property
    def is_quiet(self) -> bool:
        """Whether the client is between frames that belong together; before its first ones it is not."""
        return self._awaited is None

    def feed(self, data: bytes, now_ns: int) -> list[Part]:
        """What `data` completes, in order. Look at `fault` afterwards."""
        parts: list[Part] = []
        if self.fault:
            return parts
        self._patience.now_ns = now_ns
        self._streams.parts = parts
        try:
            if self._preface is not None:
                data = self._take_preface(self._preface + data)
            for kind, flags, stream, payload in self._frames.feed(data):
                if self._awaited is not None and kind != self._awaited:
                    raise self._out_of_order()
                handle = self._on.get(kind)
                if handle is None:  # RFC 9113, section 4.1
                    self._patience.charge()
                else:
                    handle(flags, stream, payload)
        except BrokenConnectionError as fault:
            self._fail(fault)
        except FrameSizeError as problem:
            self._fail(BrokenConnectionError(ErrorCode.FRAME_SIZE_ERROR, str(problem)))
        except MalformedResponseError as problem:
            self._fail(BrokenConnectionError(ErrorCode.PROTOCOL_ERROR, str(problem)))
        return parts

    def take_outgoing(self) -> bytes:
        """What is to be sent now; often nothing."""
        return self._outbox.take()

    def answer(self, stream: int, head: bytes, body: bytes, trailers: bytes) -> None:
        """Answer a request: header block, body, trailer block. Nothing happens if the client gave it up."""
        if stream in self._open:
            self._outbox.send(stream, format_headers(stream, head), body, trailers, resets=self._end(stream))

    def refuse(self, stream: int, block: bytes) -> None:
        """Answer with headers alone; the rest of a request that has not ended is not read."""
        if stream in self._open:
            self._outbox.send(stream, b"", b"", block, resets=self._end(stream))

    def begin(self, stream: int, head: bytes) -> None:
        """The header block of an answer that comes in pieces: then `send`, and `end`."""
        if stream in self._open:
            self._outbox.push(format_headers(stream, head))

    def send(self, stream: int, piece: bytes) -> None:
        """A piece of the body of an answer."""
        if stream in self._open:
            self._outbox.send(stream, b"", piece, None)
            self._patience.left += EARNED

    def waiting_bytes(self, stream: int) -> int:
        """How much of an answer the client does not take yet."""
        return self._outbox.waiting_bytes(stream)

    def end(self, stream: int, trailers: bytes) -> None:
        """The trailer block of an answer that came in pieces."""
        if stream in self._open:
            self._outbox.send(stream, b"", b"", trailers, resets=self._end(stream))

    def announce_leaving(self) -> None:
        """Tell the client to open no further stream; those that it has opened meanwhile are still answered."""
        self._outbox.push(format_goaway(LARGEST_STREAM, ErrorCode.NO_ERROR))

    def leave(self) -> None:
        """Look at no further request, and tell the client the last one, so that it can send others elsewhere."""
        if not self.is_leaving:
            self.is_leaving = self._streams.is_shut = True
            self._outbox.push(format_goaway(self._streams.last, ErrorCode.NO_ERROR))

    def give_up(self, now_ns: int, limit_ns: int) -> list[int]:
        """Reset the streams whose request takes longer than this to arrive, or whose answer is not taken for so long.

        To be called from time to time; nothing may be in flight between `feed` and the use of its parts.

        Returns:
            Those of which a part was handed out already.
        """
        parts = self._streams.parts = []
        self._streams.give_up(now_ns, limit_ns)
        return [number for number, _, _, _ in parts]

    # The order of frames.

    def _take_preface(self, came: bytes) -> bytes:
        """What is behind the preface, as far as it came."""
        said = came[: len(PREFACE)]
        if not PREFACE.startswith(said):
            raise BrokenConnectionError(ErrorCode.PROTOCOL_ERROR, "the client does not speak HTTP/2")
        self._preface = said if len(said) < len(PREFACE) else None
        return came[len(PREFACE) :]

    def _out_of_order(self) -> BrokenConnectionError:
        if self._awaited == _SETTINGS:
            return BrokenConnectionError(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS")
        return BrokenConnectionError(ErrorCode.PROTOCOL_ERROR, "a header block that is interrupted by another frame")

    def _on_headers(self, flags: int, stream: int, payload: bytes) -> None:
        block = strip_priority(flags, strip_padding(flags, payload))
        if flags & END_HEADERS:
            self._on_block(flags, stream, block)
            return
        self._check_size(block)
        self._block, self._block_stream, self._block_flags, self._block_frames = block, stream, flags, 0
        self._awaited = _CONTINUATION

    def _on_continuation(self, flags: int, stream: int, payload: bytes) -> None:
        if self._awaited is None or stream != self._block_stream:
            raise BrokenConnectionError(ErrorCode.PROTOCOL_ERROR, "a CONTINUATION that continues nothing")
        block = self._block + payload
        self._check_size(block)
        self._block_frames += 1
        if self._block_frames > _MOST_CONTINUATIONS:
            said = f"more than {_MOST_CONTINUATIONS} CONTINUATION frames"
            raise BrokenConnectionError(ErrorCode.ENHANCE_YOUR_CALM, said)
        self._block = block
        if flags & END_HEADERS:
            self._block, self._awaited = b"", None
            self._on_block(self._block_flags, stream, block)

    def _check_size(self, block: bytes) -> None:
        largest = self._limits.max_header_bytes
        if len(block) > largest:
            raise BrokenConnectionError(ErrorCode.ENHANCE_YOUR_CALM, f"a header block of more than {largest} bytes")

    def _fail(self, fault: BrokenConnectionError) -> None:
        self.fault = fault.reason
        self.is_leaving = self._streams.is_shut = True
        self._outbox.push(format_goaway(self._streams.last, fault.code, fault.reason))
