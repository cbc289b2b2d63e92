"""Services that no request finds any more, until they have answered what they accepted."""

from collections.abc import Callable, Iterator

from modeldyno.clock import Clock
from modeldyno.server.loop import Loop
from modeldyno.server.served import Service

_LOOK_S = 0.02
_TOO_LATE = "the model was unloaded before this was answered; ask again"


class Draining:
    """Closes each when nothing of it is in progress any more, or when its time is over; then calls back.

    It looks now and then: to be told by each request would cost every request something.

    Args:
        loop: of the server.
        clock: of the server.
        limit_ns: from `add` until what is left is lost.
    """

    def __init__(self, *, loop: Loop, clock: Clock, limit_ns: int) -> None:
        self._loop = loop
        self._clock = clock
        self._limit_ns = limit_ns
        self._until_ns: dict[Service, int] = {}
        self._closed: dict[Service, Callable[[], None]] = {}

    def __iter__(self) -> Iterator[Service]:
        return iter(self._until_ns)

    def add(self, service: Service, closed: Callable[[], None]) -> None:
        """Begin to drain it; `closed` is called when it is closed."""
        if not self._until_ns:
            self._loop.call_soon(self._look)
        self._until_ns[service] = self._clock.now_ns() + self._limit_ns
        self._closed[service] = closed

    def close(self, until_ns: int) -> None:
        """Close all, waiting until then; what is left is lost, and nobody is told."""
        for service in list(self._until_ns):
            del self._until_ns[service]
            service.close(until_ns)
            self._closed.pop(service)()

    def _look(self) -> None:
        now_ns = self._clock.now_ns()
        for service, until_ns in list(self._until_ns.items()):
            if service.in_progress and now_ns < until_ns:
                continue
            del self._until_ns[service]
            service.close(0, _TOO_LATE)
            self._closed.pop(service)()
        if self._until_ns:
            self._loop.call_later(_LOOK_S, self._look)
