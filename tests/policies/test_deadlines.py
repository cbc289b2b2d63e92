"""`modeldyno.policies.deadlines`."""

from hypothesis import given
from hypothesis import strategies as st

from modeldyno.policies.deadlines import TICK_NS, Deadlines

moments = st.integers(0, 50 * TICK_NS)


@given(st.lists(moments, max_size=50), st.sets(st.integers(0, 49)), st.lists(moments, max_size=5))
def test_every_item_that_was_not_discarded_comes_up_once_never_early_and_less_than_a_tick_late(
    deadlines_ns: list[int], discarded: set[int], looks_ns: list[int]
) -> None:
    deadlines: Deadlines[int] = Deadlines()
    for item, deadline_ns in enumerate(deadlines_ns):
        deadlines.add(item, deadline_ns)
    for item in discarded & set(range(len(deadlines_ns))):
        deadlines.discard(item, deadlines_ns[item])
    left = set(range(len(deadlines_ns))) - discarded
    assert len(left) == len(deadlines)
    for now_ns in sorted(looks_ns):
        due = deadlines.pop_due(now_ns)
        assert all(deadlines_ns[item] <= now_ns for item in due)
        left -= set(due)
        assert all(deadlines_ns[item] > now_ns - TICK_NS for item in left)
    assert sorted(left) == sorted(deadlines.pop_due(51 * TICK_NS))
    assert deadlines.next_ns() is None
    assert len(deadlines) == 0


def test_the_next_moment_is_that_of_the_earliest_that_is_left() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.add("late", 9 * TICK_NS)
    deadlines.add("early", 2 * TICK_NS - 5)
    assert 2 * TICK_NS == deadlines.next_ns()
    deadlines.discard("early", 2 * TICK_NS - 5)
    assert 9 * TICK_NS == deadlines.next_ns()


def test_discarding_what_has_come_up_does_nothing() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.add("one", 5)
    assert ["one"] == deadlines.pop_due(TICK_NS)
    deadlines.discard("one", 5)
    assert deadlines.pop_due(TICK_NS) == []


def test_a_hundred_thousand_answered_requests_leave_nothing_behind() -> None:
    deadlines: Deadlines[int] = Deadlines()
    for item in range(100_000):
        deadline_ns = (item + 30_000) * TICK_NS
        deadlines.add(item, deadline_ns)
        deadlines.discard(item, deadline_ns)
    assert len(deadlines._heap) < 200
