"""What a known server does: settings as plain data, so that they can be handed to a process of its own."""

import msgspec

from modeldyno.errors import UsageError
from modeldyno.testing.service_times import ServiceTimes


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the server does. `..._every` counts POSTs from 1; 0 is never; the first that holds is done.

    Raises:
        UsageError: no server can do that.
    """

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes any free one."""

    # How long it takes: a wait for a lane, a service, and a delay in which the lane serves others.
    service_ns: int = 0
    """Of one request in a lane that serves one after the other, in the order in which they came; 0 has no lanes."""
    service: ServiceTimes | None = None
    """Instead of `service_ns`, when the service times are to vary."""
    lanes: int = 1
    """Requests served at a time; 0 for any number, so that nobody waits."""
    delay_ns: int = 0
    """After the service, independent of other requests."""
    seed: int = 0
    """Of the service times."""

    # When it does nothing.
    stall_at: int = 0
    """At this POST the whole process does nothing for `stall_ns`; what arrives meanwhile waits unread."""
    stall_ns: int = 0
    stall_every_ns: int = 0
    """For `stall_ns` out of so long nothing is served or answered; what arrives meanwhile is read, and waits. The
    first stall comes `stall_every_ns` after the first POST."""

    # How it reads and writes.
    read_bytes_per_s: int = 0
    """Read no faster, the head of a request included; 0 is as fast as they come."""
    pieces: int = 1
    """Write an answer in so many pieces of equal size."""
    piece_gap_ns: int = 0
    """From one piece to the next."""

    # How it fails.
    status_every: int = 0
    """Answer with one of `statuses`, in turn; with `Retry-After: 1` or `Location: /`, where that is in order."""
    statuses: tuple[int, ...] = (503,)
    reset_every: int = 0
    """Reset the connection instead of answering."""
    truncate_every: int = 0
    """Announce a body, send half of it and close."""
    garbage_every: int = 0
    """Answer with something that is not HTTP."""
    silent_every: int = 0
    """Never answer."""
    wrong_id_every: int = 0
    """Answer with the `id` of another request, to a request that has one."""
    wrong_answer_every: int = 0
    """Answer with ones instead of zeros."""
    die_after: int = 0
    """Exit at this POST, unanswered."""

    # What the protocol allows, and a client must not call a failure.
    close_every: int = 0
    """Answer with `Connection: close`, and close."""
    until_close_every: int = 0
    """A body without a length, ended by closing."""
    chunked_every: int = 0
    close_idle_after_ns: int = 0
    """Close a connection that was idle for so long after an answer."""
    reset_after_idle_ns: int = 0
    """Reset, uncounted, at a request on a connection that was idle for so long: closed before the client saw it."""

    # What it says of itself.
    server_timing: str = ""
    """Value of the `Server-Timing` header; empty for none."""
    tells_times: bool = False
    """Say the true times of each request in `Server-Timing`: `queue`, `inference` and `total`, exact to 1 ns."""

    def __post_init__(self) -> None:
        if self.lanes < 0 or self.pieces < 1:
            raise UsageError(f"a server of {self.lanes} lanes that answers in {self.pieces} pieces cannot be")
        if self.stall_every_ns and not 0 < self.stall_ns < self.stall_every_ns:
            raise UsageError(f"a stall of {self.stall_ns} ns does not fit into every {self.stall_every_ns} ns")
        if not self.statuses or not all(200 <= status <= 599 for status in self.statuses):
            raise UsageError(f"{self.statuses} are not statuses of final answers", why="those are from 200 to 599")

    @property
    def service_times(self) -> ServiceTimes | None:
        """How long a request is served for; None when it is answered as soon as it is read."""
        if self.service is not None:
            return self.service
        return ServiceTimes(mean_ns=self.service_ns) if self.service_ns else None
