"""Loading and unloading in one of several workers: the supervisor is asked, who has all of them do it."""

import itertools
from collections.abc import Callable, Sequence
from functools import partial

from modeldyno.records.server import ServedBundle
from modeldyno.server.call import Refusal
from modeldyno.server.repository.lifecycle import Done, Lifecycle
from modeldyno.server.repository.lifecycle import Prepared as Opened
from modeldyno.server.workers.messages import (
    Abandon,
    Answer,
    Ask,
    Changed,
    Commit,
    FromWorker,
    Prepare,
    Prepared,
    ToWorker,
    Unload,
    Verb,
)
from modeldyno.wire.v2_documents import ModelState


class WorkerControl:
    """A `ModelControl`. Its index is that of this process, which serves what the others serve.

    Args:
        lifecycle: makes the changes here.
        send: tells the supervisor.
        served: everything that was opened here.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        *,
        send: Callable[[FromWorker], None],
        served: Callable[[], Sequence[ServedBundle]],
    ) -> None:
        self._lifecycle = lifecycle
        self._send = send
        self._served = served
        self._numbers = itertools.count(1)
        self._asked: dict[int, Done] = {}
        self._opened: dict[int, Opened] = {}

    def load(self, name: str, done: Done) -> None:
        """See `ModelControl`."""
        self._ask("load", name, done)

    def unload(self, name: str, done: Done) -> None:
        """See `ModelControl`."""
        self._ask("unload", name, done)

    def index(self) -> list[ModelState]:
        """See `ModelControl`."""
        return self._lifecycle.index()

    def hear(self, message: ToWorker) -> None:
        """The supervisor answers, or wants a change made here."""
        match message:
            case Answer(question, problem, status):
                self._asked.pop(question)(problem, status)
            case Prepare(change, name):
                self._lifecycle.prepare(name, partial(self._tell_prepared, change))
            case Commit(change):
                opened = self._opened.pop(change)
                self._lifecycle.commit(opened)
                served = [one for one in self._served() if one.name == opened.name]
                self._send(Changed(change, None, 200, served))
            case Abandon(change):
                if change in self._opened:
                    self._lifecycle.abandon(self._opened.pop(change))
            case Unload(change, name):
                self._lifecycle.unload(name, lambda problem, status: self._send(Changed(change, problem, status)))
            case _:
                raise AssertionError(f"not a message for here: {message!r}")

    def _ask(self, verb: Verb, name: str, done: Done) -> None:
        question = next(self._numbers)
        self._asked[question] = done
        self._send(Ask(question, verb, name))

    def _tell_prepared(self, change: int, outcome: Opened | Refusal) -> None:
        if isinstance(outcome, Refusal):
            self._send(Prepared(change, outcome.message, outcome.status))
        else:
            self._opened[change] = outcome
            self._send(Prepared(change, None, 200))
