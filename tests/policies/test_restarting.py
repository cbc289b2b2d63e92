from hypothesis import given
from hypothesis import strategies as st

from modeldyno.policies.restarting import (
    GOOD_RUN_NS,
    STALE_BEATS,
    Pulse,
    failures_after,
    pulse_of,
    restart_delay_ns,
)


def test_a_worker_that_is_silent_for_longer_gets_no_connections_and_then_is_ended() -> None:
    assert Pulse.FRESH is pulse_of(STALE_BEATS, hung_beats=120)
    assert Pulse.STALE is pulse_of(STALE_BEATS + 1, hung_beats=120)
    assert Pulse.STALE is pulse_of(120, hung_beats=120)
    assert Pulse.HUNG is pulse_of(121, hung_beats=120)


def test_a_worker_that_ran_well_is_started_again_at_once_and_others_later_and_later() -> None:
    delays = [restart_delay_ns(failures) / 1e9 for failures in range(12)]
    assert [0, 0, 0.25, 0.5, 1, 2, 4, 8, 16, 30, 30, 30] == delays


def test_a_long_run_ends_a_row_of_failures() -> None:
    assert 4 == failures_after(3, GOOD_RUN_NS - 1)
    assert 0 == failures_after(3, GOOD_RUN_NS)


@given(failures=st.integers(0, 10**9))
def test_a_delay_never_shrinks_and_has_a_ceiling(failures: int) -> None:
    assert restart_delay_ns(failures) <= restart_delay_ns(failures + 1) <= 30 * 10**9
