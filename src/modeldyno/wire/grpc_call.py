"""gRPC over HTTP/2, unary calls: headers, the framing of a message, and what an answer says.

Source: the gRPC project's PROTOCOL-HTTP2.md, statuscodes.md and http-grpc-status-mapping.md.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from modeldyno.errors import UsageError
from modeldyno.records.grpc_status import GrpcStatus, status_name
from modeldyno.wire.errors import WireError
from modeldyno.wire.http1_response import HttpResponse
from modeldyno.wire.http2_client import StreamReset, code_name, pack_request
from modeldyno.wire.http2_frames import ErrorCode

_PREFIX = struct.Struct(">BI")
"""Whether the message is compressed, and its length."""
_LONGEST_TIMEOUT = 99_999_999
"""`grpc-timeout` takes eight digits."""
_TIMEOUT_UNITS = (("n", 1), ("u", 1_000), ("m", 1_000_000), ("S", 10**9), ("M", 60 * 10**9), ("H", 3_600 * 10**9))
_OURS = frozenset({"te", "content-type", "content-length", "host", "connection", "transfer-encoding", "user-agent"})


_OF_RESET: dict[int, GrpcStatus] = {
    ErrorCode.REFUSED_STREAM: GrpcStatus.UNAVAILABLE,
    ErrorCode.CANCEL: GrpcStatus.CANCELLED,
    ErrorCode.ENHANCE_YOUR_CALM: GrpcStatus.RESOURCE_EXHAUSTED,
    ErrorCode.INADEQUATE_SECURITY: GrpcStatus.PERMISSION_DENIED,
}
_OF_HTTP = {
    400: GrpcStatus.INTERNAL, 401: GrpcStatus.UNAUTHENTICATED, 403: GrpcStatus.PERMISSION_DENIED,
    404: GrpcStatus.UNIMPLEMENTED, 429: GrpcStatus.UNAVAILABLE, 502: GrpcStatus.UNAVAILABLE,
    503: GrpcStatus.UNAVAILABLE, 504: GrpcStatus.UNAVAILABLE,
}  # fmt: skip


class CallStatus(NamedTuple):
    """How a call ended."""

    code: int
    """A `GrpcStatus`, or a number that is none."""
    message: str

    def __str__(self) -> str:
        name = status_name(self.code)
        return f"{name}: {self.message}" if self.message else name


_OK = CallStatus(GrpcStatus.OK, "")
_LONGEST_CODE = 4
"""Digits; the codes in use have two."""


def pack_call(
    path: str,
    authority: str,
    message: bytes,
    *,
    is_secure: bool = False,
    timeout_ns: int | None = None,
    metadata: Iterable[tuple[str, str]] = (),
) -> bytes:
    """A call as `Http2Client.request` takes it.

    Args:
        path: `/package.Service/Method`.
        authority: host and port.
        message: one serialised message.
        is_secure: whether it goes through TLS.
        timeout_ns: after which the server need not answer any more.
        metadata: headers of the user's; one given twice is sent twice.

    Raises:
        UsageError: a header that gRPC forbids, or that describes the connection.
    """
    headers = [
        (":method", "POST"),
        (":scheme", "https" if is_secure else "http"),
        (":path", path),
        (":authority", authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "modeldyno"),
    ]
    if timeout_ns is not None:
        headers.append(("grpc-timeout", format_timeout(timeout_ns)))
    headers += [_checked(name.lower(), value) for name, value in metadata]
    return pack_request(headers, _PREFIX.pack(0, len(message)) + message)


def _checked(name: str, value: str) -> tuple[str, str]:
    """A header-name of PROTOCOL-HTTP2.md (digits, lower case, `_-.`) with a value of printable ASCII."""
    if name in _OURS or name.startswith("grpc-"):
        raise UsageError(
            f"the header {name!r} cannot be set", why="it describes the call, which the load generator owns"
        )
    is_name = bool(name) and name.isascii() and name.replace("_", "a").replace("-", "a").replace(".", "a").isalnum()
    if not is_name or not value.isascii() or not value.isprintable():
        raise UsageError(
            f"{name!r} is not metadata of gRPC",  # its value may be a secret
            why="names are letters, digits, '_', '-' and '.'; values are printable ASCII",
            hint="for example authorization: Bearer TOKEN",
        )
    return name, value.strip(" ")


def format_timeout(timeout_ns: int) -> str:
    """The value of `grpc-timeout`, in the finest unit that holds it; never shorter than asked.

    Above 99,999,999 hours it is cut.
    """
    for unit, size_ns in _TIMEOUT_UNITS:
        count = -(-timeout_ns // size_ns)
        if count <= _LONGEST_TIMEOUT:
            return f"{count}{unit}"
    return f"{_LONGEST_TIMEOUT}H"


def read_call(answer: HttpResponse | StreamReset) -> tuple[CallStatus, bytes]:
    """How the call ended, and its message if it ended well.

    Raises:
        WireError: a status that is no number, or not one whole message with the status OK.
    """
    if isinstance(answer, StreamReset):
        code = _OF_RESET.get(answer.code, GrpcStatus.INTERNAL)
        return CallStatus(code, f"the server reset the stream: {code_name(answer.code)}"), b""
    value = answer.headers.get(b"grpc-status")
    if value is None:  # it comes from a proxy, or from a server that speaks no gRPC
        code = _OF_HTTP.get(answer.status, GrpcStatus.UNKNOWN)
        return CallStatus(code, f"HTTP status {answer.status} without a grpc-status"), b""
    if value == b"0":
        return _OK, unwrap_message(answer.body)
    if not value.isdigit() or len(value) > _LONGEST_CODE:
        raise WireError(f"grpc-status is {value[:20]!r}")
    message = unquote_to_bytes(answer.headers.get(b"grpc-message", b"")).decode("utf-8", "replace")
    return CallStatus(int(value), message), b""


def unwrap_message(body: bytes) -> bytes:
    """The one message of an answer's body.

    Raises:
        WireError: none, more than one, cut off, or compressed, which nobody allowed.
    """
    if len(body) < _PREFIX.size:
        raise WireError(f"an answer of {len(body)} bytes holds no message")
    compressed, length = _PREFIX.unpack_from(body)
    if compressed:
        raise WireError("the message is compressed, although no compression was offered")
    if length != len(body) - _PREFIX.size:
        raise WireError(f"the message has {length} bytes, but {len(body) - _PREFIX.size} came")
    return body[_PREFIX.size :]
