"""One worker process, as its supervisor sees it."""

import socket
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from modeldyno.policies.spreading import Load
from modeldyno.records.server import ServedBundle, ServerAccount
from modeldyno.server.network.doors import DoorName
from modeldyno.server.tally import settled
from modeldyno.server.workers.link import Link
from modeldyno.server.workers.messages import Adopt, FromWorker

NOTHING = ServerAccount(accepted=0, answered=0, failed=0, cancelled=0, refused=0)


class Process(Protocol):
    """A child, such as `subprocess.Popen`."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...

    def wait(self) -> int:
        """Wait for its end; its status, or the negative number of the signal that ended it."""
        ...


class Hired(NamedTuple):
    """A process that was started as a worker, and our end of its link."""

    process: Process
    end: socket.socket


class Handed(NamedTuple):
    """A connection, and by which door it came."""

    door: DoorName
    connection: socket.socket


Hire = Callable[[int, Sequence[ServedBundle] | None], Hired]
"""Starts a process as the worker of this number, which is to open what the others serve (None: what there is); raises
`ToolError` when there cannot be one more."""


class Member:
    """What is known of a worker.

    Args:
        number: from 0; whoever takes a dead one's place takes its number.
        process: the child.
        link: to it.
        hired_ns: when it was started.
        known_changes: how many changes of what is served it was told of then.
    """

    def __init__(
        self, number: int, process: Process, link: Link[FromWorker], *, hired_ns: int, known_changes: int
    ) -> None:
        self.number = number
        self.process = process
        self.link = link
        self.hired_ns = hired_ns
        self.known_changes = known_changes
        self.is_started = False
        """Whether it has opened its models."""
        self.has_joined = False
        """Whether it has done what the others did meanwhile."""
        self.is_leaving = False
        """Whether it drains."""
        self.is_done = False
        """Whether it has drained."""
        self.is_ready = True
        """Whether it says that its models are ready."""
        self.silent_beats = 0
        """Intervals since it was heard of."""
        self.account = NOTHING
        """As far as it has told."""
        self._open: Counter[DoorName] = Counter()
        self._on_their_way: deque[Handed] = deque()

    @property
    def takes_part(self) -> bool:
        """Whether it serves, and goes on."""
        return self.has_joined and not self.is_leaving

    def open_connections(self, door: DoorName) -> int:
        """Those that came by this door and are not closed."""
        return self._open[door]

    def load(self, door: DoorName) -> Load:
        """For the choice of who gets the next connection."""
        return Load(self._open[door], self._open.total())

    def hand(self, door: DoorName, connection: socket.socket) -> bool:
        """Give it a connection; whether there is room. It is kept until the worker has it, and may be taken back."""
        if not self.link.hand(Adopt(door), connection):
            return False
        self._open[door] += 1
        self._on_their_way.append(Handed(door, connection))
        return True

    def note_adopted(self) -> None:
        """It has the first of the connections that were on their way."""
        self._on_their_way.popleft().connection.close()

    def take_back(self) -> Sequence[Handed]:
        """The connections that it never had, for another: nothing of them was read."""
        handed = list(self._on_their_way)
        self._on_their_way.clear()
        return handed

    def count_closed(self, door: DoorName) -> None:
        """A connection is gone."""
        self._open[door] -= 1

    def bury(self) -> int:
        """Wait for the end of a process whose link has closed; its status. What it had not answered is lost."""
        self.link.close()
        if not self.is_done:
            self.process.kill()  # it has ended, or closed its link against all rules
        status = self.process.wait()
        self.account = settled(self.account)
        return status
