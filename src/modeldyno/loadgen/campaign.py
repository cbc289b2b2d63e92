"""The time from the start of the sending to its end, as the parent spends it: listening, showing, measuring."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.clock import Clock
from modeldyno.errors import ToolError
from modeldyno.loadgen.crew import Crew, Death
from modeldyno.loadgen.interruption import Interruption
from modeldyno.loadgen.live_view import LiveView
from modeldyno.loadgen.messages import Finished
from modeldyno.loadgen.watching.server_usage import cpu_ns_between, cpu_ns_by_process, find_family
from modeldyno.protocols import Progress

_SHOW_EVERY_NS = 250_000_000
_HAND_OVER_WITHIN_NS = 30_000_000_000
_NEVER_NS = 2**62


class Outlook(NamedTuple):
    """What is going to happen, in ns since the start."""

    asked: str
    """What was asked of the client, in words: `500/s` or `8 users`."""
    measured_from_ns: int
    plan_end_ns: int | None
    """None in a closed loop that a number of requests ends."""
    patience_ns: int
    """How long after the plan's end the last answer may come."""
    planned_ns: NDArray[np.int64]
    """The planned moments; empty in a closed loop."""


class Campaign:
    """One run of a crew that is ready.

    Args:
        outlook: what is going to happen.
        crew: the processes, connected.
        clock: CLOCK_MONOTONIC.
        progress: told about four times a second, see `LiveView`.
        server_pids: whose CPU time to read, at the begin and the end of the measured phase.
    """

    def __init__(
        self, outlook: Outlook, crew: Crew, *, clock: Clock, progress: Progress, server_pids: Sequence[int]
    ) -> None:
        self._outlook = outlook
        self._crew = crew
        self._clock = clock
        self._progress = progress
        self._server_pids = server_pids
        self._finished: dict[int, Finished] = {}
        self._start_ns = 0
        self._view = LiveView(outlook.asked, outlook.planned_ns)
        self._server_family = find_family(server_pids)  # before the start: looking disturbs
        self._server_before: dict[int, int] = {}
        self.server_cpu_ns: int | None = None
        """Of the measured phase; None when it cannot be told."""

    def start(self, start_ns: int) -> None:
        """Tell the processes to start at `start_ns` on the clock, which must be near enough to be told in time."""
        self._start_ns = start_ns
        self._crew.start(start_ns)

    def follow(self, interruption: Interruption) -> list[Finished]:
        """What each process hands over at the end, in their order; may be called by a thread that steps aside.

        Raises:
            ToolError: one of them died, or does not come to an end.
        """
        end_ns = self._outlook.plan_end_ns
        self._progress.start("load", total=None if end_ns is None else end_ns / 1e9)
        try:
            self._listen(interruption)
            if self._server_before:
                self.server_cpu_ns = cpu_ns_between(
                    self._server_before, cpu_ns_by_process(find_family(self._server_pids))
                )
            self._show()
            for note in sorted({note for part in self._finished.values() for note in part.notes}):
                self._progress.say(f"the run went on, but {note}")
        finally:
            self._progress.end()
        return [self._finished[number] for number in sorted(self._finished)]

    def _listen(self, interruption: Interruption) -> None:
        outlook = self._outlook
        last_ns = _NEVER_NS if outlook.plan_end_ns is None else outlook.plan_end_ns
        give_up_ns = self._start_ns + last_ns + outlook.patience_ns + _HAND_OVER_WITHIN_NS
        measured_ns: int | None = self._start_ns + outlook.measured_from_ns
        show_ns = self._start_ns
        is_stopping = False
        while len(self._finished) < self._crew.size:
            now_ns = self._clock.now_ns()
            if measured_ns is not None and now_ns >= measured_ns:
                self._server_before = cpu_ns_by_process(self._server_family)
                measured_ns = None
            if now_ns >= show_ns:
                self._show()
                show_ns = now_ns + _SHOW_EVERY_NS
            if interruption.asked and not is_stopping:
                is_stopping = True
                self._crew.stop()
                give_up_ns = min(give_up_ns, now_ns + _HAND_OVER_WITHIN_NS)
            if now_ns > give_up_ns:
                raise ToolError("the sending processes did not come to an end", hint="the machine may be overloaded")
            next_ns = min(show_ns, measured_ns) if measured_ns is not None else show_ns
            self._hear((next_ns - now_ns) / 1e9)

    def _hear(self, timeout_s: float) -> None:
        for number, message in self._crew.hear(timeout_s):
            if isinstance(message, Finished):
                self._finished[number] = message
            elif isinstance(message, Death) and number not in self._finished:
                raise ToolError(
                    f"sending process {number} died during the run",
                    why=message.reason,
                    hint="what was measured is in the run directory; run the same command again",
                )

    def _show(self) -> None:
        last_ns = _NEVER_NS if self._outlook.plan_end_ns is None else self._outlook.plan_end_ns
        elapsed_ns = min(self._clock.now_ns() - self._start_ns, last_ns)
        self._progress.advance(max(0, elapsed_ns) / 1e9, self._view.line(self._crew.tallies()))
