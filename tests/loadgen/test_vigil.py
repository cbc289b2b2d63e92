import asyncio
import os
import selectors

import pytest

from modeldyno.loadgen.pacer import Pacer
from modeldyno.loadgen.vigil import Vigil

US = 1_000
FAR_NS = 2**62
NOTHING = (0, FAR_NS)


class Machine:
    """A clock on which each look takes a microsecond, and what each turn does: `(ns it takes, ns left after it)`."""

    def __init__(self, turns: list[tuple[int, int]]) -> None:
        self.moment_ns = 0
        self.slept_ns = 0
        self.seen: list[int] = []
        self.has_ended = asyncio.Event()
        self.end = self.has_ended.set
        self._turns = turns

    def now_ns(self) -> int:
        self.moment_ns += US
        return self.moment_ns

    def cpu_ns(self) -> int:
        return self.moment_ns - self.slept_ns

    def watch(self, moment_ns: int) -> int:
        self.seen.append(moment_ns)
        if len(self.seen) > len(self._turns):
            self.end()
            return FAR_NS
        takes_ns, left_ns = self._turns[len(self.seen) - 1]
        self.moment_ns += takes_ns
        return left_ns


class Sleep(Pacer):
    """Fires at once, and the clock of the machine has then gone on until its moment."""

    def __init__(self, machine: Machine) -> None:
        self.descriptor = os.eventfd(0)
        self.lengths_ns: list[int] = []
        self._machine = machine

    def arm(self, moment_ns: int) -> None:
        length_ns = moment_ns - self._machine.moment_ns
        self.lengths_ns.append(length_ns)
        self._machine.moment_ns += length_ns
        self._machine.slept_ns += length_ns
        os.eventfd_write(self.descriptor, 1)

    def disarm(self) -> None:
        os.eventfd_read(self.descriptor)


def keep(turns: list[tuple[int, int]], throttled: float = 0.0) -> tuple[Machine, Vigil, Sleep]:
    """A vigil over these turns, and one more."""

    async def run() -> tuple[Machine, Vigil, Sleep]:
        machine = Machine(turns)
        sleep = Sleep(machine)
        vigil = Vigil(machine.watch, now_ns=machine.now_ns, cpu_ns=machine.cpu_ns, throttled=throttled, pacer=sleep)
        vigil.begin()

        def end() -> None:
            vigil.end()
            machine.has_ended.set()

        machine.end = end
        await asyncio.wait_for(machine.has_ended.wait(), 60)
        return machine, vigil, sleep

    return asyncio.run(run())


def test_it_looks_in_every_turn_of_a_loop_that_has_nothing_else_to_do() -> None:
    machine, vigil, _ = keep([NOTHING] * 20)

    assert [3 * US + US * turn for turn in range(21)] == machine.seen
    assert 0 == vigil.rested_ns
    assert 1.0 == vigil.awake_fraction


class Recorded(selectors.DefaultSelector):
    """Remembers how long the loop was ready to wait in each turn."""

    def __init__(self) -> None:
        super().__init__()
        self.timeouts: list[float | None] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.timeouts.append(timeout)
        return super().select(timeout)


def test_the_loop_never_waits_in_its_selector_until_it_has_ended() -> None:
    selector = Recorded()

    async def run() -> list[float | None]:
        machine = Machine([NOTHING] * 20)
        sleep = Sleep(machine)
        vigil = Vigil(machine.watch, now_ns=machine.now_ns, cpu_ns=machine.cpu_ns, throttled=0.0, pacer=sleep)
        vigil.begin()
        selector.timeouts.clear()
        await asyncio.wait_for(machine.has_ended.wait(), 60)
        vigil.end()
        return selector.timeouts[:]

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        assert {0} == set(runner.run(run()))


def test_the_loop_may_wait_again_when_it_has_ended() -> None:
    async def run() -> tuple[int, int]:
        machine = Machine([NOTHING] * 5)
        sleep = Sleep(machine)
        vigil = Vigil(machine.watch, now_ns=machine.now_ns, cpu_ns=machine.cpu_ns, throttled=0.0, pacer=sleep)
        vigil.begin()
        await asyncio.wait_for(machine.has_ended.wait(), 60)
        vigil.end()
        turns = len(machine.seen)
        for _ in range(5):
            await asyncio.sleep(0)
        return turns, len(machine.seen)

    before, after = asyncio.run(run())
    assert before == after


@pytest.mark.parametrize("work_ns", (5 * US, 50 * US, 5_000 * US))
def test_turns_that_found_nothing_are_waiting_and_those_that_worked_are_not(work_ns: int) -> None:
    _, vigil, _ = keep([NOTHING, NOTHING, (work_ns, FAR_NS), NOTHING])

    # The time of a turn counts to the next look: four of a microsecond, and one with the work in it.
    assert 4 * US == vigil.waited_ns


def sends(count: int, gap_ns: int, turn_ns: int) -> list[tuple[int, int]]:
    """Turns of a constant rate: one that sends and those until the next."""
    return [(turn_ns - US, left_ns) for left_ns in range(gap_ns, 0, -turn_ns)] * count


def test_a_process_that_the_kernel_would_stop_rests_in_time() -> None:
    _, vigil, sleep = keep(sends(1_000, 1_000 * US, 10 * US), throttled=0.05)

    assert 0.88 < vigil.awake_fraction < 0.93
    assert pytest.approx(sum(sleep.lengths_ns), rel=0.02) == vigil.rested_ns


def test_rests_are_taken_just_after_a_send_and_end_long_before_the_next() -> None:
    _, _, sleep = keep(sends(1_000, 1_000 * US, 10 * US), throttled=0.05)

    # One for each send but the first, which has nothing behind it.
    assert 999 == len(sleep.lengths_ns)
    assert max(sleep.lengths_ns) < 200 * US


def test_at_a_high_rate_a_rest_is_half_a_gap_at_most() -> None:
    # A burst that leaves no time to rest comes first.
    _, vigil, sleep = keep(sends(500, 50 * US, 10 * US) + sends(3_000, 100 * US, 10 * US), throttled=0.05)

    assert max(sleep.lengths_ns) <= 50 * US
    assert 0.88 < vigil.awake_fraction < 0.93


def test_a_process_that_has_nothing_to_send_for_long_rests_all_the_same() -> None:
    _, vigil, sleep = keep([(9 * US, FAR_NS)] * 50_000, throttled=0.05)

    assert 0.88 < vigil.awake_fraction < 0.93
    assert max(sleep.lengths_ns) <= 20_000 * US


def test_work_that_is_done_in_a_rest_is_no_rest() -> None:
    async def run() -> Vigil:
        machine = Machine(sends(2, 1_000 * US, 10 * US))
        sleep = Sleep(machine)
        # The clock of the CPU goes on while it sleeps: an answer came and was read.
        vigil = Vigil(
            machine.watch, now_ns=machine.now_ns, cpu_ns=lambda: machine.moment_ns, throttled=0.05, pacer=sleep
        )
        vigil.begin()
        await asyncio.wait_for(machine.has_ended.wait(), 60)
        vigil.end()
        assert sleep.lengths_ns
        return vigil

    assert 0 == asyncio.run(run()).rested_ns
