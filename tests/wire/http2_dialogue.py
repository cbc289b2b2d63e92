"""What a test says to a `Http2Server`, and what it looks at in its answers."""

import struct

from modeldyno.wire.header_block import encode_block
from modeldyno.wire.http2_frames import (
    ACK,
    END_STREAM,
    PREFACE,
    ErrorCode,
    FrameReader,
    FrameType,
    Setting,
    format_frame,
    format_headers,
    format_settings,
    parse_number,
)
from modeldyno.wire.http2_limits import Http2Limits
from modeldyno.wire.http2_server import Http2Server

SECOND_NS = 10**9
ASKED = [(":method", "POST"), (":scheme", "http"), (":path", "/a"), (":authority", "here")]
HEADERS = {name.encode(): value.encode() for name, value in ASKED}
BLOCK = encode_block(ASKED)
HEAD = encode_block([(":status", "200")])
TRAILERS = encode_block([("grpc-status", "0")])
ACKNOWLEDGED = format_frame(FrameType.SETTINGS, ACK, 0, b"")
NO_TABLE = b"\x20"
"""The table size update that a client owes us in its first block after the acknowledgement."""


def data(stream: int, content: bytes, flags: int = 0) -> bytes:
    return format_frame(FrameType.DATA, flags, stream, content)


def ask(stream: int, body: bytes = b"question", block: bytes = BLOCK) -> bytes:
    return format_headers(stream, block) + data(stream, body, END_STREAM)


def met(limits: Http2Limits | None = None, client_settings: dict[Setting, int] | None = None) -> Http2Server:
    """A connection on which both sides have said their settings, and acknowledged them."""
    server = Http2Server(limits or Http2Limits())
    server.start()
    server.feed(PREFACE + format_settings(client_settings or {}) + ACKNOWLEDGED, 0)
    # The first block after it gives up the table.
    server.feed(ask(1, block=NO_TABLE + BLOCK), 0)
    server.answer(1, HEAD, b"", TRAILERS)
    server.take_outgoing()
    assert not server.fault
    return server


def sent(server: Http2Server) -> list[tuple[int, int, int, bytes]]:
    return FrameReader().feed(server.take_outgoing())


def resets(server: Http2Server) -> dict[int, int]:
    return {stream: parse_number(content) for kind, _, stream, content in sent(server) if kind == FrameType.RST_STREAM}


def goaway(server: Http2Server) -> tuple[int, int]:
    [content] = [content for kind, _, _, content in sent(server) if kind == FrameType.GOAWAY]
    last, code = struct.unpack_from(">II", content)
    return last, code


def assert_broken(server: Http2Server, code: ErrorCode) -> None:
    assert server.fault
    assert code == goaway(server)[1]
    assert [] == server.feed(ask(101), 0)
