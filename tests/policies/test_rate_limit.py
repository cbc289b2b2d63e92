from hypothesis import assume, given
from hypothesis import strategies as st

from modeldyno.policies.rate_limit import day_of, is_within_quota, seconds_left_of_day, take

SECOND_NS = 10**9


def test_a_full_bucket_lets_its_rows_pass_at_once() -> None:
    assert (0.0, 0) == take(10.0, 0, 10, rate_per_s=1.0, burst_rows=10, now_ns=0)


def test_who_is_refused_is_told_when_the_same_rows_will_pass() -> None:
    tokens, wait_ns = take(0.0, 0, 3, rate_per_s=2.0, burst_rows=10, now_ns=0)
    assert 1.5 * SECOND_NS == wait_ns
    assert (0.0, 0) == take(tokens, 0, 3, rate_per_s=2.0, burst_rows=10, now_ns=wait_ns)


def test_a_request_larger_than_the_bucket_passes_when_it_is_full_and_leaves_a_debt() -> None:
    tokens, wait_ns = take(10.0, 0, 25, rate_per_s=5.0, burst_rows=10, now_ns=0)
    assert (0, -15.0) == (wait_ns, tokens)
    assert (-15.0, 3.2 * SECOND_NS) == take(tokens, 0, 1, rate_per_s=5.0, burst_rows=10, now_ns=0)


def test_a_bucket_never_holds_more_than_its_size() -> None:
    assert (9.0, 0) == take(10.0, 0, 1, rate_per_s=100.0, burst_rows=10, now_ns=3600 * SECOND_NS)


def test_a_clock_that_goes_back_fills_nothing() -> None:
    assert (2.0, 0) == take(3.0, 5 * SECOND_NS, 1, rate_per_s=100.0, burst_rows=10, now_ns=SECOND_NS)


@given(
    st.lists(st.tuples(st.integers(0, 2 * SECOND_NS), st.integers(1, 30)), max_size=60),
    st.floats(0.5, 100.0),
    st.integers(1, 20),
)
def test_over_any_time_no_more_passes_than_the_burst_and_the_rate_allow(
    requests: list[tuple[int, int]], rate_per_s: float, burst_rows: int
) -> None:
    tokens, now_ns, passed = float(burst_rows), 0, 0
    for gap_ns, rows in requests:
        at_ns, now_ns = now_ns, now_ns + gap_ns
        tokens, wait_ns = take(tokens, at_ns, rows, rate_per_s=rate_per_s, burst_rows=burst_rows, now_ns=now_ns)
        if wait_ns == 0:
            allowed = burst_rows + rate_per_s * now_ns / SECOND_NS
            assert passed + min(rows, burst_rows) <= allowed + 1e-6 * (1 + allowed)
            passed += rows


@given(st.floats(-50.0, 10.0), st.integers(1, 30), st.floats(0.5, 100.0))
def test_the_promised_wait_is_enough(tokens: float, rows: int, rate_per_s: float) -> None:
    left, wait_ns = take(tokens, 0, rows, rate_per_s=rate_per_s, burst_rows=10, now_ns=0)
    assume(wait_ns)
    _, again_ns = take(left, 0, rows, rate_per_s=rate_per_s, burst_rows=10, now_ns=wait_ns + 1000)
    assert 0 == again_ns


def test_a_quota_is_for_a_utc_day() -> None:
    assert (True, False) == (
        is_within_quota(4, used_rows=6, quota_rows=10),
        is_within_quota(5, used_rows=6, quota_rows=10),
    )
    assert (0, 1) == (day_of(86_399), day_of(86_400))
    assert (1, 86_400) == (seconds_left_of_day(86_399), seconds_left_of_day(86_400))
