import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.records.base import Estimate
from modeldyno.stats.ratios import independent_difference, independent_ratio

positive = st.floats(1e-3, 1e6)
widths = st.floats(1.001, 3.0)


def around(value: float, factor: float) -> Estimate:
    return Estimate(value=value, low=value / factor, high=value * factor)


@given(positive, widths, positive, widths)
def test_swapping_the_two_inverts_the_ratio_and_its_limits(
    a: float, spread_a: float, b: float, spread_b: float
) -> None:
    there = independent_ratio(around(a, spread_a), around(b, spread_b))
    back = independent_ratio(around(b, spread_b), around(a, spread_a))
    assert there is not None
    assert back is not None
    assert there.low is not None
    assert back.high is not None
    assert math.isclose(1 / there.value, back.value)
    assert math.isclose(1 / there.low, back.high)


@given(positive, widths)
def test_against_a_value_without_spread_the_other_spread_remains(value: float, spread: float) -> None:
    found = independent_ratio(around(1, 1.0), around(value, spread))
    assert found is not None
    assert found.low == pytest.approx(value / spread)
    assert found.high == pytest.approx(value * spread)


def test_equal_spreads_add_like_the_sides_of_a_right_angle() -> None:
    found = independent_difference(Estimate(value=10, low=7, high=13), Estimate(value=20, low=16, high=24))
    assert Estimate(value=10, low=5, high=15) == found


def test_a_smaller_tail_stretches_the_interval() -> None:
    wide = independent_ratio(around(1, 1.1), around(1, 1.1), tail=0.001)
    plain = independent_ratio(around(1, 1.1), around(1, 1.1))
    assert wide is not None
    assert plain is not None
    assert (wide.low or 0) < (plain.low or 0) < 1


@pytest.mark.parametrize("broken", (Estimate(value=1), Estimate(value=0, low=0, high=1), around(math.inf, 2)))
def test_there_is_no_ratio_without_positive_finite_limits(broken: Estimate) -> None:
    assert independent_ratio(around(1, 2), broken) is None
    assert independent_ratio(broken, around(1, 2)) is None


def test_there_is_no_difference_without_limits() -> None:
    assert independent_difference(Estimate(value=1), around(1, 2)) is None
