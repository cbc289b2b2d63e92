"""What every transport gives the sender: a connection with one request in flight, and the stamps of that request."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from modeldyno.loadgen.server_timing import ServerTimes
from modeldyno.records.requests import Outcome

NO_REQUEST = -1
MOST_WORDS = 200
"""Bytes of an error that are kept."""


class Answer(NamedTuple):
    """What came back, and what its reader makes of it. Moments are on the clock."""

    outcome: Outcome
    status: int = 0
    """HTTP status or gRPC code."""
    keep_alive: bool = True
    """Whether the server lets the connection be used again."""
    server_times: ServerTimes | None = None
    first_token_ns: int = -1
    last_token_ns: int = -1
    input_tokens: int = -1
    output_tokens: int = -1
    token_moments: Sequence[int] = ()
    """When each piece of a stream came."""
    words: bytes = b""
    """Of an error, how what the server said of it begins."""


class ConnectionOwner(Protocol):
    """Who is told what becomes of a request."""

    def answered(self, connection: "Connection", answer: Answer) -> None:
        """The whole answer is there; `connection.done_ns` says since when."""
        ...

    def malformed(self, connection: "Connection") -> None:
        """The bytes that came are not an answer, or nobody asked for them; the connection is closed."""
        ...

    def lost(self, connection: "Connection") -> None:
        """The connection is gone, for whatever reason; nothing but the same call may follow."""
        ...


class Connection:
    """One connection, and the stamps of the request in flight on it. Each transport has its own kind.

    Args:
        owner: who is told.
        now_ns: CLOCK_MONOTONIC.
    """

    __slots__ = (
        "_now_ns", "_owner", "connect_ns", "done_ns", "first_byte_ns", "has_answered", "idle_since_ns",
        "received_bytes", "request", "sent_bytes", "sent_ns", "which",
    )  # fmt: skip

    def __init__(self, owner: ConnectionOwner, now_ns: Callable[[], int]) -> None:
        self._owner = owner
        self._now_ns = now_ns
        self.request = NO_REQUEST
        """Number of the request in flight."""
        self.which = 0
        """Number of the prepared request that it is."""
        self.has_answered = False
        """Whether a request of it ever got an answer."""
        self.sent_ns = self.first_byte_ns = self.done_ns = -1
        self.sent_bytes = self.received_bytes = 0
        self.connect_ns = -1
        """How long it took to open, as long as its first request waits or is in flight; then -1."""
        self.idle_since_ns = now_ns()

    def send(self, request: int, which: int, content: bytes) -> None:
        """Send `content`, the prepared request number `which`; the connection must be idle."""
        raise NotImplementedError

    def abort(self) -> None:
        """Close at once; `ConnectionOwner.lost` follows from the event loop."""
        raise NotImplementedError

    def begin(self, request: int, content: bytes) -> None:
        """Stamp that `request` is being sent. For transports, as the last thing before the bytes go."""
        self.request = request
        self.first_byte_ns = self.done_ns = -1
        self.sent_bytes = len(content)
        self.received_bytes = 0
        self.sent_ns = self._now_ns()

    def rest(self) -> int:
        """The request is dealt with. Returns its number."""
        request, self.request = self.request, NO_REQUEST
        self.connect_ns = -1
        self.idle_since_ns = self.done_ns
        return request


class Dialer(Protocol):
    """Opens the connections of one sending process."""

    async def dial(self, owner: ConnectionOwner) -> Connection:
        """A new connection, with `connect_ns` set.

        Raises:
            OSError: it could not be opened.
        """
        ...

    def close(self) -> None:
        """Give back what is held beside the connections, which are closed already."""
        ...
