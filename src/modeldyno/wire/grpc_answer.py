"""gRPC over HTTP/2 as a server sees it: what a call's headers say, its messages, and how it ends.

Source: the gRPC project's PROTOCOL-HTTP2.md, statuscodes.md, compression.md, and A6-client-retries.md for
`grpc-retry-pushback-ms`.
"""

import struct
import zlib
from collections.abc import Iterable
from urllib.parse import quote

from modeldyno.records.grpc_status import GrpcStatus
from modeldyno.wire.errors import WireError
from modeldyno.wire.header_block import Headers, encode_block
from modeldyno.wire.v2_tensors import Buffer

HEAD = encode_block([(":status", "200"), ("content-type", "application/grpc")])
"""The header block of an answer that has a message."""
OK = encode_block([("grpc-status", "0")])
"""The trailer block of a call that ended well."""
NO_GRPC = encode_block([(":status", "415"), ("content-length", "0")])
"""The whole answer to what is no gRPC (PROTOCOL-HTTP2.md, "Requests")."""

_PREFIX = struct.Struct(">BI")
_UNITS_NS = {
    ord("H"): 3_600 * 10**9, ord("M"): 60 * 10**9, ord("S"): 10**9, ord("m"): 10**6, ord("u"): 1000, ord("n"): 1,
}  # fmt: skip
_LONGEST_TIMEOUT = 9
"""Eight digits and a unit."""
_INFLATERS = {b"gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}
_STATUS = {
    400: GrpcStatus.INVALID_ARGUMENT, 401: GrpcStatus.UNAUTHENTICATED, 403: GrpcStatus.PERMISSION_DENIED,
    404: GrpcStatus.NOT_FOUND, 405: GrpcStatus.UNIMPLEMENTED, 409: GrpcStatus.ALREADY_EXISTS,
    413: GrpcStatus.RESOURCE_EXHAUSTED, 415: GrpcStatus.UNIMPLEMENTED, 429: GrpcStatus.RESOURCE_EXHAUSTED,
    499: GrpcStatus.CANCELLED, 501: GrpcStatus.UNIMPLEMENTED, 503: GrpcStatus.UNAVAILABLE,
    504: GrpcStatus.DEADLINE_EXCEEDED,
}  # fmt: skip
_READABLE = " !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
"""What `grpc-message` may hold unchanged, beside letters and digits."""
_LONGEST_MESSAGE = 1000


class CallError(WireError):
    """A call that cannot be answered, with the gRPC status that says so."""

    def __init__(self, code: GrpcStatus, message: str) -> None:
        super().__init__(message)
        self.code = code


def is_grpc(headers: Headers) -> bool:
    """Whether these are the headers of a gRPC call, and not of a browser or a probe."""
    return headers[b":method"] == b"POST" and headers.get(b"content-type", b"").startswith(b"application/grpc")


def timeout_ns(headers: Headers) -> int | None:
    """How long the client waits, from the moment it asked.

    Raises:
        CallError: `grpc-timeout` is not at most eight digits and a unit.
    """
    text = headers.get(b"grpc-timeout")
    if text is None:
        return None
    if not 2 <= len(text) <= _LONGEST_TIMEOUT or not text[:-1].isdigit() or text[-1] not in _UNITS_NS:
        raise CallError(GrpcStatus.INTERNAL, f"grpc-timeout is {text[:20]!r}")
    return int(text[:-1]) * _UNITS_NS[text[-1]]


def unwrap(body: Buffer, headers: Headers, limit_bytes: int) -> Buffer:
    """The one message of a call that does not stream.

    Raises:
        CallError: not one whole message, too large, or compressed in a way that is not understood.
    """
    messages = MessageReader(headers, limit_bytes)
    messages.feed(body)
    message = messages.take()
    if message is None or messages.pending_bytes:
        raise CallError(GrpcStatus.INTERNAL, f"the request of {len(body)} bytes is not one whole message")
    return message


class MessageReader:
    """Messages out of the pieces of a call's body.

    Args:
        headers: of the call, which name the compression.
        limit_bytes: the largest message, before and after decompression.
    """

    __slots__ = ("_encoding", "_limit_bytes", "_pending")

    def __init__(self, headers: Headers, limit_bytes: int) -> None:
        self._encoding = headers.get(b"grpc-encoding", b"identity")
        self._limit_bytes = limit_bytes
        self._pending: Buffer = b""

    @property
    def pending_bytes(self) -> int:
        """How much of a further message came."""
        return len(self._pending)

    def feed(self, piece: Buffer) -> None:
        """Some more of the body."""
        if not len(self._pending):
            self._pending = piece
            return
        # Added to in place: a large message comes in thousands of pieces.
        pending = self._pending if isinstance(self._pending, bytearray) else bytearray(self._pending)
        pending += piece
        self._pending = pending

    def take(self) -> Buffer | None:
        """The next message, decompressed; None while it is not whole.

        Raises:
            CallError: it is too large, or compressed in a way that is not understood.
        """
        pending = self._pending
        if len(pending) < _PREFIX.size:
            return None
        flag, length = _PREFIX.unpack_from(pending)
        if length > self._limit_bytes:
            raise _too_large(length, self._limit_bytes)
        end = _PREFIX.size + length
        if len(pending) < end:
            return None
        message = memoryview(pending)[_PREFIX.size : end]
        self._pending = pending[end:]
        if not flag:
            return message
        return self._inflate(flag, message)

    def _inflate(self, flag: int, message: memoryview) -> bytes:
        encoding = self._encoding
        window_bits = _INFLATERS.get(encoding)
        if flag != 1 or encoding == b"identity":
            raise CallError(GrpcStatus.INTERNAL, f"a message with the flag {flag} and the encoding {encoding[:20]!r}")
        if window_bits is None:
            known = ", ".join(name.decode() for name in _INFLATERS)
            raise CallError(GrpcStatus.UNIMPLEMENTED, f"compression {encoding[:20]!r} is not understood, only {known}")
        inflater = zlib.decompressobj(window_bits)
        try:
            content = inflater.decompress(message, self._limit_bytes + 1)
        except zlib.error as problem:
            raise CallError(GrpcStatus.INTERNAL, f"a message that is not {encoding.decode()}: {problem}") from problem
        if len(content) > self._limit_bytes:
            raise _too_large(len(content), self._limit_bytes)
        if not inflater.eof or inflater.unused_data:
            raise CallError(GrpcStatus.INTERNAL, f"a message that is not one whole {encoding.decode()} stream")
        return content


def _too_large(size: int, limit: int) -> CallError:
    return CallError(GrpcStatus.RESOURCE_EXHAUSTED, f"a message of {size} bytes or more; {limit} are allowed")


def wrap(parts: Iterable[Buffer]) -> bytes:
    """A message, given in parts, as the body of an answer."""
    parts = list(parts)
    return b"".join((_PREFIX.pack(0, sum(map(len, parts))), *parts))


def code_of(http_status: int) -> GrpcStatus:
    """The status that says over gRPC what an HTTP status says."""
    return _STATUS.get(http_status, GrpcStatus.INTERNAL)


def failure(code: GrpcStatus, message: str, *, retry_after_s: int | None = None) -> bytes:
    """The only header block of an answer without a message; as trailers, see `failure_trailers`."""
    return HEAD + failure_trailers(code, message, retry_after_s=retry_after_s)


def failure_trailers(code: GrpcStatus, message: str, *, retry_after_s: int | None = None) -> bytes:
    """The trailer block of a call that failed.

    Args:
        code: of the call.
        message: why, in words; cut after 1,000 characters, for clients take 8 kB of headers.
        retry_after_s: when to try again.
    """
    trailers = [
        ("grpc-status", str(int(code))),
        ("grpc-message", quote(message[:_LONGEST_MESSAGE], safe=_READABLE)),
    ]
    if retry_after_s is not None:
        trailers.append(("grpc-retry-pushback-ms", str(retry_after_s * 1000)))
    if code is GrpcStatus.UNIMPLEMENTED:
        trailers.append(("grpc-accept-encoding", "identity,deflate,gzip"))
    return encode_block(trailers)


def timed_trailers(value: bytes) -> bytes:
    """`OK` with the value of a `server-timing` header; made for each answer, so by hand (RFC 7541, section 6.2.2)."""
    size, length = len(value), bytearray()
    if size < 127:
        length.append(size)
    else:
        length.append(127)
        size -= 127
        while size >= 128:
            length.append(size & 127 | 128)
            size >>= 7
        length.append(size)
    return b"".join((OK, b"\x00\x0dserver-timing", length, value))
