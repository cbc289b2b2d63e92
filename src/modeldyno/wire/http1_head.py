"""HTTP/1.1 answers as bytes (RFC 9112), and the W3C `Server-Timing` header."""

from http import HTTPStatus
from typing import Final

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


def format_response(
    status: int,
    body: bytes,
    *,
    content_type: bytes = b"application/json",
    headers: bytes = b"",
    without_body: bool = False,
) -> bytes:
    r"""A whole answer.

    Args:
        status: an HTTP status code.
        body: the body; its length is announced even when it is left out.
        content_type: its media type.
        headers: further header lines, each ended by `\r\n`.
        without_body: for the answer to a HEAD request.
    """
    head = b"%bContent-Type: %b\r\nContent-Length: %d\r\n%b\r\n" % (
        _STATUS_LINES[status],
        content_type,
        len(body),
        headers,
    )
    return head if without_body else head + body


def format_tensors(body: bytes, header_length: int, headers: bytes = b"") -> bytes:
    """A whole answer 200 of the binary tensor extension: `header_length` bytes of JSON, then tensors."""
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
        b"Inference-Header-Content-Length: %d\r\nContent-Length: %d\r\n%b\r\n%b"
        % (header_length, len(body), headers, body)
    )


Times = tuple[int, int, int, int, int, int]
"""Preprocess, queue, inference and postprocess, then of queue batch and padding, in ns."""


def format_server_timing(times: Times) -> bytes:
    """The header line of W3C Server Timing; `dur` is in ms, written to the ns.

    `total` is the sum of the first four; `batch` and `padding` are parts of `queue` and are told when there was any.
    """
    preprocess_ns, queue_ns, inference_ns, postprocess_ns, batch_ns, padding_ns = times
    total_ns = preprocess_ns + queue_ns + inference_ns + postprocess_ns
    # The bits tell that none is less than zero, whose sign would stand behind the point.
    signs = preprocess_ns | queue_ns | inference_ns | postprocess_ns | padding_ns
    if not batch_ns and total_ns < _MS and padding_ns < _MS and signs >= 0:
        return _format_below_ms(preprocess_ns, queue_ns, inference_ns, postprocess_ns, padding_ns, total_ns)
    parts = b"Server-Timing: preprocess;dur=%.6f, queue;dur=%.6f, inference;dur=%.6f, postprocess;dur=%.6f" % (
        preprocess_ns / 1e6,
        queue_ns / 1e6,
        inference_ns / 1e6,
        postprocess_ns / 1e6,
    )
    if batch_ns:
        parts += b", batch;dur=%.6f" % (batch_ns / 1e6)
    if padding_ns:
        parts += b", padding;dur=%.6f" % (padding_ns / 1e6)
    return b"%b, total;dur=%.6f\r\n" % (parts, total_ns / 1e6)


_MS: Final = 1_000_000
_THOUSANDTHS: Final = [f"{number:03d}" for number in range(1000)]


def _begun(name: str) -> list[str]:
    """What stands before the thousandths of each number of µs below 1 ms."""
    return [f"{name};dur=0.{number:03d}" for number in range(1000)]


_PREPROCESS: Final = _begun("Server-Timing: preprocess")
_QUEUE: Final = _begun(", queue")
_INFERENCE: Final = _begun(", inference")
_POSTPROCESS: Final = _begun(", postprocess")
_PADDING: Final = _begun(", padding")
_TOTAL: Final = _begun(", total")


def _format_below_ms(
    preprocess_ns: int, queue_ns: int, inference_ns: int, postprocess_ns: int, padding_ns: int, total_ns: int
) -> bytes:
    """As above, each part from 0 to 999,999 ns, as in most answers: looked up, which is less work than formatting."""
    last = _THOUSANDTHS
    padding = f"{_PADDING[padding_ns // 1000]}{last[padding_ns % 1000]}" if padding_ns else ""
    return (
        f"{_PREPROCESS[preprocess_ns // 1000]}{last[preprocess_ns % 1000]}"
        f"{_QUEUE[queue_ns // 1000]}{last[queue_ns % 1000]}"
        f"{_INFERENCE[inference_ns // 1000]}{last[inference_ns % 1000]}"
        f"{_POSTPROCESS[postprocess_ns // 1000]}{last[postprocess_ns % 1000]}"
        f"{padding}{_TOTAL[total_ns // 1000]}{last[total_ns % 1000]}\r\n"
    ).encode()
