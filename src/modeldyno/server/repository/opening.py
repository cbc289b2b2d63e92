"""Opening models on threads of their own while the server goes on."""

import logging
import threading
from collections.abc import Callable, Sequence

from modeldyno.clock import Clock
from modeldyno.errors import DynoError
from modeldyno.server.call import Refusal
from modeldyno.server.loop import Handle, Loop
from modeldyno.server.repository.model_source import ModelSource, OpenedModel, close_all

_LOG = logging.getLogger("modeldyno.server")
SHUTTING_DOWN = Refusal(503, "the server is shutting down")

Opened = Sequence[OpenedModel] | Refusal
OpenedDone = Callable[[Opened], None]


class _Attempt:
    """One thread that opens a model."""

    def __init__(self, name: str, done: OpenedDone, timer: Handle) -> None:
        self.name = name
        self.done: OpenedDone | None = done
        """None once it was told: what is opened after that is closed again."""
        self.timer = timer
        self.is_hung = False
        self.thread: threading.Thread | None = None

    def tell(self, outcome: Opened) -> None:
        self.timer.cancel()
        done, self.done = self.done, None
        if done is not None:
            done(outcome)


class Openings:
    """At most one thread for each model, with a limit after which its result is not waited for any more.

    Args:
        source: what opens them.
        loop: where `done` is called.
        clock: of the server.
        limit_ns: for one model.
    """

    def __init__(self, source: ModelSource, *, loop: Loop, clock: Clock, limit_ns: int) -> None:
        self._source = source
        self._loop = loop
        self._clock = clock
        self._limit_ns = limit_ns
        self._attempts: dict[str, _Attempt] = {}
        self._is_stopped = False

    def is_under_way(self, name: str) -> bool:
        """Whether somebody waits for it to be opened."""
        return name in self._attempts and self._attempts[name].done is not None

    def begin(self, name: str, done: OpenedDone) -> None:
        """Open it; `done` is called once, with what was opened and belongs to it then, or with why not."""
        if self._is_stopped:
            done(SHUTTING_DOWN)
            return
        if name in self._attempts:
            done(Refusal(503, f"{name!r} is still being opened; where that hangs, only a new process helps"))
            return
        timer = self._loop.call_later(self._limit_ns / 1e9, self._give_up, name)
        attempt = self._attempts[name] = _Attempt(name, done, timer)
        # A daemon: a model that never opens must not keep a drained server from ending.
        attempt.thread = threading.Thread(target=self._work, args=(attempt,), name="open-model", daemon=True)
        attempt.thread.start()

    def stop(self) -> None:
        """Tell everybody who waits that the server is shutting down."""
        self._is_stopped = True
        for attempt in list(self._attempts.values()):
            attempt.tell(SHUTTING_DOWN)

    def close(self, until_ns: int) -> None:
        """Wait until then for what is being opened, so that it is closed; not for what hangs."""
        self.stop()
        for attempt in self._attempts.values():
            if attempt.thread is not None and not attempt.is_hung:
                attempt.thread.join(max(0, until_ns - self._clock.now_ns()) / 1e9)

    def _work(self, attempt: _Attempt) -> None:
        """On the attempt's thread."""
        outcome: Opened
        try:
            if attempt.name in self._source.names():
                outcome = self._source.open(attempt.name)
            else:
                outcome = Refusal(404, f"failed to load {attempt.name!r}: there is no model of this name")
        except DynoError as problem:
            outcome = Refusal(400, f"failed to load {attempt.name!r}: {problem.in_a_line}")
        except Exception as problem:  # noqa: BLE001 - it is logged, and told to whoever asked
            _LOG.exception("model %r could not be opened", attempt.name)
            outcome = Refusal(500, f"failed to load {attempt.name!r}: {type(problem).__name__}: {problem}")
        try:
            self._loop.call_soon_threadsafe(self._take, attempt, outcome)
        except RuntimeError:  # the loop is closed: the server has ended
            if not isinstance(outcome, Refusal):
                close_all(outcome)

    def _take(self, attempt: _Attempt, outcome: Opened) -> None:
        del self._attempts[attempt.name]
        if attempt.done is None and not isinstance(outcome, Refusal):
            close_elsewhere(outcome)
        attempt.tell(outcome)

    def _give_up(self, name: str) -> None:
        attempt = self._attempts[name]
        attempt.is_hung = True
        reason = f"failed to load {name!r}: it was not opened within {self._limit_ns / 1e9:g} s"
        _LOG.error("%s; its thread goes on", reason)
        attempt.tell(Refusal(503, reason))


def close_elsewhere(opened: Sequence[OpenedModel]) -> None:
    """Not on the loop's thread: a large model takes its time to be freed."""
    threading.Thread(target=close_all, args=(tuple(opened),), name="close-model").start()
