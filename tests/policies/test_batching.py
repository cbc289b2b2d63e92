"""`modeldyno.policies.batching`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.errors import UsageError
from modeldyno.policies.batching import BatchDecision, check_batching, choose_batch, lane_of
from modeldyno.records.deployment import Batching, Lane

rows_strategy = st.lists(st.integers(1, 50), min_size=1, max_size=20)


def choose(rows: list[int], *, max_rows: int = 8, delay: int = 0, idle: int = 1, now: int = 100) -> BatchDecision:
    return choose_batch(rows, max_rows=max_rows, due_ns=100 + delay, idle_instances=idle, now_ns=now)


@given(rows=rows_strategy, max_rows=st.integers(1, 60))
def test_the_row_limit_is_kept_unless_one_request_alone_is_larger(rows: list[int], max_rows: int) -> None:
    take = choose(rows, max_rows=max_rows).take
    assert take >= 1
    assert take == 1 or sum(rows[:take]) <= max_rows


@given(rows=rows_strategy, max_rows=st.integers(1, 60))
def test_no_request_that_fits_is_left_behind(rows: list[int], max_rows: int) -> None:
    take = choose(rows, max_rows=max_rows).take
    assert take == len(rows) or sum(rows[: take + 1]) > max_rows


@given(rows=rows_strategy, max_rows=st.integers(1, 60))
def test_taking_again_and_again_takes_every_request_once(rows: list[int], max_rows: int) -> None:
    left = list(rows)
    taken = []
    while left:
        take = choose(left, max_rows=max_rows).take
        taken += left[:take]
        left = left[take:]
    assert rows == taken


@given(rows=rows_strategy, delay=st.integers(0, 1000), now=st.integers(100, 2000))
def test_nothing_waits_longer_than_the_delay(rows: list[int], delay: int, now: int) -> None:
    decision = choose(rows, delay=delay, now=now)
    assert decision.take > 0 or (decision.look_again_ns == 100 + delay and now < 100 + delay)


def test_a_full_batch_does_not_wait() -> None:
    assert BatchDecision(2, None) == choose([4, 4], delay=1000)
    assert BatchDecision(1, None) == choose([5, 4], delay=1000)


def test_a_batch_that_is_not_full_waits_for_company() -> None:
    assert BatchDecision(0, 1100) == choose([4, 3], delay=1000)


def test_nothing_is_taken_while_no_instance_is_idle() -> None:
    assert BatchDecision(0, None) == choose([8, 8], idle=0)


def test_an_empty_queue_gives_nothing() -> None:
    assert BatchDecision(0, None) == choose([])


@pytest.mark.parametrize(
    ("rows", "expected"), (([1, 1, 1], 1), ([3, 1, 1], 2), ([3, 1, 2, 1], 2), ([4, 4], 2), ([5, 2], 0))
)
def test_the_largest_preferred_size_that_the_front_makes_does_not_wait(rows: list[int], expected: int) -> None:
    decision = choose_batch(rows, max_rows=9, preferred_rows=(1, 4, 8), due_ns=500, idle_instances=1, now_ns=100)
    assert BatchDecision(expected, None if expected else 500) == decision


def test_without_a_preferred_size_what_is_due_is_taken_as_it_is() -> None:
    decision = choose_batch([2, 1], max_rows=9, preferred_rows=(4, 8), due_ns=100, idle_instances=1, now_ns=100)
    assert BatchDecision(2, None) == decision


@pytest.mark.parametrize(("priority", "lane"), ((0, 1), (1, 0), (3, 2), (4, 1), (-1, 1)))
def test_a_priority_that_is_not_there_is_none_and_none_is_the_default(priority: int, lane: int) -> None:
    assert lane == lane_of(priority, lanes=3, default_priority=2)


@pytest.mark.parametrize(
    ("batching", "words"),
    (
        (Batching(default_priority=2), "priorities are from 1 to 1"),
        (Batching(lanes=(Lane(), Lane()), default_priority=0), "the default priority is 0"),
        (Batching(max_rows=4, preferred_rows=(2, 8)), "8 rows are preferred"),
        (Batching(lanes=(Lane(), Lane(timeout_ns=0))), "priority 2 admits no request"),
        (Batching(lanes=(Lane(max_queued_rows=-1),)), "priority 1 admits no request"),
    ),
)
def test_settings_that_contradict_one_another_are_refused(batching: Batching, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_batching(batching)
