"""The worker processes of a server: started, listened to, replaced when they die, and ended."""

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

from modeldyno.clock import Clock
from modeldyno.errors import DynoError, InputError, OutputError, ToolError, TrustError, UsageError
from modeldyno.policies.restarting import (
    BEAT_S,
    MOST_SILENT_STARTS,
    Pulse,
    failures_after,
    pulse_of,
    restart_delay_ns,
)
from modeldyno.policies.spreading import choose
from modeldyno.records.server import ServedBundle, ServerAccount, ServerSettings
from modeldyno.server.network.doors import DoorName
from modeldyno.server.tally import add_accounts
from modeldyno.server.workers.link import Link
from modeldyno.server.workers.member import Hire, Member
from modeldyno.server.workers.messages import (
    Adopted,
    Beat,
    Closed,
    Done,
    Failed,
    FromWorker,
    Leaving,
    Renew,
    Started,
    Stop,
    ToWorker,
    Turn,
    Turned,
)

_LOG = logging.getLogger("modeldyno.server")
_KINDS = {kind.__name__: kind for kind in (UsageError, InputError, OutputError, TrustError, ToolError)}
_END_LIMIT_S = 10.0
"""Beyond the drain; then a worker that does not end is killed."""


class Host(Protocol):
    """What is told of the crew."""

    def report_complete(self) -> None:
        """All workers have started, for the first time."""
        ...

    def what_is_served(self) -> tuple[int, Sequence[ServedBundle] | None]:
        """How many changes there were, and what is served after them; None before the first worker has started."""
        ...

    def admit(self, member: Member, served: Sequence[ServedBundle], join: Callable[[], None]) -> None:
        """A worker has started with this; `join` is to be called when it serves what the others serve."""
        ...

    def report_joined(self) -> None:
        """One more can be given connections."""
        ...

    def report_gone(self, member: Member) -> None:
        """A worker has ended, however that came."""
        ...

    def take_back(self, door: DoorName, connection: socket.socket) -> None:
        """A worker ended before it had this connection."""
        ...

    def report_failure(self, problem: DynoError) -> None:
        """The crew cannot be completed."""
        ...

    def report_ended(self) -> None:
        """No process is left after `stop`."""
        ...

    def hear(self, member: Member, message: FromWorker) -> None:
        """A worker said something that is not about itself."""
        ...


