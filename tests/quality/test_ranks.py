import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from modeldyno.quality.ranks import area_drop, area_estimate, average_precision, mean_area, roc_auc

scores_of_two = st.lists(
    st.tuples(st.integers(0, 6), st.booleans(), st.integers(1, 4)), min_size=4, max_size=30
).filter(lambda rows: len({positive for _, positive, _ in rows}) == 2)


def normal(positives: int, negatives: int, *, apart: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    positive = np.arange(positives + negatives) < positives
    return np.random.default_rng(seed).normal(size=len(positive)) + apart * positive, positive


@given(scores_of_two)
def test_areas_are_those_of_scikit_learn_and_influences_are_their_derivatives(
    rows: list[tuple[int, bool, int]],
) -> None:
    scores, positive, weights = (np.array(column) for column in zip(*rows, strict=True))
    scores, weights = scores.astype(np.float64), weights.astype(np.float64)
    for area, expected in ((roc_auc, roc_auc_score), (average_precision, average_precision_score)):
        found = area(scores, positive, weights)
        assert expected(positive, scores, sample_weight=weights) == pytest.approx(found.value)
        step = 1e-6
        for row in range(len(rows)):
            nudged = weights.copy()
            nudged[row] *= 1 + step
            slope = (expected(positive, scores, sample_weight=nudged) - found.value) / step
            assert slope == pytest.approx(found.influence[row], abs=1e-5)


@pytest.mark.parametrize(("positives", "negatives", "apart"), ((30, 30, 1.5), (15, 150, 1.0), (12, 12, 3.0)))
def test_intervals_of_areas_cover(positives: int, negatives: int, apart: float) -> None:
    many, which = normal(20_000, 20_000 * negatives // positives, apart=apart, seed=1)
    expected = [area(many, which, np.ones(len(many))).value for area in (roc_auc, average_precision)]
    covered = np.zeros(2)
    for seed in range(100, 300):
        scores, positive = normal(positives, negatives, apart=apart, seed=seed)
        for place, area in enumerate((roc_auc, average_precision)):
            estimate = area_estimate(area(scores, positive, np.ones(len(scores))))
            covered[place] += (estimate.low or 0) <= expected[place] <= (estimate.high or 0)
    assert (covered >= 0.9 * 200).all()


def test_an_area_of_one_on_few_rows_is_not_promised() -> None:
    scores, positive = np.arange(20.0), np.arange(20) >= 10
    estimate = area_estimate(roc_auc(scores, positive, np.ones(20)))
    assert (1.0, 1.0) == (estimate.value, estimate.high)
    assert 0.7 < (estimate.low or 0) < 0.9


def test_the_interval_of_a_drop_pairs_the_rows() -> None:
    scores, positive = normal(300, 300, apart=1.0, seed=1)
    noise = np.random.default_rng(2).normal(size=600)
    before, slightly, other = (
        roc_auc(one, positive, np.ones(600))
        for one in (scores, scores + 0.1 * noise, normal(300, 300, apart=1.0, seed=9)[0])
    )
    paired, unpaired = area_drop(before, slightly), area_drop(before, other)
    assert (paired.high or 0) - (paired.low or 0) < ((unpaired.high or 0) - (unpaired.low or 0)) / 3
    assert (paired.low or 0) < paired.value < (paired.high or 0)


def test_equal_scores_have_no_drop_but_an_interval() -> None:
    scores, positive = normal(50, 50, apart=1.0, seed=1)
    area = roc_auc(scores, positive, np.ones(100))
    drop = area_drop(area, area)
    assert 0 == drop.value
    assert pytest.approx(0.037, abs=0.001) == drop.high


def test_a_mean_of_areas_is_surer_than_each() -> None:
    areas = [roc_auc(*normal(30, 30, apart=1.0, seed=seed), np.ones(60)) for seed in range(5)]
    mean = area_estimate(mean_area(areas, [0.2] * 5))
    assert pytest.approx(np.mean([area.value for area in areas])) == mean.value
    widths = [(one.high or 0) - (one.low or 0) for one in map(area_estimate, areas)]
    assert (mean.high or 0) - (mean.low or 0) < min(widths)
