"""`modeldyno.policies.admission`."""

from hypothesis import example, given
from hypothesis import strategies as st

from modeldyno.policies.admission import LONGEST_RETRY_S, admit


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
