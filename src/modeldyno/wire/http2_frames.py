"""HTTP/2 frames (RFC 9113, sections 4 and 6): bytes to frames and back, without a socket."""

import struct
from enum import IntEnum
from typing import TypeAlias

from modeldyno.wire.http1_response import MalformedResponseError

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends before its first frame (RFC 9113, section 3.4)."""
LARGEST_PAYLOAD = 16_384
"""SETTINGS_MAX_FRAME_SIZE as it starts, and the least that a peer can ask for: so what we send always fits."""
FIRST_WINDOW = 65_535
LARGEST_WINDOW = 2**31 - 1
LARGEST_STREAM = 2**31 - 1

Frame: TypeAlias = tuple[int, int, int, bytes]
"""Type, flags, stream, payload. A plain tuple: a named one takes three times as long to make, five times a call."""


class FrameSizeError(MalformedResponseError):
    """A frame that is longer than allowed, or not as long as its type must be (RFC 9113, section 4.2)."""


class FrameType(IntEnum):
    """RFC 9113, section 6."""

    DATA = 0x0
    HEADERS = 0x1
    PRIORITY = 0x2
    RST_STREAM = 0x3
    SETTINGS = 0x4
    PUSH_PROMISE = 0x5
    PING = 0x6
    GOAWAY = 0x7
    WINDOW_UPDATE = 0x8
    CONTINUATION = 0x9


class Setting(IntEnum):
    """RFC 9113, section 6.5.2: those that we send or obey."""

    HEADER_TABLE_SIZE = 0x1
    ENABLE_PUSH = 0x2
    MAX_CONCURRENT_STREAMS = 0x3
    INITIAL_WINDOW_SIZE = 0x4
    MAX_FRAME_SIZE = 0x5
    MAX_HEADER_LIST_SIZE = 0x6


class ErrorCode(IntEnum):
    """RFC 9113, section 7."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


ACK = 0x1
END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITY = 0x20

_HEADERS = int(FrameType.HEADERS)  # an attribute of an enumeration costs as much as a call
_HEAD = struct.Struct(">IBI")
"""Length (24 bits) and type (8), flags, stream."""
_SETTING = struct.Struct(">HI")
_NUMBER = struct.Struct(">I")
_GOAWAY = struct.Struct(">II")
_PRIORITY_BYTES = 5


class FrameReader:
    """Collects what arrives on one connection into frames.

    We never allow frames above `LARGEST_PAYLOAD`, so no more than one such frame is ever kept back.
    """

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes, in order.

        Raises:
            FrameSizeError: a frame is longer than we allow.
        """
        if self._pending:
            data = self._pending + data
        frames: list[Frame] = []
        position, end = 0, len(data)
        while end - position >= _HEAD.size:
            head, flags, stream = _HEAD.unpack_from(data, position)
            start = position + _HEAD.size
            after = start + (head >> 8)
            if after - start > LARGEST_PAYLOAD:
                raise FrameSizeError(f"an HTTP/2 frame of {after - start} bytes; {LARGEST_PAYLOAD} are allowed")
            if after > end:
                break
            frames.append((head & 0xFF, flags, stream & LARGEST_STREAM, data[start:after]))
            position = after
        self._pending = data[position:]
        return frames


def format_frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame; the payload must not be longer than the receiver allows."""
    return _HEAD.pack(len(payload) << 8 | kind, flags, stream) + payload


def format_settings(settings: dict[Setting, int]) -> bytes:
    """A SETTINGS frame."""
    content = b"".join(_SETTING.pack(name, value) for name, value in settings.items())
    return format_frame(FrameType.SETTINGS, 0, 0, content)


def format_window_update(stream: int, increment: int) -> bytes:
    """A WINDOW_UPDATE frame: `stream`, or with 0 the connection, may send so many more bytes."""
    return format_frame(FrameType.WINDOW_UPDATE, 0, stream, _NUMBER.pack(increment))


def format_reset(stream: int, code: ErrorCode) -> bytes:
    """A RST_STREAM frame."""
    return format_frame(FrameType.RST_STREAM, 0, stream, _NUMBER.pack(code))


def format_goaway(last_stream: int, code: ErrorCode, reason: str = "") -> bytes:
    """A GOAWAY frame: streams above the last are not looked at; the reason is for whoever reads a log."""
    return format_frame(FrameType.GOAWAY, 0, 0, _GOAWAY.pack(last_stream, code) + reason.encode()[:200])


def format_headers(stream: int, block: bytes, *, end_stream: bool = False) -> bytes:
    """A header block as one HEADERS frame, and as many CONTINUATION frames as it needs."""
    end = END_STREAM if end_stream else 0
    if len(block) <= LARGEST_PAYLOAD:
        return format_frame(_HEADERS, end | END_HEADERS, stream, block)
    pieces = [block[start : start + LARGEST_PAYLOAD] for start in range(0, len(block), LARGEST_PAYLOAD)]
    last = len(pieces) - 1
    return b"".join(
        format_frame(
            FrameType.CONTINUATION if place else FrameType.HEADERS,
            (0 if place else end) | (END_HEADERS if place == last else 0),
            stream,
            piece,
        )
        for place, piece in enumerate(pieces)
    )


def parse_settings(payload: bytes) -> list[tuple[int, int]]:
    """Identifiers and values of a SETTINGS frame, in order; unknown ones are among them.

    Raises:
        FrameSizeError: not a whole number of settings.
    """
    if len(payload) % _SETTING.size:
        raise FrameSizeError(f"an HTTP/2 SETTINGS frame of {len(payload)} bytes")
    return list(_SETTING.iter_unpack(payload))


def parse_number(payload: bytes) -> int:
    """The error code of RST_STREAM, or the increment of WINDOW_UPDATE, whose highest bit is reserved.

    Raises:
        FrameSizeError: not four bytes.
    """
    if len(payload) != _NUMBER.size:
        raise FrameSizeError(f"an HTTP/2 frame that holds a number has {len(payload)} bytes instead of 4")
    return int(_NUMBER.unpack(payload)[0])


def strip_padding(flags: int, payload: bytes) -> bytes:
    """The payload of DATA or HEADERS without its padding (RFC 9113, section 6.1).

    Raises:
        MalformedResponseError: more padding than payload.
    """
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise MalformedResponseError("an HTTP/2 frame with more padding than payload")
    return payload[1 : len(payload) - payload[0]]


def strip_priority(flags: int, payload: bytes) -> bytes:
    """The payload of HEADERS, its padding removed, without its priority.

    Raises:
        MalformedResponseError: it is too short to hold one.
    """
    if not flags & PRIORITY:
        return payload
    if len(payload) < _PRIORITY_BYTES:
        raise MalformedResponseError("an HTTP/2 HEADERS frame too short for its priority")
    return payload[_PRIORITY_BYTES:]
