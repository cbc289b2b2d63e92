"""The server's own account of a request: the `Server-Timing` header (W3C Server Timing, section 2)."""

import re
from typing import NamedTuple

_METRIC = re.compile(
    rb'(?:^|,)\s*(preprocess|queue|inference|postprocess|total)\s*;\s*dur="?(\d{1,9}(?:\.\d{1,12})?)(?![^\s",;])'
)


class ServerTimes(NamedTuple):
    """Nanoseconds, -1 where the server does not say; the order is that of `REQUEST_DTYPE`."""

    preprocess_ns: int
    queue_ns: int
    inference_ns: int
    postprocess_ns: int
    total_ns: int


def parse_server_timing(value: bytes) -> ServerTimes:
    """`queue;dur=0.12, inference;dur=1.5` (milliseconds) to nanoseconds; what is unknown or malformed is left out."""
    found = {name: round(float(duration) * 1e6) for name, duration in _METRIC.findall(value)}
    get = found.get
    return ServerTimes(
        get(b"preprocess", -1), get(b"queue", -1), get(b"inference", -1), get(b"postprocess", -1), get(b"total", -1)
    )
