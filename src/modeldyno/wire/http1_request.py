"""One HTTP/1.1 request, and how large one may be."""

import msgspec

from modeldyno.records.base import Record


class RequestLimits(Record, frozen=True, kw_only=True):
    """What a client may send; beyond it the stream is broken off with the status named."""

    max_body_bytes: int = 64 * 10**6
    """413 beyond it, expanded or not."""
    max_body_parts: int = 65_536
    """Chunks, and pieces as they arrive; 400 beyond it. Each costs time, whatever its size; Triton has this limit."""
    max_head_bytes: int = 32 * 1024
    """431 beyond it."""
    max_headers: int = 100
    """431 beyond it."""
    max_target_bytes: int = 8 * 1024
    """414 beyond it."""


class HttpRequest(msgspec.Struct, frozen=True, gc=False):
    """One whole request."""

    method: bytes
    target: bytes
    headers: dict[bytes, bytes]
    """Names in lower case; a header sent twice has its values joined by a comma."""
    body: bytes | bytearray
    keep_alive: bool
    """Whether the client will read a further answer on this connection."""
