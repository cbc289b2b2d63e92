"""Ctrl-C as a question that can be asked, so that it never hits in the middle of a message."""

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self


class Interruption:
    """While this context is open, the first SIGINT only sets `asked`; the second one acts as it did before.

    Signals that were ignored stay ignored, and outside of the main thread, where Python delivers no signals,
    nothing changes.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Callable[[int, FrameType | None], Any] | int | signal.Handlers | None = None
        self._is_installed = False

    def __enter__(self) -> Self:
        before = signal.getsignal(signal.SIGINT)
        if before not in (signal.SIG_IGN, None):
            try:
                signal.signal(signal.SIGINT, self._ask)
            except ValueError:  # not the main thread
                return self
            self._before = before
            self._is_installed = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
        self._restore()

    def _restore(self) -> None:
        if self._is_installed:
            signal.signal(signal.SIGINT, self._before)
            self._is_installed = False
