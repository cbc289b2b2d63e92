"""A server from start to end."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence
from importlib.metadata import version

from modeldyno.clock import Clock
from modeldyno.records.server import ServerAccount, ServerSettings
from modeldyno.server.http1 import Listener, new_loop
from modeldyno.server.plane import Plane
from modeldyno.server.routes import Router
from modeldyno.server.service import ServedModel

__all__ = ["ServedModel", "Server", "serve"]


def serve(
    models: Sequence[ServedModel],
    settings: ServerSettings,
    *,
    clock: Clock,
    on_ready: Callable[[str], None],
) -> ServerAccount:
    """Serve the models until SIGTERM or SIGINT, then answer what was accepted and return.

    A second signal ends it at once. The sessions stay open: whoever opened them closes them.

    Args:
        models: at least one; of several versions of one name, the highest answers requests without a version.
        settings: where to listen, and the limits.
        clock: measures delays, time-outs and the server's own times.
        on_ready: called with the base URL once requests can be sent.

    Raises:
        UsageError: the address cannot be listened on.
    """
    server = Server(models, settings, clock=clock)
    return server.run(on_ready, signals=(signal.SIGTERM, signal.SIGINT))


class Server:
    """`serve` in parts: `run` blocks its thread, `stop` ends it from any other."""

    def __init__(self, models: Sequence[ServedModel], settings: ServerSettings, *, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._deadline_ns = 0
        self._loop = new_loop()
        self._ended = asyncio.Event()
        self._plane = Plane(models, loop=self._loop, clock=clock)
        self._listener = Listener(settings, loop=self._loop, clock=clock, on_drained=self._ended.set)

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
        return self._plane.tally.account()

    async def _run(self, on_ready: Callable[[str], None], signals: Sequence[signal.Signals]) -> None:
        url = await self._listener.listen(Router(self._plane, version=version("modeldyno")))
        # Within the running loop: a signal that uvloop gets before it runs is lost.
        for number in signals:
            self._loop.add_signal_handler(number, self._drain)
        on_ready(url)
        await self._ended.wait()

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
