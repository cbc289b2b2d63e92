import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.stats.intervals import exact_bounds, mean_estimate, proportion_estimate, student_quantile


def test_exact_bounds_agree_with_the_published_table() -> None:
    # Clopper and Pearson's intervals as printed in Newcombe (1998), Statistics in Medicine 17, table I.
    assert exact_bounds(81, 263) == pytest.approx((0.2527, 0.3676), abs=5e-5)
    assert exact_bounds(15, 148) == pytest.approx((0.0578, 0.1617), abs=5e-5)
    assert exact_bounds(0, 20) == pytest.approx((0, 0.1684), abs=5e-5)
    assert exact_bounds(29, 29) == pytest.approx((0.8806, 1), abs=5e-5)


def test_students_quantile_agrees_with_the_table() -> None:
    assert student_quantile(4) == pytest.approx(2.776, abs=5e-4)


def test_a_burst_of_failures_is_less_certain_than_scattered_ones() -> None:
    scattered = np.zeros(2000, np.bool_)
    scattered[np.random.default_rng(1).choice(2000, 40, replace=False)] = True
    burst = np.zeros(2000, np.bool_)
    burst[900:940] = True
    alone, together = proportion_estimate(scattered), proportion_estimate(burst)
    assert alone.value == together.value
    assert (together.high or 0) > 2 * (alone.high or 0)


def test_a_share_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing"):
        proportion_estimate(np.array([], np.bool_))


def test_a_mean_among_infinities_or_of_few_values_is_refused() -> None:
    assert mean_estimate(np.array([1.0, np.inf] * 20)) is None
    assert mean_estimate(np.arange(5.0)) is None


@given(st.floats(1, 1e5), st.floats(0, 1))
def test_exact_bounds_enclose_the_share(trials: float, share: float) -> None:
    low, high = exact_bounds(share * trials, trials)
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1
