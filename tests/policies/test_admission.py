"""`modeldyno.policies.admission`."""

from hypothesis import example, given
from hypothesis import strategies as st

from modeldyno.policies.admission import LONGEST_RETRY_S, Obstacle, admit, expected_wait_ns


@given(st.integers(1, 100), st.integers(0, 1000), st.integers(0, 500), st.none() | st.floats(0, 1e6))
@example(rows=1, queued=1, limit=0, rate=5e-324)
def test_the_queue_never_grows_beyond_its_limit_but_by_a_request_that_finds_it_empty(
    rows: int, queued: int, limit: int, rate: float | None
) -> None:
    admission = admit(rows=rows, queued_rows=queued, max_queued_rows=limit, drained_rows_per_s=rate)
    assert admission.is_admitted == (queued == 0 or queued + rows <= limit)
    assert admission.is_admitted or 1 <= admission.retry_after_s <= LONGEST_RETRY_S


def test_retry_after_is_the_time_until_there_is_room() -> None:
    admission = admit(rows=10, queued_rows=100, max_queued_rows=100, drained_rows_per_s=3)
    assert admission.retry_after_s == 4


times = st.none() | st.floats(0, 1e12)


@given(st.integers(-(10**9), 10**12), times, times)
def test_early_refusal_is_for_what_the_queue_makes_late(left: int, wait: float | None, compute: float | None) -> None:
    admission = admit(
        rows=1,
        queued_rows=5,
        max_queued_rows=100,
        drained_rows_per_s=7.0,
        time_left_ns=left,
        expected_wait_ns=wait,
        expected_compute_ns=compute,
    )
    if left <= 0:
        assert admission.obstacle is Obstacle.EXPIRED
    elif wait and wait + (compute or 0) > left:
        assert admission.obstacle is Obstacle.LATE
        assert 1 <= admission.retry_after_s <= LONGEST_RETRY_S
    else:
        assert admission.is_admitted


def test_a_request_that_finds_an_instance_idle_is_tried_whatever_was_expected() -> None:
    admission = admit(
        rows=1,
        queued_rows=0,
        max_queued_rows=9,
        drained_rows_per_s=1e-9,
        time_left_ns=1,
        expected_wait_ns=0,
        expected_compute_ns=1e18,
    )
    assert admission.is_admitted


def test_who_comes_too_late_is_told_when_the_queue_will_be_short_enough() -> None:
    admission = admit(
        rows=1,
        queued_rows=5,
        max_queued_rows=9,
        drained_rows_per_s=1.0,
        time_left_ns=2 * 10**9,
        expected_wait_ns=5e9,
        expected_compute_ns=1e9,
    )
    assert (Obstacle.LATE, 4) == admission


def test_the_wait_is_for_the_first_instance_and_then_for_the_rows_ahead() -> None:
    assert expected_wait_ns(0, free_in_ns=7, drained_rows_per_s=None) == 7
    assert expected_wait_ns(10, free_in_ns=7, drained_rows_per_s=5) == 7 + 2e9
    assert expected_wait_ns(10, free_in_ns=7, drained_rows_per_s=None) is None
