"""Compressed bodies (RFC 9110, 8.4): gzip and deflate, expanded within a limit."""

import zlib

from modeldyno.wire.errors import WireError

_WINDOW_BITS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}
"""zlib's words for the formats; `deflate` is that of zlib, as RFC 9110 and Triton's clients have it."""
_FASTEST = 1


class Expander:
    """Expands one body while it arrives.

    Args:
        coding: the value of `Content-Encoding`.
        limit_bytes: of the expanded body.

    Raises:
        WireError: 415, the coding is not known.
    """

    def __init__(self, coding: bytes, limit_bytes: int) -> None:
        bits = _WINDOW_BITS.get(coding)
        if bits is None:
            name = coding.decode("latin-1")
            raise WireError(f"the content coding {name!r} is not known; send gzip or deflate", status=415)
        self._stream = zlib.decompressobj(bits)
        self._left = limit_bytes
        self._limit = limit_bytes

    def feed(self, part: bytes) -> bytes:
        """What a part of the compressed body stands for.

        Raises:
            WireError: 400, it is damaged; 413, it expands beyond the limit, which is noticed before it is done.
        """
        try:
            expanded = self._stream.decompress(part, self._left + 1)
        except zlib.error as problem:
            raise WireError(f"the compressed body is damaged: {problem}") from problem
        self._left -= len(expanded)
        if self._left < 0:
            raise WireError(f"the body is larger than {self._limit} bytes, expanded", status=413)
        if self._stream.unused_data:
            raise WireError("bytes follow the end of the compressed body")
        return expanded

    def finish(self) -> None:
        """The body is over.

        Raises:
            WireError: 400, its end is missing.
        """
        if not self._stream.eof:
            raise WireError("the compressed body ends in the middle")


def content_coding(value: bytes) -> bytes | None:
    """The coding that `Content-Encoding` names; None when the body is as it is."""
    coding = value.strip().lower()
    return None if coding in {b"", b"identity"} else coding


def choose_coding(accepted: bytes) -> bytes | None:
    """Gzip or deflate, which of them an `Accept-Encoding` prefers (RFC 9110, 12.5.3); None for neither."""
    weights = {}
    for entry in accepted.lower().split(b","):
        name, _, parameter = entry.partition(b";")
        weights[name.strip()] = _weight(parameter)
    others = weights.get(b"*", 0.0)
    gzip, deflate = weights.get(b"gzip", others), weights.get(b"deflate", others)
    if max(gzip, deflate) <= 0 or max(gzip, deflate) < weights.get(b"identity", 0.0):
        return None
    return b"gzip" if gzip >= deflate else b"deflate"


def _weight(parameter: bytes) -> float:
    name, _, value = parameter.strip().partition(b"=")
    if name.strip() != b"q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def compress(body: bytes, coding: bytes) -> bytes:
    """The body in this coding; quickly rather than small, since whoever waits behind it waits longer."""
    stream = zlib.compressobj(_FASTEST, wbits=_WINDOW_BITS[coding])
    return stream.compress(body) + stream.flush()
