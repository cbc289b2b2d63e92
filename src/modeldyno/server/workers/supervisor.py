"""A server of several processes: this one accepts, the others answer."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Sequence

import msgspec

from modeldyno.clock import Clock
from modeldyno.errors import DynoError
from modeldyno.records.server import ServedBundle, ServerAccount, ServerSettings
from modeldyno.server.hang_up import on_hang_up
from modeldyno.server.network.doors import Door, DoorName, Urls, doors_of
from modeldyno.server.network.listening import new_loop
from modeldyno.server.workers.changes import Changes
from modeldyno.server.workers.crew import Crew
from modeldyno.server.workers.entrance import Entrance
from modeldyno.server.workers.member import Hire, Member
from modeldyno.server.workers.messages import FromWorker
from modeldyno.server.workers.refusal import Refusals

_LOG = logging.getLogger("modeldyno.server")
_GRACE_S = 0.1
_NOBODY = "no worker process answers at the moment; try again later"

OnReady = Callable[[Urls, Sequence[ServedBundle]], None]


class Supervisor:
    """Accepts on all doors and hands each connection to a worker; opens no model itself.

    Args:
        settings: of the server, `workers` among them.
        hire: starts a worker process.
        clock: of this process.
    """

    def __init__(self, settings: ServerSettings, *, hire: Hire, clock: Clock) -> None:
        self._settings = settings
        self.loop = new_loop()
        """What everything of the supervisor runs on."""
        self._ended = asyncio.Event()
        self._entrances: list[Entrance] = []
        self.crew = Crew(settings, hire=hire, loop=self.loop, clock=clock, host=self)
        """The workers."""
        self._changes = Changes(lambda: [member for member in self.crew if member.takes_part])
        self._refusals = Refusals(settings, loop=self.loop, clock=clock)
        self._on_ready: OnReady = lambda _urls, _served: None
        self._problem: DynoError | None = None
        self._is_stopping = False
        self._doors = {door.name: door for door in doors_of(settings)}

    def run(self, on_ready: OnReady, *, signals: Sequence[signal.Signals] = ()) -> ServerAccount:
        """Serve until one of `signals`, then have all workers answer what they accepted; a second one ends at once.

        Args:
            on_ready: called with where each door is and what is served, once all workers have started.
            signals: those that end it; SIGHUP does, too, where there are no certificates to renew.

        Returns:
            The sum of the workers' accounts. Of one that was killed, what it accepted and did not answer is lost.

        Raises:
            DynoError: an address cannot be listened on, or the workers cannot start.
        """
        self._on_ready = on_ready
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._run(signals))
        finally:
            self.crew.end_all()
            asyncio.set_event_loop(None)
            self.loop.close()
        if self._problem is not None:
            raise self._problem
        account = self.crew.account()
        return msgspec.structs.replace(account, refused=account.refused + self._refusals.requests)

    async def _run(self, signals: Sequence[signal.Signals]) -> None:
        try:
            for door in self._doors.values():
                self._entrances.append(Entrance(door, loop=self.loop, on_connection=self._take))
            for number in signals:
                self.loop.add_signal_handler(number, self.stop)
            if signals:
                on_hang_up(self.loop, renew=None if self._settings.tls is None else self.renew, end=self._leave)
            self.crew.start()
        except DynoError as problem:
            self.report_failure(problem)
        await self._ended.wait()
        await self._refusals.end()

    def stop(self) -> None:
        """Have all workers drain; a second time, end at once."""
        if self._is_stopping:
            self._close()
            return
        self._is_stopping = True
        # What waits in the backlog when the signal comes is handed on first.
        self.loop.call_later(_GRACE_S, self._close)

    def _leave(self) -> None:
        """Have all workers drain, unless that has begun."""
        if not self._is_stopping:
            self.stop()

    def _close(self) -> None:
        for entrance in self._entrances:
            entrance.close()
        self._entrances = []
        self._refusals.dismiss()
        self.crew.stop()

    def renew(self) -> None:
        """Have all processes read certificate and key again."""
        self._refusals.renew()
        self.crew.renew()

    def _take(self, door: Door, connection: socket.socket) -> None:
        limit = self._settings.max_connections
        if self.crew.open_connections(door.name) >= limit:
            self._refusals.reason = f"more than {limit} connections; try again later"
        elif self.crew.hand(door.name, connection):
            return
        else:
            self._refusals.reason = _NOBODY
        self._refusals.adopt(door, connection)

    # What the crew tells.

    def report_complete(self) -> None:
        """See `Host`."""
        if self._is_stopping:
            return
        try:
            for entrance in self._entrances:
                entrance.open()
        except DynoError as problem:
            self.report_failure(problem)
            return
        is_encrypted = self._settings.tls is not None
        urls = {one.door.name: one.door.url(one.port, is_encrypted=is_encrypted) for one in self._entrances}
        self._on_ready(urls, self._changes.served() or ())

    def what_is_served(self) -> tuple[int, Sequence[ServedBundle] | None]:
        """See `Host`."""
        return self._changes.count, self._changes.served()

    def admit(self, member: Member, served: Sequence[ServedBundle], join: Callable[[], None]) -> None:
        """See `Host`."""
        self._changes.admit(member, served, join)

    def report_joined(self) -> None:
        """See `Host`."""
        self._refusals.dismiss()

    def report_gone(self, member: Member) -> None:
        """See `Host`."""
        self._changes.leave_out(member)

    def take_back(self, door: DoorName, connection: socket.socket) -> None:
        """See `Host`."""
        self._take(self._doors[door], connection)

    def report_failure(self, problem: DynoError) -> None:
        """See `Host`."""
        self._problem = self._problem or problem
        self._is_stopping = True
        self._close()

    def report_ended(self) -> None:
        """See `Host`."""
        self._ended.set()

    def hear(self, member: Member, message: FromWorker) -> None:
        """See `Host`."""
        self._changes.hear(member, message)
