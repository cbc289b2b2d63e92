import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.quality.proportions import Z, paired_difference, wilson


@pytest.mark.parametrize(
    ("events", "rows", "low", "high"),
    ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (29, 29, 0.8830, 1.0)),
)
def test_wilson_agrees_with_the_published_table(events: int, rows: int, low: float, high: float) -> None:
    # Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3.
    found = wilson(events, rows)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_answers_that_never_differ_are_not_promised_never_to_differ() -> None:
    found = paired_difference(0, 0, 599)
    bound = Z**2 / (599 + Z**2)
    assert (found.low, found.value, found.high) == pytest.approx((-bound, 0, bound))


@pytest.mark.parametrize("shares", ((0.03, 0.01), (0.002, 0.002), (0.2, 0.1)))
@pytest.mark.parametrize("rows", (200, 600))
def test_intervals_of_the_paired_difference_cover(shares: tuple[float, float], rows: int) -> None:
    worse, better = shares
    random = np.random.default_rng(rows)
    tables = random.multinomial(rows, [worse, better, 1 - worse - better], size=1000)
    covered = 0
    for table in tables:
        found = paired_difference(int(table[0]), int(table[1]), rows)
        covered += (found.low or 0) <= worse - better <= (found.high or 0)
    assert covered >= 930


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 1000))
def test_the_interval_holds_the_difference_and_turns_with_its_sign(worse: int, better: int, same: int) -> None:
    rows = worse + better + same
    if rows == 0:
        return
    found, turned = paired_difference(worse, better, rows), paired_difference(better, worse, rows)
    assert found.low is not None
    assert found.high is not None
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high
    assert (found.low, found.high) == pytest.approx((-(turned.high or 0), -(turned.low or 0)), abs=1e-9)
