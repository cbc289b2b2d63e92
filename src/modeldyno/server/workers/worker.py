"""A server that gets its connections from a supervisor."""

import os
import signal
import socket
from collections.abc import Callable, Sequence
from functools import partial

from modeldyno.policies.restarting import BEAT_S
from modeldyno.records.server import ServedBundle, ServerAccount
from modeldyno.server.network.doors import DoorName, Urls
from modeldyno.server.serving import Server
from modeldyno.server.workers.control import WorkerControl
from modeldyno.server.workers.link import Link, tell
from modeldyno.server.workers.messages import (
    Adopt,
    Adopted,
    Beat,
    Closed,
    Done,
    FromWorker,
    Leaving,
    Renew,
    Started,
    Stop,
    ToWorker,
    Turn,
    Turned,
)


class Worker:
    """Runs a server that listens nowhere, and does what the supervisor says.

    Args:
        server: made with `accepts=False`, and a source of models.
        end: of the link.
        served: everything that the server has opened.
    """

    def __init__(
        self,
        server: Server,
        end: socket.socket,
        *,
        served: Callable[[], Sequence[ServedBundle]],
    ) -> None:
        assert server.lifecycle is not None  # noqa: S101 - see above: it has a source
        self._server = server
        self._end = end
        self._served = served
        self._link: Link[ToWorker] | None = None
        self._control = server.control = WorkerControl(server.lifecycle, send=self.send, served=served)
        for door, listener in server.listeners.items():
            listener.on_closed = partial(self._count_closed, door)
        server.log.on_turned = lambda settings: self.send(Turned(settings))

    def run(self) -> ServerAccount:
        """Serve until the supervisor says `Stop`, and drain; it gets the account, too."""
        account = self._server.run(self._begin)
        end = self._end if self._link is None else self._link.release()
        tell(end, Done(account))
        return account

    def send(self, message: FromWorker) -> None:
        """Tell the supervisor."""
        if self._link is not None:
            self._link.send(message)

    def _begin(self, _urls: Urls) -> None:
        loop = self._server.loop
        self._link = Link(self._end, ToWorker, loop=loop, on_message=self._hear, on_end=self._end_now)
        # Whoever sends it to a worker alone means this worker; the supervisor must hear of it before it drains, for
        # connections may be on their way.
        loop.add_signal_handler(signal.SIGTERM, partial(self.send, Leaving()))
        loop.add_signal_handler(signal.SIGHUP, self._server.renew_certificates)
        self.send(Started(self._served()))
        self._beat()

    def _beat(self) -> None:
        self.send(Beat(self._server.account(), self._server.is_ready))
        self._server.loop.call_later(BEAT_S, self._beat)

    def _count_closed(self, door: DoorName) -> None:
        self.send(Closed(door))

    def _hear(self, message: ToWorker, connection: socket.socket | None) -> None:
        match message:
            case Adopt(door):
                # Before anything of it is read: what ends this process is not given to the next one.
                self.send(Adopted())
                listener = self._server.listeners[door]
                if connection is None:  # no descriptor was free for it, and it is closed
                    self._count_closed(door)
                else:
                    listener.adopt(connection)
            case Stop():
                self._server.drain()
            case Renew():
                self._server.renew_certificates()
            case Turn(settings):
                self._server.log.apply(settings)
            case _:
                self._control.hear(message)

    def _end_now(self) -> None:
        """The supervisor is gone: another may be started that takes these cores, and nobody could stop us."""
        os._exit(1)
