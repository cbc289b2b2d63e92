"""What one HTTP/2 client may ask of a connection, and how the connection ends when it asks more."""

from modeldyno.records.base import Record
from modeldyno.wire.http2_frames import ErrorCode
from modeldyno.wire.http2_outbox import Outbox

EARNED = 4
"""Patience won back by an answer: gRPC libraries send a PING and two WINDOW_UPDATEs for one at most."""
_EARNING_BYTES = 1024
"""Bytes of answers that win back one: a client widens its windows while it takes a large one."""


class Http2Limits(Record, frozen=True, kw_only=True):
    """What one client may ask of a connection."""

    max_streams: int = 256
    """Requests at once; a further one is refused, and the client may send it again."""
    max_header_bytes: int = 32 * 1024
    """Of one request, compressed."""
    max_body_bytes: int = 64 * 10**6
    """Of one request."""
    max_pending_bytes: int = 2 * 64 * 10**6
    """Of all bodies that have not ended."""
    window_bytes: int = 1 << 22
    """How much may come on one stream before we read it."""
    connection_window_bytes: int = 1 << 24
    patience: int = 1000
    """Frames that bring nothing forward, at once."""
    patience_per_s: int = 200
    """How fast it comes back."""


class BrokenConnectionError(Exception):
    """The connection cannot be used any further."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Patience:
    """A client's reserve of frames that bring nothing forward; it refills with time and with what it takes of answers.

    One rule against rapid resets (CVE-2023-44487), floods of PING, SETTINGS, PRIORITY, WINDOW_UPDATE and empty DATA
    (CVE-2019-9511 to 9518) and of CONTINUATION (CVE-2024-27316).
    """

    __slots__ = ("_charged_ns", "_limits", "_outbox", "_seen_bytes", "left", "now_ns")

    def __init__(self, limits: Http2Limits, outbox: Outbox) -> None:
        self._limits = limits
        self._outbox = outbox
        self.left = float(limits.patience)
        """Frames; whoever gives an answer adds what it earns, since a call for that alone would cost each answer."""
        self.now_ns = 0
        """When the frames came that are being looked at."""
        self._charged_ns = self._seen_bytes = 0

    def charge(self) -> None:
        """A frame that brings nothing forward.

        Raises:
            BrokenConnectionError: there were too many.
        """
        limits, now_ns, sent_bytes = self._limits, self.now_ns, self._outbox.sent_bytes
        won_back = (now_ns - self._charged_ns) * limits.patience_per_s / 1e9
        won_back += (sent_bytes - self._seen_bytes) / _EARNING_BYTES
        self._charged_ns, self._seen_bytes = now_ns, sent_bytes
        self.left = min(self.left + won_back, limits.patience) - 1
        if self.left < 0:
            raise BrokenConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "too many frames that bring nothing forward")
