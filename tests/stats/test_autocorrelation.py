import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from modeldyno.stats.autocorrelation import autocorrelation_time


@pytest.mark.parametrize("memory", (0.0, 0.5, 0.9))
@pytest.mark.parametrize("count", (20_000, 200_000))
def test_an_autoregressive_series_has_its_closed_form_time(memory: float, count: int) -> None:
    noise = np.random.default_rng(3).standard_normal(count)
    series = signal.lfilter([1], [1, -memory], noise)
    assert autocorrelation_time(series) == pytest.approx((1 + memory) / (1 - memory), rel=0.2)


def test_an_alternating_series_promises_no_more_than_its_number_of_values() -> None:
    assert autocorrelation_time(np.tile([0.0, 1.0], 500)) == 1


def test_a_constant_series_is_independent_for_want_of_any_variation() -> None:
    assert autocorrelation_time(np.full(100, 7.0)) == 1


def test_values_that_come_ten_times_in_a_row_are_worth_a_tenth() -> None:
    series = np.repeat(np.random.default_rng(4).standard_normal(3000), 10)
    assert autocorrelation_time(series) == pytest.approx(10, rel=0.15)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200), st.floats(0.5, 100), st.floats(-1e3, 1e3))
def test_the_time_is_between_one_and_the_length(values: list[float], scale: float, shift: float) -> None:
    time = autocorrelation_time(np.asarray(values) * scale + shift)
    assert 1 <= time <= max(4, len(values))
