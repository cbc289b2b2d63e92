"""The counts of all models of a server, of all its processes."""

from collections.abc import Sequence

from modeldyno.clock import Clock
from modeldyno.server.loop import Handle, Loop
from modeldyno.server.metrics.model_counts import ModelCounts
from modeldyno.server.metrics.page import make_page
from modeldyno.server.metrics.process import own_process
from modeldyno.server.metrics.slots import Left, MetricsSlots, ModelKey
from modeldyno.server.metrics.totals import ModelTotals, add_models, add_processes
from modeldyno.wire.prometheus import format_exposition

LEAVE_EVERY_S = 0.25
"""What a killed process counted since it left its counts last is not counted: no more than this."""


class Metrics:
    """Keeps the counts of every model that was ever served here, so that none goes back when one is loaded anew.

    Args:
        loop: of the server.
        clock: of the server.
        slots: where the other processes of the server are heard of; None for a server of one process.
    """

    def __init__(self, *, loop: Loop, clock: Clock, slots: MetricsSlots | None = None) -> None:
        self._loop = loop
        self._clock = clock
        self._slots = slots
        self._counts: dict[ModelKey, ModelCounts] = {}
        self._timer: Handle | None = None

    def counts_of(self, name: str, version: str) -> ModelCounts:
        """Where this version of a model is counted."""
        key = (name, version)
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = ModelCounts(self._clock, lambda: self._elsewhere(key))
        return counts

    def start(self) -> None:
        """Leave the counts for the other processes from now on; without slots there is nobody to leave them for."""
        if self._slots is not None:
            self._leave()
            self._timer = self._loop.call_later(LEAVE_EVERY_S, self.start)

    def stop(self) -> None:
        """Leave the last counts."""
        if self._timer is not None:
            self._timer.cancel()
            self._leave()
            self._timer = None

    def page(self, *, openmetrics: bool) -> bytes:
        """The counts of all processes, in the text format of Prometheus or in that of OpenMetrics."""
        everything = _add([self._own(), *self._lives()])
        return format_exposition(make_page(everything.models, everything.process), openmetrics=openmetrics)

    def _own(self) -> Left:
        return Left(
            at_ns=self._clock.now_ns(),
            models={key: counts.own_totals() for key, counts in self._counts.items()},
            process=own_process(),
        )

    def _lives(self) -> list[Left]:
        """Of the other processes, and of those that had this process's slot before."""
        if self._slots is None:
            return []
        return [*self._slots.others(self._clock.now_ns()), *self._slots.before]

    def _elsewhere(self, key: ModelKey) -> list[ModelTotals]:
        return [left.models[key] for left in self._lives() if key in left.models]

    def _leave(self) -> None:
        if self._slots is not None:
            self._slots.leave(_add([self._own(), *self._slots.before]))


def _add(lives: Sequence[Left]) -> Left:
    """The sum of several; the first says when."""
    keys = sorted({key for left in lives for key in left.models})
    return Left(
        at_ns=lives[0].at_ns,
        models={key: add_models(left.models[key] for left in lives if key in left.models) for key in keys},
        process=add_processes(left.process for left in lives),
    )
