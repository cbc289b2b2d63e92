"""The client's side of one HTTP/2 connection (RFC 9113), one request at a time, without a socket.

One stream after the other: the load generator opens as many connections as it has requests in flight, so that no
request waits for the bytes of another, and each answer's moments are its own. The library `h2` covers all of the
protocol and takes 230 µs a call for it; this takes a few.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

from modeldyno.wire.header_block import BlockReader, Headers, encode_block
from modeldyno.wire.http1_response import HttpResponse, MalformedResponseError
from modeldyno.wire.http2_frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    FIRST_WINDOW,
    LARGEST_PAYLOAD,
    LARGEST_STREAM,
    LARGEST_WINDOW,
    PREFACE,
    ErrorCode,
    FrameReader,
    FrameType,
    Setting,
    format_frame,
    format_headers,
    format_reset,
    format_settings,
    format_window_update,
    parse_number,
    parse_settings,
    strip_padding,
    strip_priority,
)

WINDOW_BYTES = 1 << 24
"""What a server may send before we let it go on: much, for what is measured is the server and not our window."""
_LARGEST_BLOCK = 1 << 18
_BLOCK_LENGTH = struct.Struct(">I")
_GOAWAY = struct.Struct(">II")
_TLS_ALERT = b"\x15\x03"
# An attribute of an enumeration costs as much as a call.
_DATA = int(FrameType.DATA)
_SETTINGS = int(FrameType.SETTINGS)
_CONTINUATION = int(FrameType.CONTINUATION)


class StreamReset(NamedTuple):
    """The server ended the request without an answer, by RST_STREAM, or by a GOAWAY that leaves it out."""

    code: int
    """An `ErrorCode`, or a number that is none."""


def pack_request(headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """What `Http2Client.request` sends: encoded once, sent often.

    Args:
        headers: pseudo-headers first, names in lower case.
        body: of any size.
    """
    block = encode_block(headers)
    return b"".join((_BLOCK_LENGTH.pack(len(block)), block, body))


class Http2Client:
    """What to send, what came. Whatever `take_outgoing` gives is to be sent after every `feed`.

    Args:
        window_bytes: how much a server may send, on the stream and on the connection, before it must wait for us.
    """

    __slots__ = (
        "_answer", "_block", "_block_flags", "_block_stream", "_blocks", "_body", "_frames", "_is_active", "_on",
        "_outgoing", "_peer_window", "_ready", "_received", "_returnable", "_send_window", "_status", "_stream",
        "_stream_window", "_unsent", "_window_bytes", "goaway_reason", "headers", "is_leaving",
    )  # fmt: skip

    def __init__(self, *, window_bytes: int = WINDOW_BYTES) -> None:
        self._window_bytes = window_bytes
        self._frames = FrameReader()
        self._blocks = BlockReader()
        self._on = {
            int(FrameType.DATA): self._on_data,
            int(FrameType.HEADERS): self._on_headers,
            int(FrameType.RST_STREAM): self._on_reset,
            int(FrameType.SETTINGS): self._on_settings,
            int(FrameType.PUSH_PROMISE): self._on_push_promise,
            int(FrameType.PING): self._on_ping,
            int(FrameType.GOAWAY): self._on_goaway,
            int(FrameType.WINDOW_UPDATE): self._on_window_update,
            int(FrameType.CONTINUATION): self._on_continuation,
        }
        self._outgoing: list[bytes] = []
        self._ready = False
        self._stream = -1
        self._is_active = False
        self._send_window = self._peer_window = self._stream_window = FIRST_WINDOW
        self._unsent: memoryview | None = None
        self._returnable = 0
        self._received = 0
        self._block: bytes | None = None
        self._block_stream = self._block_flags = 0
        self._status = 0
        self._body: list[bytes] = []
        self._answer: HttpResponse | StreamReset | None = None
        self.headers: Headers | None = None
        """Of the answer to the request in flight; None before they came."""
        self.is_leaving = False
        """Whether the server takes no further request here."""
        self.goaway_reason = ""
        """What the server said when it left for an error."""

    @property
    def is_ready(self) -> bool:
        """Whether the server has shown, by its SETTINGS, that it speaks HTTP/2."""
        return self._ready

    def start(self) -> bytes:
        """The first bytes of the connection."""
        settings = {
            Setting.HEADER_TABLE_SIZE: 0,
            Setting.ENABLE_PUSH: 0,
            Setting.INITIAL_WINDOW_SIZE: self._window_bytes,
        }
        first = PREFACE + format_settings(settings)
        if self._window_bytes > FIRST_WINDOW:
            first += format_window_update(0, self._window_bytes - FIRST_WINDOW)
        return first

    def request(self, content: bytes) -> bytes:
        """Begin a request; none may be in flight.

        Args:
            content: from `pack_request`.

        Returns:
            The bytes to send now. What of the body the server's windows do not allow yet comes from `take_outgoing`.
        """
        self._stream += 2
        self._is_active = True
        self.headers = None
        self._status = self._received = 0
        self._body = []
        self._stream_window = self._peer_window
        start = _BLOCK_LENGTH.size
        end = start + _BLOCK_LENGTH.unpack_from(content)[0]
        head = format_headers(self._stream, content[start:end])
        size = len(content) - end
        if size <= LARGEST_PAYLOAD and size <= self._send_window and size <= self._stream_window:
            self._send_window -= size
            self._stream_window -= size
            return head + format_frame(_DATA, END_STREAM, self._stream, content[end:])
        self._unsent = memoryview(content)[end:]
        return b"".join((head, *self._allowed()))

    def take_outgoing(self) -> bytes:
        """What is to be sent now, to keep the connection going; often nothing."""
        if not self._outgoing:
            return b""
        outgoing, self._outgoing = b"".join(self._outgoing), []
        return outgoing

    def feed(self, data: bytes) -> HttpResponse | StreamReset | None:
        """What became of the request, if `data` completes it.

        The headers of the answer hold its trailers as well, and `:status`.

        Raises:
            MalformedResponseError: the bytes break the protocol; the connection cannot be used any further.
        """
        if not self._ready:
            _refuse_other_protocols(data)
        for kind, flags, stream, payload in self._frames.feed(data):
            if self._block is not None and kind != _CONTINUATION:
                raise MalformedResponseError("an HTTP/2 header block that is interrupted by another frame")
            if not self._ready and kind != _SETTINGS:
                raise MalformedResponseError("its first bytes are not HTTP/2 settings")
            handle = self._on.get(kind)
            if handle is not None:  # others are ignored (RFC 9113, section 4.1)
                handle(flags, stream, payload)
        if self._unsent is not None:
            self._outgoing += self._allowed()
        answer = self._answer
        if answer is None:
            return None
        self._answer = None
        return answer._replace(keep_alive=False) if self.is_leaving and isinstance(answer, HttpResponse) else answer

    # What is sent.

    def _allowed(self) -> list[bytes]:
        """As much of the body as the server's windows allow."""
        frames = []
        unsent = self._unsent
        while unsent is not None:
            size = min(len(unsent), LARGEST_PAYLOAD, self._send_window, self._stream_window)
            is_last = size == len(unsent)
            if size <= 0 and not is_last:
                break
            flags = END_STREAM if is_last else 0
            frames.append(format_frame(_DATA, flags, self._stream, bytes(unsent[:size])))
            self._send_window -= size
            self._stream_window -= size
            unsent = None if is_last else unsent[size:]
        self._unsent = unsent
        return frames

    def _end(self, answer: HttpResponse | StreamReset) -> None:
        self._is_active = False
        self._answer = answer
        if self._unsent is not None:  # the server answered before it had read all: RFC 9113, section 8.1
            self._unsent = None
            if isinstance(answer, HttpResponse):
                self._outgoing.append(format_reset(self._stream, ErrorCode.CANCEL))
        if self._stream + 2 > LARGEST_STREAM:
            self.is_leaving = True

    # What comes, one method a type of frame.

    def _is_current(self, stream: int) -> bool:
        """Whether the frame belongs to the request in flight, and not to one that has ended."""
        if stream == self._stream:
            return self._is_active
        if stream > self._stream or not stream & 1:
            raise MalformedResponseError(f"an HTTP/2 frame on stream {stream}, which nobody opened")
        return False

    def _on_data(self, flags: int, stream: int, payload: bytes) -> None:
        size = len(payload)
        self._returnable += size
        if self._returnable >= self._window_bytes // 2:
            self._outgoing.append(format_window_update(0, self._returnable))
            self._returnable = 0
        if not self._is_current(stream):
            return
        headers = self.headers
        if headers is None:
            raise MalformedResponseError("an HTTP/2 answer whose body comes before its headers")
        self._body.append(strip_padding(flags, payload))
        if flags & END_STREAM:
            self._end(self._response(headers))
            return
        self._received += size
        if self._received >= self._window_bytes // 2:
            self._outgoing.append(format_window_update(stream, self._received))
            self._received = 0

    def _on_headers(self, flags: int, stream: int, payload: bytes) -> None:
        block = strip_priority(flags, strip_padding(flags, payload))
        if flags & END_HEADERS:
            self._on_block(flags, stream, block)
        else:
            self._is_current(stream)  # the stream must be one of ours
            self._block, self._block_stream, self._block_flags = block, stream, flags

    def _on_continuation(self, flags: int, stream: int, payload: bytes) -> None:
        if self._block is None or stream != self._block_stream:
            raise MalformedResponseError("an HTTP/2 CONTINUATION frame that continues nothing")
        block = self._block + payload
        if len(block) > _LARGEST_BLOCK:
            raise MalformedResponseError(f"an HTTP/2 header block of more than {_LARGEST_BLOCK} bytes")
        self._block = block
        if flags & END_HEADERS:
            self._block = None
            self._on_block(self._block_flags, stream, block)

    def _on_block(self, flags: int, stream: int, block: bytes) -> None:
        if not self._is_current(stream):
            return
        headers = self._blocks.decode(block)
        is_last = bool(flags & END_STREAM)
        if self.headers is not None:
            if not is_last or b":status" in headers:
                raise MalformedResponseError("an HTTP/2 answer whose trailers do not end it")
            self._end(self._response({**self.headers, **headers}))
            return
        status = headers.get(b":status", b"")
        if len(status) != 3 or not status.isdigit():
            raise MalformedResponseError(f"an HTTP/2 answer with the status {status[:20]!r}")
        self._status = int(status)
        if self._status < 200:  # an interim answer: the final one follows
            if is_last:
                raise MalformedResponseError("an HTTP/2 answer that ends with an interim status")
            return
        self.headers = headers
        if is_last:
            self._end(self._response(headers))

    def _response(self, headers: Headers) -> HttpResponse:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        return HttpResponse(self._status, headers, body, keep_alive=True)

    def _on_reset(self, flags: int, stream: int, payload: bytes) -> None:  # noqa: ARG002 - all handlers are called alike
        code = parse_number(payload)
        if self._is_current(stream):
            self._end(StreamReset(code))

    def _on_settings(self, flags: int, stream: int, payload: bytes) -> None:
        if stream or (flags & ACK and (payload or not self._ready)):
            raise MalformedResponseError("an HTTP/2 SETTINGS frame on a stream, or an acknowledgement with content")
        if flags & ACK:
            return
        for name, value in parse_settings(payload):
            self._obey(name, value)
        self._ready = True
        self._outgoing.append(format_frame(FrameType.SETTINGS, ACK, 0, b""))

    def _obey(self, name: int, value: int) -> None:
        if name == Setting.INITIAL_WINDOW_SIZE:
            if value > LARGEST_WINDOW:
                raise MalformedResponseError(f"an HTTP/2 window of {value} bytes")
            self._stream_window += value - self._peer_window  # may go below 0: RFC 9113, section 6.9.2
            self._peer_window = value
        elif (name == Setting.MAX_FRAME_SIZE and not LARGEST_PAYLOAD <= value < 1 << 24) or (
            name == Setting.ENABLE_PUSH and value
        ):
            raise MalformedResponseError(f"the HTTP/2 setting {Setting(name).name} with the value {value}")

    def _on_push_promise(self, flags: int, stream: int, payload: bytes) -> None:  # noqa: ARG002 - as above
        raise MalformedResponseError("an HTTP/2 push, which was forbidden")

    def _on_ping(self, flags: int, stream: int, payload: bytes) -> None:
        if stream or len(payload) != 8:
            raise MalformedResponseError(f"an HTTP/2 PING of {len(payload)} bytes on stream {stream}")
        if not flags & ACK:
            self._outgoing.append(format_frame(FrameType.PING, ACK, 0, payload))

    def _on_goaway(self, flags: int, stream: int, payload: bytes) -> None:  # noqa: ARG002 - as above
        if stream or len(payload) < _GOAWAY.size:
            raise MalformedResponseError(f"an HTTP/2 GOAWAY of {len(payload)} bytes on stream {stream}")
        last, code = _GOAWAY.unpack_from(payload)
        self.is_leaving = True
        if code != ErrorCode.NO_ERROR:
            self.goaway_reason = f"{code_name(code)} {payload[_GOAWAY.size :][:200].decode('utf-8', 'replace')}".strip()
        if self._is_active and self._stream > last & LARGEST_STREAM:
            self._end(StreamReset(ErrorCode.REFUSED_STREAM))

    def _on_window_update(self, flags: int, stream: int, payload: bytes) -> None:  # noqa: ARG002 - as above
        increment = parse_number(payload) & LARGEST_WINDOW
        if stream == 0:
            self._send_window += increment
        elif self._is_current(stream):
            self._stream_window += increment
        else:
            return
        if not increment or max(self._send_window, self._stream_window) > LARGEST_WINDOW:
            raise MalformedResponseError(f"an HTTP/2 WINDOW_UPDATE by {increment} bytes")


def code_name(code: int) -> str:
    """The name of an error code of RFC 9113, or its number."""
    return ErrorCode(code).name if code in ErrorCode._value2member_map_ else f"HTTP/2 error {code}"


def _refuse_other_protocols(first: bytes) -> None:
    if first.startswith(b"HTTP/"):
        raise MalformedResponseError("it answers in HTTP/1, not in HTTP/2")
    if first.startswith(_TLS_ALERT):
        raise MalformedResponseError("it answers with a TLS alert: it expects an encrypted connection")
