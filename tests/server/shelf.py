"""A source of models whose every opening is decided by the test."""

import threading
from collections.abc import Callable, Sequence

from modeldyno.errors import DynoError
from modeldyno.server.models.service import ServedModel

Make = Callable[[], ServedModel]


class Opened:
    """An `OpenedModel` that knows whether it was closed."""

    def __init__(self, served: ServedModel) -> None:
        self.served = served
        self.closed = threading.Event()

    def close(self) -> None:
        assert not self.closed.is_set()
        for session in self.served.sessions:
            session.close()
        self.closed.set()


class Shelf:
    """A `ModelSource`: by name, what makes its versions."""

    def __init__(self, **models: Sequence[Make]) -> None:
        self.models = dict(models)
        self.opened: list[Opened] = []
        self.attempts = 0
        self.problem: Exception | None = None
        """What opening raises; None: it succeeds."""
        self.gate = threading.Event()
        """Opening waits for it."""
        self.gate.set()

    def names(self) -> Sequence[str]:
        return sorted(self.models)

    def versions(self, name: str) -> Sequence[str]:
        return ["1" if make is make_broken else make().version for make in self.models.get(name, ())]

    def open(self, name: str) -> Sequence[Opened]:
        self.attempts += 1
        assert self.gate.wait(30)
        if self.problem is not None:
            raise self.problem
        opened = [Opened(make()) for make in self.models[name]]
        self.opened += opened
        return opened

    def wait_closed(self, *numbers: int) -> bool:
        """Wait until these, in the order in which they were opened, are closed."""
        patience = threading.Event()
        for _ in range(3000):
            if len(self.opened) > max(numbers, default=-1):
                return all(self.opened[number].closed.wait(30) for number in numbers)
            patience.wait(0.01)
        return False

    @property
    def still_open(self) -> list[str]:
        """Versions of what is not closed."""
        return [one.served.version for one in self.opened if not one.closed.is_set()]


class BrokenError(DynoError):
    """Why a model cannot be opened."""


def make_broken() -> ServedModel:
    """In the place of a version that cannot be opened."""
    raise BrokenError("cannot be opened")
