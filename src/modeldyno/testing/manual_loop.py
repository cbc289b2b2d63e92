"""An event loop that turns only when it is told to, on a clock that moves only with it."""

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count
from queue import Empty, SimpleQueue

from modeldyno.testing.clock import ManualClock

_PATIENCE_S = 20.0

_Callback = tuple[Callable[..., object], tuple[object, ...]]


class ManualTimer:
    """A timer of a `ManualLoop`."""

    def __init__(self, callback: _Callback) -> None:
        self.callback: _Callback | None = callback

    def cancel(self) -> None:
        """Never call it."""
        self.callback = None


class ManualLoop:
    """A `modeldyno.server.loop.Loop` for tests: nothing waits, and the order of things is always the same."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._ready: deque[_Callback] = deque()
        self._from_threads: SimpleQueue[_Callback] = SimpleQueue()
        self._timers: list[tuple[int, int, ManualTimer]] = []
        self._numbers = count()

    def call_soon(self, callback: Callable[..., object], *args: object) -> None:
        """See `Loop`."""
        self._ready.append((callback, args))

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: object) -> None:
        """See `Loop`: it is called by `wait_for_thread`."""
        self._from_threads.put((callback, args))

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> ManualTimer:
        """See `Loop`: it is called by `advance_ns`."""
        timer = ManualTimer((callback, args))
        heapq.heappush(self._timers, (self._clock.now_ns() + round(delay * 1e9), next(self._numbers), timer))
        return timer

    @property
    def timers(self) -> int:
        """How many timers are set."""
        return sum(timer.callback is not None for _, _, timer in self._timers)

    def run(self) -> None:
        """Call what is to be called now, and what follows from that."""
        while self._ready:
            callback, args = self._ready.popleft()
            callback(*args)

    def wait_for_thread(self) -> None:
        """Wait until a thread wants something to be called, call it, and what follows from it.

        Raises:
            TimeoutError: none did for 20 s.
        """
        try:
            self._ready.append(self._from_threads.get(timeout=_PATIENCE_S))
        except Empty:
            raise TimeoutError("no thread had anything to say for 20 s") from None
        self.run()

    def advance_ns(self, duration_ns: int) -> None:
        """Let time pass, and the timers go off at their moments."""
        until_ns = self._clock.now_ns() + duration_ns
        self.run()
        while self._timers and self._timers[0][0] <= until_ns:
            moment_ns, _, timer = heapq.heappop(self._timers)
            self._clock.sleep_until_ns(moment_ns)
            if timer.callback is not None:
                callback, args = timer.callback
                timer.callback = None
                callback(*args)
                self.run()
        self._clock.sleep_until_ns(until_ns)
