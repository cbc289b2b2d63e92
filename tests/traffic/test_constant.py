from hypothesis import given
from hypothesis import strategies as st

from modeldyno.traffic.constant import constant


@given(rate=st.floats(0.1, 1e6), requests=st.integers(0, 2_000))
def test_every_request_is_planned_at_its_place_on_the_grid_within_half_a_nanosecond(rate: float, requests: int) -> None:
    planned = constant(rate_per_s=rate, requests=requests, seed=1)

    assert requests == len(planned)
    for index in range(0, requests, max(1, requests // 7)):
        exact = index * 1e9 / rate
        assert abs(planned[index] - exact) <= 0.5 + exact * 1e-15


def test_a_thousand_per_second_is_one_each_millisecond_for_ever() -> None:
    planned = constant(rate_per_s=1000, requests=100_000, seed=1)

    assert [0, 1_000_000, 2_000_000] == planned[:3].tolist()
    assert 99_999_000_000 == planned[-1]


def test_errors_do_not_add_up_at_a_rate_that_divides_nothing() -> None:
    planned = constant(rate_per_s=3, requests=3_000_001, seed=1)

    assert 10**15 == planned[3_000_000]


def test_the_seed_changes_nothing() -> None:
    assert constant(rate_per_s=7, requests=50, seed=1).tolist() == constant(rate_per_s=7, requests=50, seed=2).tolist()
