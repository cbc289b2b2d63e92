"""A server from start to end."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

import msgspec

from modeldyno.clock import Clock
from modeldyno.records.server import ServerAccount, ServerSettings
from modeldyno.server.exchange import Handler
from modeldyno.server.guard import GuardedRouter
from modeldyno.server.http1 import Listener, new_loop
from modeldyno.server.metrics_routes import MetricsRouter
from modeldyno.server.metrics_slots import MetricsSlots
from modeldyno.server.plane import Plane
from modeldyno.server.protection import Protection
from modeldyno.server.routes import Router
from modeldyno.server.service import ServedModel
from modeldyno.server.tls import HTTP1, HTTP2, Certificates

if TYPE_CHECKING:
    from modeldyno.server.grpc import GrpcListener

_LOG = logging.getLogger("modeldyno.server")

__all__ = ["ServedModel", "Server", "serve"]


def serve(
    models: Sequence[ServedModel],
    settings: ServerSettings,
    *,
    clock: Clock,
    on_ready: Callable[[str], None],
    protection: Protection | None = None,
    on_grpc_ready: Callable[[str], None] = lambda _url: None,
    slots: MetricsSlots | None = None,
) -> ServerAccount:
    """Serve the models until SIGTERM or SIGINT, then answer what was accepted and return.

    A second signal ends it at once. The sessions stay open: whoever opened them closes them.

    Args:
        models: at least one; of several versions of one name, the highest answers requests without a version.
        settings: where to listen, and the limits.
        clock: measures delays, time-outs and the server's own times.
        on_ready: called with the base URL once requests can be sent.
        protection: keys and audit; the caller enters and leaves it.
        on_grpc_ready: called with the URL of gRPC before `on_ready`, if the settings have a port for it.
        slots: where the processes of one server leave their counts for each other; None for a single process.

    Raises:
        UsageError: the address cannot be listened on.
        InputError: the files for TLS are not what they should be.
    """
    server = Server(models, settings, clock=clock, protection=protection, slots=slots)

    def announce(url: str) -> None:
        if server.grpc_url:
            on_grpc_ready(server.grpc_url)
        on_ready(url)

    return server.run(announce, signals=(signal.SIGTERM, signal.SIGINT))


class Server:
    """`serve` in parts: `run` blocks its thread, `stop` ends it from any other."""

    def __init__(
        self,
        models: Sequence[ServedModel],
        settings: ServerSettings,
        *,
        clock: Clock,
        protection: Protection | None = None,
        slots: MetricsSlots | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._deadline_ns = 0
        self._loop = new_loop()
        self._ended = asyncio.Event()
        self._plane = Plane(models, loop=self._loop, clock=clock, slots=slots)
        self._guard = None if protection is None else protection.guard
        self._certificates = None if settings.tls is None else Certificates(settings.tls)
        self._undrained: set[str] = set()
        self._listener = self._new_listener("main", settings)
        self._admin_listener: Listener | None = None
        self.admin_url = ""
        """Where administration is answered; empty where nowhere."""
        if settings.admin_port is not None:
            admin = msgspec.structs.replace(settings, host=settings.admin_host, port=settings.admin_port)
            self._admin_listener = self._new_listener("admin", admin)
        self._metrics_listener: Listener | None = None
        self.metrics_url = ""
        """Where metrics are answered when not on the main port."""
        if settings.metrics_port is not None:
            own = msgspec.structs.replace(settings, port=settings.metrics_port)
            self._metrics_listener = self._new_listener("metrics", own)
        self._grpc_listener = self._new_grpc_listener() if settings.grpc_port is not None else None
        self.grpc_url = ""
        """Where gRPC is answered; empty where nowhere."""

    def _new_listener(self, name: str, settings: ServerSettings) -> Listener:
        self._undrained.add(name)
        tls = None if self._certificates is None else self._certificates.context(HTTP1)
        drained = partial(self._finish, name)
        return Listener(settings, loop=self._loop, clock=self._clock, on_drained=drained, tls=tls)

    def _new_grpc_listener(self) -> "GrpcListener":
        from modeldyno.server.grpc import GrpcListener  # protobuf takes 10 MB, which a server of HTTP alone can spare

        self._undrained.add("grpc")
        tls = None if self._certificates is None else self._certificates.context(HTTP2)
        drained = partial(self._finish, "grpc")
        return GrpcListener(self._settings, loop=self._loop, clock=self._clock, on_drained=drained, tls=tls)

    def _finish(self, name: str) -> None:
        """One of the listeners has drained; the last ends the server."""
        self._undrained.discard(name)
        if not self._undrained:
            self._ended.set()

    def run(self, on_ready: Callable[[str], None], *, signals: Sequence[signal.Signals] = ()) -> ServerAccount:
        """Serve until `stop` or one of `signals`, which only the main thread can take.

        Raises:
            UsageError: the address cannot be listened on.
        """
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._run(on_ready, signals))
        finally:
            self._plane.close(self._deadline_ns)
            asyncio.set_event_loop(None)
            self._loop.close()
        account = self._plane.tally.account()
        if account.unaccounted:
            _LOG.error("a defect of the server: it is not known what became of %d requests", account.unaccounted)
        return account

    async def _run(self, on_ready: Callable[[str], None], signals: Sequence[signal.Signals]) -> None:
        try:
            url = await self._listen()
        except BaseException:
            # uvloop does not end while anything listens.
            self._drain()
            self._drain()
            await asyncio.sleep(0)
            raise
        # Within the running loop: a signal that uvloop gets before it runs is lost.
        for number in signals:
            self._loop.add_signal_handler(number, self._drain)
        if self._certificates is not None and signals:
            self._loop.add_signal_handler(signal.SIGHUP, self._certificates.renew)
        on_ready(url)
        await self._ended.wait()

    async def _listen(self) -> str:
        url = await self._listener.listen(self._guarded(opens_admin=False))
        if self._admin_listener is not None:
            self.admin_url = await self._admin_listener.listen(self._guarded(opens_admin=True))
        if self._metrics_listener is not None:
            router = self._behind_guard(MetricsRouter(self._plane.metrics))
            self.metrics_url = await self._metrics_listener.listen(router)
        self._plane.metrics.start()
        if self._grpc_listener is not None:
            self.grpc_url = await self._grpc_listener.listen(
                self._guarded(opens_admin=False), self._settings.grpc_port or 0
            )
        return url

    def _guarded(self, *, opens_admin: bool) -> Handler:
        has_metrics = self._metrics_listener is None
        return self._behind_guard(
            Router(self._plane, version=version("modeldyno"), opens_admin=opens_admin, has_metrics=has_metrics)
        )

    def _behind_guard(self, router: Handler) -> Handler:
        return router if self._guard is None else GuardedRouter(router, self._guard, self._plane.tally)

    def stop(self) -> None:
        """Begin to drain; a second time, end at once. Does nothing when the server has ended."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        # A second call does not wait: neither for answers nor for threads.
        first = self._plane.is_ready
        self._deadline_ns = self._clock.now_ns() + (self._settings.drain_timeout_ns if first else 0)
        self._plane.is_ready = False
        self._listener.drain()
        if self._admin_listener is not None:
            self._admin_listener.drain()
        if self._metrics_listener is not None:
            self._metrics_listener.drain()
        if self._grpc_listener is not None:
            self._grpc_listener.drain()
