"""Keeps a sending process awake: its event loop looks again and again, and never waits.

A core of a virtual machine that has nothing to do is given back to the hypervisor, which may take milliseconds to
return it: measured on one of two cores with 0.5 to 19 % steal, a loop that slept 1 ms at a time at real-time priority
was 2 to 12 ms late at p99, and one that slept 100 µs of each millisecond between 0.2 µs and 0.8 ms in the same turns.
"""

import asyncio
import resource
from collections.abc import Callable

from modeldyno.loadgen.pacer import Pacer
from modeldyno.loadgen.throttle import throttled_share

_EMPTY_NS = 20_000
"""A turn that takes longer did something, on any machine."""
_EMPTY_FACTOR = 4
"""A turn that takes so many times as long as the shortest did something; the cheapest answer takes ten times."""
_SPARE_SHARE = 0.05
"""Rested beyond what the kernel would take: its accounts hold all real-time processes of a core, such as our parent.
With 0.02 sends at 10,000/s beside a parent on the same core were up to 30 ms late.
"""
_LEAST_REST_NS = 30_000
"""Below, going to sleep and waking up takes longer."""
_LONG_OWED_NS = 2_000_000
"""So much may be owed before a rest is taken at another moment than just after a send."""
_MOST_OWED_NS = 20_000_000
"""Under half of what the kernel takes at once: a process that had no time to rest does not rest for all of it later."""


class Vigil:
    """A callback in every turn of the running event loop, which has therefore never a reason to wait in its selector.

    Answers are seen at once, as are moments that come. A process at a real-time priority must rest, or the kernel
    stops it for tens of milliseconds: it does so in its selector, just after it has sent, and answers still wake it.

    Args:
        watch: called in every turn with the moment; does what is due, and returns for how many ns nothing will be.
        now_ns: CLOCK_MONOTONIC.
        cpu_ns: CPU time of this process.
        throttled: the share of the core that the kernel keeps from this process, see `throttled_share`.
        pacer: wakes it from its rests; closed at the end.
    """

    def __init__(
        self,
        watch: Callable[[int], int],
        *,
        now_ns: Callable[[], int],
        cpu_ns: Callable[[], int],
        throttled: float,
        pacer: Pacer,
    ) -> None:
        self._watch = watch
        self._now_ns = now_ns
        self._cpu_ns = cpu_ns
        self._share = throttled + _SPARE_SHARE if throttled else 0.0
        self._pacer = pacer
        self._loop = asyncio.get_running_loop()
        self._next_turn: asyncio.Handle | None = None
        self._began_ns = self._seen_ns = 0
        self._empty_ns = _EMPTY_NS
        self._left_ns = 0
        self._owed_ns = 0.0
        self._rest_cpu_ns = 0
        self._is_over = False
        self.waited_ns = 0
        """Spent in turns that found nothing to do: CPU time that is no work."""
        self.rested_ns = 0
        """Spent asleep."""

    def begin(self) -> None:
        """From now on."""
        self._began_ns = self._now_ns()
        self._loop.add_reader(self._pacer.descriptor, self._rise)
        self._next_turn = self._loop.call_soon(self._begin_turns)

    def end(self) -> None:
        """Let the loop wait again; `watch` may call this."""
        self._is_over = True
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None
        self._loop.remove_reader(self._pacer.descriptor)
        self._pacer.close()

    @property
    def awake_fraction(self) -> float:
        """Share of the time since the beginning that was not rested."""
        return 1 - self.rested_ns / max(1, self._now_ns() - self._began_ns)

    def _begin_turns(self) -> None:
        # One whole turn of the loop before the first that is timed.
        self._seen_ns = self._now_ns()
        self._next_turn = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        moment_ns = self._now_ns()
        took_ns = moment_ns - self._seen_ns
        self._seen_ns = moment_ns
        if took_ns < self._empty_ns:
            self.waited_ns += took_ns
            self._empty_ns = min(self._empty_ns, _EMPTY_FACTOR * took_ns)
        left_ns = self._watch(moment_ns)
        if self._is_over:
            return
        if self._share and self._may_rest(took_ns, left_ns):
            self._rest(min(round(self._owed_ns), left_ns // 2))
        else:
            self._next_turn = self._loop.call_soon(self._turn)

    def _may_rest(self, took_ns: int, left_ns: int) -> bool:
        self._owed_ns = min(_MOST_OWED_NS, self._owed_ns + took_ns * self._share)
        has_sent = left_ns > self._left_ns
        self._left_ns = left_ns
        if min(self._owed_ns, left_ns // 2) < _LEAST_REST_NS:
            return False
        return has_sent or _LONG_OWED_NS <= self._owed_ns <= left_ns // 2

    def _rest(self, duration_ns: int) -> None:
        self._next_turn = None
        self._rest_cpu_ns = self._cpu_ns()
        self._seen_ns = self._now_ns()
        self._pacer.arm(self._seen_ns + duration_ns)

    def _rise(self) -> None:
        self._pacer.disarm()
        passed_ns = self._now_ns() - self._seen_ns
        rested_ns = max(0, passed_ns - (self._cpu_ns() - self._rest_cpu_ns))
        self.rested_ns += rested_ns
        self._owed_ns = max(0.0, self._owed_ns + passed_ns * self._share - rested_ns)
        self._next_turn = self._loop.call_soon(self._begin_turns)


def keep_awake(watch: Callable[[int], int], now_ns: Callable[[], int]) -> Vigil:
    """A vigil of this process, which begins when it is told to."""
    return Vigil(watch, now_ns=now_ns, cpu_ns=_cpu_ns, throttled=throttled_share(), pacer=Pacer())


def _cpu_ns() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return round((usage.ru_utime + usage.ru_stime) * 1e9)
