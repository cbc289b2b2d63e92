import numpy as np
import pytest

from modeldyno.quality.bootstrap import bounded_mean, draw_counts, estimates, worsening


def mean(sums: np.ndarray) -> dict[str, np.ndarray]:
    return {"mean": sums[:, 1] / sums[:, 0]}


def drawn(rows: int, seed: int) -> np.ndarray:
    return np.column_stack([np.ones(rows), np.random.default_rng(seed).lognormal(size=rows)])


def test_counts_are_rows_drawn_with_replacement() -> None:
    counts = draw_counts(50, 300, np.random.default_rng(1))
    assert (counts.sum(axis=1) == 50).all()
    assert 1 == pytest.approx(counts.std(), abs=0.05)


def test_intervals_of_a_skewed_mean_cover() -> None:
    covered = 0
    for seed in range(200):
        found = estimates(drawn(80, seed), mean, np.random.default_rng(seed))["mean"]
        covered += (found.low or 0) <= np.exp(0.5) <= (found.high or 0)
    assert covered >= 0.86 * 200  # a mean of 80 log-normal values is hard: plain percentiles reach less


def test_many_rows_are_drawn_in_groups_of_the_same_spread() -> None:
    moments = drawn(40_000, 1)
    found = estimates(moments, mean, np.random.default_rng(1))["mean"]
    assert 2 * 1.96 * moments[:, 1].std() / 200 == pytest.approx((found.high or 0) - (found.low or 0), rel=0.1)


def test_too_few_rows_have_a_value_and_no_interval() -> None:
    found = estimates(drawn(9, 1), mean, np.random.default_rng(1))["mean"]
    assert (None, None) == (found.low, found.high)
    few = bounded_mean(np.ones(9))
    assert (1.0, None) == (few.value, few.low)


def test_a_mean_without_spread_still_has_an_interval() -> None:
    found = bounded_mean(np.ones(100))
    assert pytest.approx(1 - 3.8415 / 103.8415, abs=1e-4) == found.low


def test_a_worsening_is_counted_upwards_whichever_way_is_better() -> None:
    sums = np.array([[1.0, 0.5, 1.0, 0.3]])
    assert 0.2 == pytest.approx(worsening(mean, 2, {"mean": 1})(sums)["mean"][0])
    assert -0.2 == pytest.approx(worsening(mean, 2, {"mean": -1})(sums)["mean"][0])
