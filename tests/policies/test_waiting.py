"""`modeldyno.policies.waiting`: whatever comes and goes, the order and the counts are right."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from modeldyno.policies.waiting import Line
from modeldyno.records.deployment import Batching, Lane


@dataclass(eq=False)
class Guest:
    """One who waits."""

    rows: int = 1
    lane: int = 0
    key: str = "a"
    queued_ns: int = 0
    due_ns: int = 0


class AnyOrder(RuleBasedStateMachine):
    """Joining, leaving and being taken in any order, beside a plain list of who waits."""

    @initialize(
        max_rows=st.integers(1, 12), lanes=st.integers(1, 3), delay=st.sampled_from([0, 5]), preferred=st.booleans()
    )
    def begin(self, max_rows: int, lanes: int, delay: int, *, preferred: bool) -> None:
        self.max_rows = max_rows
        self.preferred = (max(1, max_rows // 2),) if preferred else ()
        self.lanes = lanes
        self.delay = delay
        self.now = 0
        self.waiting: list[Guest] = []
        self.line: Line[Guest] = Line(
            Batching(max_rows=max_rows, lanes=(Lane(),) * lanes, max_delay_ns=delay, preferred_rows=self.preferred)
        )

    @rule(rows=st.integers(1, 15), lane=st.integers(0, 2), key=st.sampled_from("abc"))
    def join(self, rows: int, lane: int, key: str) -> None:
        self.now += 1
        guest = Guest(rows, lane % self.lanes, key, self.now, self.now + self.delay)
        self.waiting.append(guest)
        self.line.add(guest)

    @rule(index=st.integers(0, 99))
    def leave(self, index: int) -> None:
        if self.waiting:
            guest = self.waiting.pop(index % len(self.waiting))
            assert self.line.remove(guest)
            assert not self.line.remove(guest)

    @rule(passed=st.integers(0, 6), idle=st.integers(0, 2))
    def take(self, passed: int, idle: int) -> None:
        self.now += passed
        batch, look_again = self.line.take(idle_instances=idle, now_ns=self.now)
        if not batch:
            self.check_waits(idle, look_again)
            return
        rows = sum(guest.rows for guest in batch)
        assert len(batch) == 1 or rows <= self.max_rows
        assert len({guest.key for guest in batch}) == 1
        self.check_order(batch)
        for guest in batch:
            self.waiting.remove(guest)
        self.check_fullness(batch, rows)

    def check_waits(self, idle: int, look_again: int | None) -> None:
        """An instance stays idle only where nothing waits, or all that waits may wait for company."""
        if idle and self.waiting:
            assert look_again is not None
            assert look_again == min(guest.due_ns for guest in self.waiting) > self.now
        else:
            assert look_again is None

    def check_order(self, batch: list[Guest]) -> None:
        places = [(guest.lane, guest.queued_ns) for guest in batch]
        assert sorted(places) == places
        same_key = [guest for guest in self.waiting if guest.key == batch[0].key]
        ahead = sorted(same_key, key=lambda guest: (guest.lane, guest.queued_ns))
        assert ahead[: len(batch)] == batch
        if not self.delay:
            first = min(self.waiting, key=lambda guest: (guest.lane, guest.queued_ns))
            assert first is batch[0]

    def check_fullness(self, batch: list[Guest], rows: int) -> None:
        """What is left behind did not fit, unless the batch has a preferred size."""
        same_key = [guest for guest in self.waiting if guest.key == batch[0].key]
        if same_key and rows not in self.preferred:
            following = min(same_key, key=lambda guest: (guest.lane, guest.queued_ns))
            assert rows + following.rows > self.max_rows

    @invariant()
    def counts_are_right(self) -> None:
        if not hasattr(self, "line"):
            return
        assert {id(guest) for guest in self.waiting} == {id(guest) for guest in self.line}
        assert sum(guest.rows for guest in self.waiting) == self.line.rows
        for lane in range(self.lanes):
            expected = sum(guest.rows for guest in self.waiting if guest.lane <= lane)
            assert expected == self.line.rows_ahead(lane)


AnyOrder.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_nothing_is_lost_overtaken_or_taken_twice_whatever_comes_and_goes = AnyOrder.TestCase


def test_all_who_wait_are_one_batch_unless_a_part_of_them_has_a_preferred_size() -> None:
    taken = []
    for preferred in ((), (2,)):
        line: Line[Guest] = Line(Batching(max_rows=8, preferred_rows=preferred))
        for moment in range(3):
            line.add(Guest(queued_ns=moment))
        batch, look_again = line.take(idle_instances=1, now_ns=3)
        taken.append((len(batch), line.rows, look_again))
    assert [(3, 0, None), (2, 1, None)] == taken


def test_a_higher_lane_is_computed_first_and_a_lower_one_fills_its_batch_up() -> None:
    line: Line[Guest] = Line(Batching(max_rows=4, lanes=(Lane(), Lane())))
    low, high = Guest(2, lane=1, queued_ns=1), Guest(1, lane=0, queued_ns=2)
    line.add(low)
    line.add(high)
    assert ([high, low], None) == line.take(idle_instances=1, now_ns=3)


def test_a_lower_lane_of_another_key_waits_its_turn() -> None:
    line: Line[Guest] = Line(Batching(max_rows=4, lanes=(Lane(), Lane())))
    low, high = Guest(lane=1, key="b", queued_ns=1), Guest(lane=0, queued_ns=2)
    line.add(low)
    line.add(high)
    assert [high] == line.take(idle_instances=1, now_ns=3)[0]
    assert [low] == line.take(idle_instances=1, now_ns=3)[0]


def test_keys_that_came_and_went_leave_nothing_behind() -> None:
    line: Line[Guest] = Line(Batching(max_rows=4))
    for number in range(1000):
        guest = Guest(key=str(number))
        line.add(guest)
        if number % 2:
            line.remove(guest)
        else:
            line.take(idle_instances=1, now_ns=0)
    assert sum(map(len, line._lanes)) <= 1


def test_a_lower_lane_does_not_overtake_because_its_requests_alone_make_a_preferred_size() -> None:
    batching = Batching(max_rows=8, preferred_rows=(4,), max_delay_ns=9, lanes=(Lane(), Lane()))
    line: Line[Guest] = Line(batching)
    high, low = Guest(1, lane=0, due_ns=9), Guest(4, lane=1, due_ns=9)
    line.add(high)
    line.add(low)
    assert ([], 9) == line.take(idle_instances=1, now_ns=1)
    assert ([high, low], None) == line.take(idle_instances=1, now_ns=9)


def test_many_keys_at_once_leave_nothing_behind_when_they_are_taken() -> None:
    line: Line[Guest] = Line(Batching(max_rows=4, lanes=(Lane(), Lane())))
    for number in range(100):
        line.add(Guest(key=str(number), lane=number % 2))
    while line.rows:
        line.take(idle_instances=1, now_ns=0)
    assert sum(map(len, line._lanes)) <= 2
