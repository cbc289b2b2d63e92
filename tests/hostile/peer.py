"""A client of HTTP/2 that sends frames as they are."""

import contextlib
import socket
from collections import deque
from collections.abc import Iterator
from typing import Self

from modeldyno.wire.header_block import BlockReader, encode_block
from modeldyno.wire.http2_frames import (
    ACK,
    END_STREAM,
    PREFACE,
    FrameReader,
    FrameType,
    format_frame,
    format_headers,
    format_settings,
)

Frame = tuple[int, int, int, bytes]
"""Type, flags, stream, payload."""
GREETING = PREFACE + format_settings({}) + format_frame(FrameType.SETTINGS, ACK, 0, b"")


class Peer:
    """One connection to a gRPC port, at `address`."""

    def __init__(self, address: str, greeting: bytes = GREETING) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=60)
        self._frames = FrameReader()
        self._unread: deque[Frame] = deque()
        self._ended: dict[int, bytes] = {}
        """Trailers of streams that nobody has asked about yet."""
        self.send(greeting)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send; a server that has ended the connection meanwhile has said why."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)

    def ask(self, stream: int, path: str, message: bytes, *, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """A whole call."""
        body = b"\0" + len(message).to_bytes(4, "big") + message
        self.send(call_headers(stream, path, headers) + format_frame(FrameType.DATA, END_STREAM, stream, body))

    def read(self) -> Iterator[Frame]:
        """Frames until the server closes; who looks away reads on later."""
        while True:
            while self._unread:
                yield self._unread.popleft()
            try:
                received = self._socket.recv(100_000)
            except ConnectionResetError:
                return
            if not received:
                return
            self._unread += self._frames.feed(received)

    def status(self, stream: int) -> dict[bytes, bytes]:
        """Trailers of the answer, whatever was answered before it."""
        if stream not in self._ended:
            for kind, flags, number, payload in self.read():
                if kind == FrameType.HEADERS and flags & END_STREAM:
                    self._ended[number] = payload
                    if number == stream:
                        break
            else:
                raise AssertionError(f"no answer on stream {stream}")
        return BlockReader().decode(self._ended.pop(stream))

    def goodbye(self) -> int:
        """The error code of the server's GOAWAY, or of none: -1."""
        for kind, _, _, payload in self.read():
            if kind == FrameType.GOAWAY:
                return int.from_bytes(payload[4:8], "big")
        return -1


def call_headers(
    stream: int, path: str, headers: tuple[tuple[str, str], ...] = (), *, end_stream: bool = False
) -> bytes:
    """The headers of a call, in the form of a client that has given up its table."""
    asked = [(":method", "POST"), (":scheme", "http"), (":path", path), ("content-type", "application/grpc")]
    return format_headers(stream, b"\x20" + encode_block([*asked, *headers]), end_stream=end_stream)
