"""Looks that are repeated while a load runs, on a thread of the instrument's parent process.

The senders are processes of their own, and the thread steps aside for them, so that looking takes no time from them.
"""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from modeldyno.clock import Clock
from modeldyno.loadgen.aside import step_aside


class Rounds:
    """While its context is open: looks at once, then regularly, and a last time when the context is left.

    Args:
        look: what to do; one that takes longer than the interval is followed by the next at once.
        name: of the thread.
        clock: CLOCK_MONOTONIC.
        every_ns: between the begins of two looks.
    """

    def __init__(self, look: Callable[[], None], *, name: str, clock: Clock, every_ns: int) -> None:
        self._look = look
        self._clock = clock
        self._every_ns = every_ns
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go, name=name, daemon=True)
        self.name = name
        self.problem: Exception | None = None
        """Why the looking ended early; None when it did not."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _go(self) -> None:
        step_aside()
        next_ns = self._clock.now_ns()
        try:
            while not self._ended.wait(max(0.0, (next_ns - self._clock.now_ns()) / 1e9)):
                self._look()
                next_ns = max(next_ns + self._every_ns, self._clock.now_ns())
            self._look()
        except (OSError, ValueError) as problem:  # a thread has nobody to raise to; the caller says it
            self.problem = problem
