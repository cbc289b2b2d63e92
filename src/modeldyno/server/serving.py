"""A server from start to end."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version

from modeldyno.clock import Clock
from modeldyno.errors import UsageError
from modeldyno.records.server import ServerAccount, ServerSettings
from modeldyno.server.caching.redis import redis_store
from modeldyno.server.exchange import Handler
from modeldyno.server.hang_up import on_hang_up
from modeldyno.server.log_switch import LogSwitch
from modeldyno.server.metrics.routes import MetricsRouter
from modeldyno.server.metrics.slots import MetricsSlots
from modeldyno.server.models.service import ServedModel
from modeldyno.server.network.doors import Door, DoorName, Urls, doors_of
from modeldyno.server.network.listening import ConnectionListener, new_loop
from modeldyno.server.network.tls import Certificates
from modeldyno.server.plane import Plane
from modeldyno.server.protection.guard import GuardedRouter
from modeldyno.server.protection.protection import Protection
from modeldyno.server.repository.lifecycle import Lifecycle, ModelControl, ModelSource
from modeldyno.server.routes import Router
from modeldyno.server.served import Served

_LOG = logging.getLogger("modeldyno.server")

__all__ = ["ServedModel", "Server", "serve"]


def serve(
    models: Sequence[Served],
    settings: ServerSettings,
    *,
    clock: Clock,
    on_ready: Callable[[Urls], None],
    protection: Protection | None = None,
    slots: MetricsSlots | None = None,
    source: ModelSource | None = None,
) -> ServerAccount:
    """Serve the models until SIGTERM or SIGINT, then answer what was accepted and return.

    A second signal ends it at once. The sessions stay open: whoever opened them closes them.

    Args:
        models: at least one; of several versions of one name, the highest answers requests without a version.
        settings: where to listen, and the limits.
        clock: measures delays, time-outs and the server's own times.
        on_ready: called with the base URL of each door once requests can be sent.
        protection: keys and audit; the caller enters and leaves it.
        slots: where the processes of one server leave their counts for each other; None for a single process.
        source: of further models, which are opened and closed here, and can be loaded anew and unloaded.

    Raises:
        UsageError: the address cannot be listened on.
        InputError: the files for TLS are not what they should be.
    """
    server = Server(models, settings, clock=clock, protection=protection, slots=slots, source=source)
    return server.run(on_ready, signals=(signal.SIGTERM, signal.SIGINT))


class Server:
    """`serve` in parts: `run` blocks its thread, `stop` ends it from any other.

    Args:
        models: see `serve`.
        settings: see `serve`.
        clock: see `serve`.
        protection: see `serve`.
        slots: see `serve`.
        source: see `serve`.
        accepts: whether it listens itself; else its `listeners` adopt what another process has accepted.
    """

    def __init__(
        self,
        models: Sequence[Served],
        settings: ServerSettings,
        *,
        clock: Clock,
        protection: Protection | None = None,
        slots: MetricsSlots | None = None,
        source: ModelSource | None = None,
        accepts: bool = True,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._deadline_ns = 0
        self.loop = new_loop()
        """What everything of the server runs on."""
        self._ended = asyncio.Event()
        self._store = redis_store(settings, loop=self.loop, clock=clock)
        self._plane = Plane(models, loop=self.loop, clock=clock, slots=slots, store=self._store)
        self.lifecycle = (
            None if source is None else Lifecycle(self._plane, source, loop=self.loop, clock=clock, settings=settings)
        )
        """Loads and unloads models in this process; None where there is no source of them."""
        self.control: ModelControl | None = self.lifecycle
        """What those who load and unload are answered by."""
        self._guard = None if protection is None else protection.guard
        self._certificates = None if settings.tls is None else Certificates(settings.tls)
        self._accepts = accepts
        self._doors = doors_of(settings)
        self._undrained: set[str] = {door.name for door in self._doors}
        self.listeners = {door.name: self._new_listener(door) for door in self._doors}
        """By the door at which their connections come."""
        self.urls: dict[DoorName, str] = {}
        """Where each door is, once it is listened on."""

    def _new_listener(self, door: Door) -> ConnectionListener:
        return door.new_listener(
            self._settings,
            loop=self.loop,
            clock=self._clock,
            on_drained=partial(self._finish, door.name),
            certificates=self._certificates,
        )

    def _finish(self, name: str) -> None:
        """One of the listeners has drained; the last ends the server."""
        self._undrained.discard(name)
        if not self._undrained:
            self._ended.set()

    def run(self, on_ready: Callable[[Urls], None], *, signals: Sequence[signal.Signals] = ()) -> ServerAccount:
        """Serve until `stop` or one of `signals`, which only the main thread can take.

        Raises:
            UsageError: the address cannot be listened on.
        """
        asyncio.set_event_loop(self.loop)
        try:
            if self.lifecycle is not None:
                self.lifecycle.open_first(skip_broken=self._settings.skip_broken)
            self.loop.run_until_complete(self._run(on_ready, signals))
        finally:
            if self._store is not None:
                self.loop.run_until_complete(self._store.close())
            self._plane.close(self._deadline_ns)
            if self.lifecycle is not None:
                self.lifecycle.close(self._deadline_ns)
            asyncio.set_event_loop(None)
            self.loop.close()
        account = self._plane.tally.account()
        if account.unaccounted:
            _LOG.error("a defect of the server: it is not known what became of %d requests", account.unaccounted)
        return account

    async def _run(self, on_ready: Callable[[Urls], None], signals: Sequence[signal.Signals]) -> None:
        try:
            await self._listen()
        except BaseException:
            # uvloop does not end while anything listens.
            self.drain()
            self.drain()
            await asyncio.sleep(0)
            raise
        # Within the running loop: a signal that uvloop gets before it runs is lost.
        for number in signals:
            self.loop.add_signal_handler(number, self.drain)
        if signals:
            renew = None if self._certificates is None else self.renew_certificates
            on_hang_up(self.loop, renew=renew, end=self._leave)
        on_ready(self.urls)
        await self._ended.wait()

    async def _listen(self) -> None:
        if self._store is not None:
            _check_sharing(self._plane)
            self._store.start()
        for door in self._doors:
            listener, router = self.listeners[door.name], self._router(door)
            if self._accepts:
                port = await listener.listen(router, option=door.option)
                self.urls[door.name] = door.url(port, is_encrypted=self._certificates is not None)
            else:
                listener.open(router)
        self._plane.metrics.start()

    def _router(self, door: Door) -> Handler:
        if door.name == "metrics":
            return self._behind_guard(MetricsRouter(self._plane.metrics))
        return self._behind_guard(
            Router(
                self._plane,
                version=version("modeldyno"),
                opens_admin=door.opens_admin,
                has_metrics="metrics" not in self.listeners,
                control=self.control,
            )
        )

    def _behind_guard(self, router: Handler) -> Handler:
        return router if self._guard is None else GuardedRouter(router, self._guard, self._plane.tally)

    def stop(self) -> None:
        """Begin to drain; a second time, end at once. Does nothing when the server has ended."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self.loop.call_soon_threadsafe(self.drain)

    def drain(self) -> None:
        """The same, on the thread of the loop."""
        # A second call does not wait: neither for answers nor for threads.
        first = self._plane.is_ready
        self._deadline_ns = self._clock.now_ns() + (self._settings.drain_timeout_ns if first else 0)
        self._plane.is_ready = False
        if self.lifecycle is not None:
            self.lifecycle.stop()
        for listener in self.listeners.values():
            listener.drain()

    def _leave(self) -> None:
        """Drain, unless that has begun."""
        if self._plane.is_ready:
            self.drain()

    @property
    def is_ready(self) -> bool:
        """Whether new requests are welcome, and all models answer."""
        return self._plane.is_ready and all(service.is_able for service in self._plane)

    @property
    def log(self) -> LogSwitch:
        """What this process logs."""
        return self._plane.log

    def renew_certificates(self) -> None:
        """Read certificate and key again, where there are any."""
        if self._certificates is not None:
            self._certificates.renew()

    def account(self) -> ServerAccount:
        """What became of the requests so far; those on their way are unaccounted."""
        return self._plane.tally.account()


def _check_sharing(plane: Plane) -> None:
    """Refuse to share the answers of models that keep none.

    Raises:
        UsageError: there are models, and none of them has a cache.
    """
    services = list(plane)
    if services and not any(service.config().get("response_cache", {}).get("enable") for service in services):
        raise UsageError(
            "answers are to be shared through Redis, but no model keeps any",
            why="Redis is asked for what the cache in memory does not hold, and that one has no size",
            hint="give it a size: --cache 64MB",
        )
