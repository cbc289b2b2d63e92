import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.records.base import Estimate
from modeldyno.stats.blocks import block_estimate, is_tie, paired_ratio

RATES = st.lists(st.floats(1.0, 1e6), min_size=3, max_size=20)


def test_a_block_mean_has_students_interval() -> None:
    found = block_estimate([9.0, 10.0, 11.0])
    assert (found.value, found.low, found.high) == pytest.approx(
        (10, 10 - 4.3027 / math.sqrt(3), 10 + 4.3027 / 3**0.5), rel=1e-4
    )


def test_two_blocks_have_no_interval_and_none_is_an_error() -> None:
    assert block_estimate([1.0, 2.0]) == Estimate(value=1.5)
    with pytest.raises(ValueError, match="at least one"):
        block_estimate([])
    with pytest.raises(ValueError, match="finite"):
        block_estimate([1.0, math.nan])


def test_a_disturbance_that_slows_both_of_a_pair_cancels() -> None:
    weather = np.random.default_rng(1).uniform(0.3, 1.0, 12)
    found = paired_ratio((300 * weather).tolist(), (100 * weather).tolist())
    assert (found.low, found.value, found.high) == pytest.approx((3, 3, 3))


def test_a_ratio_needs_pairs_above_zero() -> None:
    with pytest.raises(ValueError, match="above zero"):
        paired_ratio([1.0, 0.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="pairs"):
        paired_ratio([], [1.0])


@given(RATES, st.integers(0, 1000))
def test_the_ratio_the_other_way_round_is_the_inverse(blocks: list[float], seed: int) -> None:
    other = (np.asarray(blocks) * np.random.default_rng(seed).uniform(0.5, 2, len(blocks))).tolist()
    there, back = paired_ratio(blocks, other), paired_ratio(other, blocks)
    assert there.value == pytest.approx(1 / back.value)
    assert there.low == pytest.approx(1 / (back.high or 0))


def test_intervals_of_the_ratio_cover() -> None:
    random = np.random.default_rng(7)
    covered = 0
    for _ in range(1000):
        weather = random.lognormal(0, 0.3, 8)
        found = paired_ratio(
            (2 * weather * random.lognormal(0, 0.1, 8)).tolist(), (weather * random.lognormal(0, 0.1, 8)).tolist()
        )
        covered += (found.low or 0) <= 2 <= (found.high or 0)
    assert 930 <= covered <= 970


@pytest.mark.parametrize(
    ("low", "high", "tie"),
    (
        (1.05, 1.20, False),
        (0.80, 0.95, False),
        (0.99, 1.01, True),
        (0.90, 1.10, True),
        (1.01, 1.30, True),
    ),
)
def test_a_ratio_is_called_by_where_its_interval_lies(low: float, high: float, tie: bool) -> None:  # noqa: FBT001 - a table
    ratio = Estimate(value=(low * high) ** 0.5, low=low, high=high)
    assert is_tie(ratio, 0.02) is tie


def test_a_ratio_without_an_interval_breaks_no_tie() -> None:
    assert is_tie(Estimate(value=5.0))
