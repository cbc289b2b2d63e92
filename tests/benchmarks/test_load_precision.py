import numpy as np
import pytest
from load_precision import Rate, judge
from running import ClientError

RATE = Rate(1_000, 4.0)
START_NS = 7_000_000_000


def stamps(moments_ns: np.ndarray, wake_up_ns: int = 50_000) -> np.ndarray:
    return np.column_stack((moments_ns, moments_ns + wake_up_ns)).astype(np.int64)


def planned(seconds: float = 8.0) -> np.ndarray:
    return START_NS + np.arange(round(seconds * RATE.per_s)) * (1_000_000_000 // RATE.per_s)


def test_a_client_that_is_always_late_by_the_same_makes_no_error() -> None:
    found = judge(stamps(planned() + 300_000), RATE)

    assert 0 == found["kernel_max_us"] == found["process_max_us"]
    assert 100 == found["kernel_on_time_percent"]
    assert RATE.per_s == found["delivered_per_s"]


def test_one_in_fifty_that_is_late_shows_in_the_tail_and_not_at_the_median() -> None:
    moments = planned()
    moments[::50] += 400_000

    found = judge(stamps(moments), RATE)

    assert 0 == found["kernel_p50_us"]
    assert 400 == found["kernel_p99_us"]


def test_what_never_came_counts_as_not_on_time() -> None:
    found = judge(stamps(planned(4.0)), RATE)

    assert 50 == found["kernel_on_time_percent"]
    assert RATE.per_s / 2 == found["delivered_per_s"]


def test_a_client_that_leaves_out_every_second_request_is_off_its_schedule() -> None:
    moments = planned()

    found = judge(stamps(np.delete(moments, np.arange(4_000, len(moments), 2))), RATE)

    assert found["kernel_on_time_percent"] < 75
    assert 750 == pytest.approx(found["delivered_per_s"], rel=0.01)


def test_the_beginning_of_a_run_does_not_count() -> None:
    moments = planned()
    moments[:1_500] += 5_000_000

    assert 0 == judge(stamps(moments), RATE)["kernel_max_us"]


def test_a_client_that_stops_after_its_beginning_is_not_judged() -> None:
    with pytest.raises(ClientError, match="1500 requests came"):
        judge(stamps(planned(1.5)), RATE)