class Crew:
    """Keeps as many workers as the settings say.

    Args:
        settings: how many, and how long they may be silent and drain.
        hire: starts a process.
        loop: of the supervisor.
        clock: of the supervisor.
        host: is told.
    """

    def __init__(
        self, settings: ServerSettings, *, hire: Hire, loop: asyncio.AbstractEventLoop, clock: Clock, host: Host
    ) -> None:
        self._size = settings.workers
        self._hung_beats = max(1, round(settings.worker_silence_ns / 1e9 / BEAT_S))
        self._drain_s = settings.drain_timeout_ns / 1e9
        self._hire = hire
        self._loop = loop
        self._clock = clock
        self._host = host
        self._members: dict[int, Member] = {}
        self._failures: Counter[int] = Counter()
        self._last: dict[DoorName, int] = {}
        self._turned: Turn | None = None
        self._accounts: list[ServerAccount] = []
        self._is_complete = False
        self._is_stopping = False

    def __iter__(self) -> Iterator[Member]:
        return iter(list(self._members.values()))

    def start(self) -> None:
        """Start all workers, and begin to watch over them.

        Raises:
            ToolError: a process cannot be started.
        """
        for number in range(self._size):
            self._start(number)
        self._loop.call_later(BEAT_S, self._watch)

    def hand(self, door: DoorName, connection: socket.socket) -> bool:
        """Give a connection to the worker that has the fewest; whether there was one to take it."""
        members = [self._members.get(number) for number in range(self._size)]
        for asks_ready in (True, False):
            loads = [one.load(door) if one and self._takes(one, asks_ready=asks_ready) else None for one in members]
            while (chosen := choose(loads, last=self._last.get(door, -1))) is not None:
                member = members[chosen]
                if member is not None and member.hand(door, connection):
                    self._last[door] = chosen
                    return True
                loads[chosen] = None
        return False

    def open_connections(self, door: DoorName) -> int:
        """Those that came by this door and are not closed."""
        return sum(member.open_connections(door) for member in self)

    def tell_all(self, message: ToWorker) -> None:
        """Send a message to all that serve."""
        for member in self:
            if member.takes_part:
                member.link.send(message)

    def renew(self) -> None:
        """Have all read certificate and key again."""
        self.tell_all(Renew())

    def stop(self) -> None:
        """Have all drain; a second time, have them end at once."""
        limit_s = _END_LIMIT_S + (0.0 if self._is_stopping else self._drain_s)
        self._is_stopping = True
        for member in self:
            if member.is_started:
                self._dismiss(member, limit_s)
            else:
                member.process.kill()  # it has accepted nothing
        self._report_if_ended()

    def end_all(self) -> None:
        """End at once who is left: nobody, but after a fault of the supervisor."""
        for member in self:
            member.bury()
            for _, connection in member.take_back():
                connection.close()
        self._members = {}

    def account(self) -> ServerAccount:
        """What became of the requests of all workers, those that are gone included."""
        return add_accounts([*self._accounts, *(member.account for member in self)])

    def _start(self, number: int) -> None:
        known_changes, served = self._host.what_is_served()
        process, end = self._hire(number, served)
        member: Member

        def hear(message: FromWorker, _connection: socket.socket | None) -> None:
            self._hear(member, message)

        link: Link[FromWorker] = Link(
            end, FromWorker, loop=self._loop, on_message=hear, on_end=lambda: self._bury(member)
        )
        member = self._members[number] = Member(
            number, process, link, hired_ns=self._clock.now_ns(), known_changes=known_changes
        )

    def _restart(self, number: int) -> None:
        if self._is_stopping:
            return
        try:
            self._start(number)
        except ToolError as problem:
            self._failures[number] += 1
            delay_ns = restart_delay_ns(self._failures[number])
            _LOG.error("worker %d: %s (%s)", number, problem.what, problem.why)
            self._loop.call_later(delay_ns / 1e9, self._restart, number)

    def _hear(self, member: Member, message: FromWorker) -> None:
        member.silent_beats = 0
        match message:
            case Adopted():
                member.note_adopted()
            case Closed(door):
                member.count_closed(door)
            case Beat(account, is_ready):
                member.account, member.is_ready = account, is_ready
            case Started(served):
                self._welcome(member, served)
            case Leaving():
                self._dismiss(member, self._drain_s + _END_LIMIT_S)
            case Done(account):
                member.account, member.is_done = account, True
            case Failed(kind, what, why, hint):
                self._take_failure(member, _KINDS.get(kind, ToolError)(what, why=why, hint=hint))
            case Turned(settings):
                self._pass_on(Turn(settings), member)
            case _:
                self._host.hear(member, message)

    def _pass_on(self, turn: Turn, author: Member) -> None:
        self._turned = turn
        for other in self:
            if other is not author and other.takes_part:
                other.link.send(turn)

    def _welcome(self, member: Member, served: Sequence[ServedBundle]) -> None:
        member.is_started = True
        if self._turned is not None:
            member.link.send(self._turned)
        self._host.admit(member, served, partial(self._join, member))

    def _join(self, member: Member) -> None:
        member.has_joined = True
        self._host.report_joined()
        if not self._is_complete and sum(one.has_joined for one in self) == self._size:
            self._is_complete = True
            self._host.report_complete()

    def _take_failure(self, member: Member, problem: DynoError) -> None:
        if self._is_complete:
            _LOG.error("worker %d cannot start: %s (%s)", member.number, problem.what, problem.why)
        elif not self._is_stopping:
            self._host.report_failure(problem)

    def _bury(self, member: Member) -> None:
        status = member.bury()
        del self._members[member.number]
        self._accounts = [add_accounts([*self._accounts, member.account])]
        self._host.report_gone(member)
        for door, connection in member.take_back():
            self._host.take_back(door, connection)
        if self._is_stopping:
            self._report_if_ended()
            return
        number = member.number
        ran_ns = self._clock.now_ns() - member.hired_ns
        self._failures[number] = 0 if member.is_done else failures_after(self._failures[number], ran_ns)
        if not member.is_done:
            _LOG.error("worker %d (process %d) ended: %s", number, member.process.pid, _describe(status))
        if not self._is_complete and self._failures[number] >= MOST_SILENT_STARTS:
            self._host.report_failure(ToolError("a worker process ends before it has started", why=_describe(status)))
            return
        self._loop.call_later(restart_delay_ns(self._failures[number]) / 1e9, self._restart, number)

    def _watch(self) -> None:
        for member in self:
            if not member.takes_part:
                continue  # opening a large model takes its time and says nothing; a drain has its own limit
            member.silent_beats += 1
            if pulse_of(member.silent_beats, hung_beats=self._hung_beats) is Pulse.HUNG:
                _LOG.error("worker %d (process %d) hangs, and is ended", member.number, member.process.pid)
                member.process.kill()
        self._loop.call_later(BEAT_S, self._watch)

    def _dismiss(self, member: Member, limit_s: float) -> None:
        member.is_leaving = True
        member.link.send(Stop())
        self._loop.call_later(limit_s, self._kill, member)

    def _takes(self, member: Member, *, asks_ready: bool) -> bool:
        is_fresh = pulse_of(member.silent_beats, hung_beats=self._hung_beats) is Pulse.FRESH
        return member.takes_part and is_fresh and (member.is_ready or not asks_ready)

    def _kill(self, member: Member) -> None:
        if self._members.get(member.number) is member:
            _LOG.error("worker %d (process %d) does not end, and is ended", member.number, member.process.pid)
            member.process.kill()

    def _report_if_ended(self) -> None:
        if not self._members:
            self._host.report_ended()


def _describe(status: int) -> str:
    return f"killed by signal {-status}" if status < 0 else f"with status {status}"
