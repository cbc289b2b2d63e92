"""The part of an event loop that the server's models use."""

from collections.abc import Callable
from typing import Protocol


class Handle(Protocol):
    """What a loop returns for a timer."""

    def cancel(self) -> None:
        """Never call it."""
        ...


class Loop(Protocol):
    """The part of an event loop that the batcher and its instances use."""

    def call_soon(self, callback: Callable[..., object], *args: object) -> object:
        """Call it in the next turn."""
        ...

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: object) -> object:
        """Call it in the next turn, from another thread."""
        ...

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> Handle:
        """Call it after `delay` seconds."""
        ...
