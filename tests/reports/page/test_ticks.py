import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from modeldyno.reports.page.ticks import linear_ticks, log_ticks

limits = st.tuples(st.floats(-1e9, 1e9), st.floats(1e-3, 1e9)).map(lambda pair: (pair[0], pair[0] + pair[1]))
positive_limits = st.tuples(st.floats(1e-6, 1e12), st.floats(1.01, 1e9)).map(lambda pair: (pair[0], pair[0] * pair[1]))
counts = st.integers(2, 12)


def mantissa(step: float) -> float:
    return step / 10.0 ** math.floor(math.log10(step * (1 + 1e-9)))


@given(limits, counts)
def test_linear_ticks_stay_inside_ascend_and_are_few(pair: tuple[float, float], most: int) -> None:
    low, high = pair
    assume(high - low > abs(low) * 1e-6)
    ticks = linear_ticks(low, high, most)
    slack = (high - low) * 1e-6
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    assert list(ticks) == sorted(set(ticks))
    assert len(ticks) <= most


@given(limits, counts)
def test_linear_steps_are_one_two_or_five(pair: tuple[float, float], most: int) -> None:
    low, high = pair
    assume(high - low > abs(low) * 1e-6)
    ticks = linear_ticks(low, high, most)
    steps = [after - before for before, after in pairwise(ticks)]
    for step in steps:
        assert min(abs(mantissa(steps[0]) - factor) for factor in (1, 2, 5)) < 1e-3
        assert math.isclose(step, steps[0], rel_tol=1e-3)


@given(limits)
def test_six_linear_ticks_leave_no_axis_bare(pair: tuple[float, float]) -> None:
    low, high = pair
    assume(high - low > abs(low) * 1e-6)
    assert len(linear_ticks(low, high, 6)) >= 2


@given(positive_limits, st.integers(4, 12))
def test_log_ticks_stay_inside_ascend_and_never_repeat(pair: tuple[float, float], most: int) -> None:
    low, high = pair
    ticks = log_ticks(low, high, most)
    assert all(low * (1 - 1e-6) <= tick <= high * (1 + 1e-6) for tick in (*ticks.labelled, *ticks.unlabelled))
    assert list(ticks.labelled) == sorted(set(ticks.labelled))
    assert not set(ticks.labelled) & set(ticks.unlabelled)
    assert 1 <= len(ticks.labelled) <= most


@given(positive_limits)
def test_unlabelled_marks_are_whole_multiples_of_a_decade(pair: tuple[float, float]) -> None:
    for mark in log_ticks(*pair).unlabelled:
        assert abs(mantissa(mark) - round(mantissa(mark))) < 1e-6


def test_many_decades_are_labelled_by_decade_and_thinned() -> None:
    assert log_ticks(1, 1e4, 5).labelled == (1, 10, 100, 1000, 10_000)
    assert log_ticks(1, 1e8, 5).labelled == (1, 100, 1e4, 1e6, 1e8)


def test_one_decade_is_labelled_one_two_five() -> None:
    assert log_ticks(10, 100).labelled == (10, 20, 50, 100)


def test_a_narrow_range_is_labelled_like_a_linear_axis() -> None:
    assert log_ticks(31, 39, 5).labelled == (32, 34, 36, 38)


def test_decimal_ticks_are_the_nearest_floats() -> None:
    assert linear_ticks(0, 0.5, 6) == (0, 0.1, 0.2, 0.3, 0.4, 0.5)


@pytest.mark.parametrize(("low", "high"), ((1.0, 1.0), (2.0, 1.0)))
def test_an_empty_range_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="no axis"):
        linear_ticks(low, high)
    with pytest.raises(ValueError, match="no logarithmic axis"):
        log_ticks(low, high)


def test_a_logarithmic_axis_cannot_begin_at_zero() -> None:
    with pytest.raises(ValueError, match="no logarithmic axis"):
        log_ticks(0, 1)
