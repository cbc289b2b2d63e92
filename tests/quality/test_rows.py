import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score

from modeldyno.errors import DataError
from modeldyno.quality.assess import assess_rows
from modeldyno.quality.changes import compare_rows
from modeldyno.quality.rows import Answers, Rows, slices_of


def labelled(rows: int = 600, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, rows)
    return np.where(random.random(rows) < 0.85, truth, random.integers(0, 3, rows)), truth


def test_each_value_of_a_column_is_a_slice_with_its_own_quality() -> None:
    answers, truth = labelled()
    site = np.where(np.arange(600) < 200, "north", "south").astype(object)
    found = assess_rows(Answers(answers), Rows(truth, slices={"site": site}), "classification", seed=1)
    assert ["site=north", "site=south"] == [one.name for one in found.slices]
    north = found.slices[0]
    assert (200, np.mean(answers[:200] == truth[:200])) == (north.rows, north.metrics["accuracy"].value)


def test_many_numbers_are_cut_in_quarters_and_missing_ones_kept_apart() -> None:
    age = np.arange(100.0)
    age[:5] = np.nan
    found = slices_of(Rows(np.zeros(100), slices={"age": age}))
    assert 5 == len(found)
    assert "age=missing" == found[-1][0]
    assert 100 == sum(inside.sum() for _, inside in found)
    assert all(20 <= inside.sum() <= 28 for _, inside in found[:4])


def test_a_column_of_names_is_no_slice() -> None:
    names = np.array([f"person {number}" for number in range(80)], object)
    with pytest.raises(DataError, match="80 distinct values"):
        slices_of(Rows(np.zeros(80), slices={"name": names}))


def test_weights_count_as_rows_do_in_scikit_learn() -> None:
    answers, truth = labelled()
    weights = np.random.default_rng(3).integers(1, 5, 600).astype(np.float64)
    found = assess_rows(Answers(answers), Rows(truth, weights=weights), "classification", seed=1)
    assert found.is_weighted
    assert accuracy_score(truth, answers, sample_weight=weights) == pytest.approx(found.metrics["accuracy"].value)
    f1 = f1_score(truth, answers, average="macro", sample_weight=weights)
    assert f1 == pytest.approx(found.metrics["f1_macro"].value)
    precision = precision_score(truth, answers, average=None, sample_weight=weights)
    assert precision[1] == pytest.approx(found.classes[1].metrics["precision"].value)


def test_equal_weights_give_the_intervals_of_no_weights() -> None:
    answers, truth = labelled()
    plain = assess_rows(Answers(answers), Rows(truth), "classification", seed=1).metrics
    weighted = assess_rows(Answers(answers), Rows(truth, weights=np.full(600, 2.5)), "classification", seed=1).metrics
    for name in ("accuracy", "f1_macro", "balanced_accuracy"):
        assert plain[name].low == pytest.approx(weighted[name].low, abs=0.005), name
        assert plain[name].high == pytest.approx(weighted[name].high, abs=0.005), name


def test_uneven_weights_are_less_sure() -> None:
    answers, truth = labelled()
    weights = np.where(np.arange(600) < 60, 20.0, 1.0)
    plain, weighted = (
        assess_rows(Answers(answers), Rows(truth, weights=one), "classification", seed=1).metrics
        for one in (None, weights)
    )
    for name in ("accuracy", "f1_macro"):
        width, wider = ((one[name].high or 0) - (one[name].low or 0) for one in (plain, weighted))
        assert wider > 1.5 * width, name


def test_weighted_pairs_have_the_drop_of_weighted_metrics() -> None:
    (answers, truth), (other, _) = labelled(), labelled(seed=2)
    weights = np.random.default_rng(3).random(600)
    change = compare_rows(Answers(answers), Answers(other), Rows(truth, weights=weights), "classification", seed=1)
    old, new = (accuracy_score(truth, one, sample_weight=weights) for one in (answers, other))
    assert old - new == pytest.approx(change.drops["accuracy"].value)
    assert (change.drops["f1_macro"].low or 0) < change.drops["f1_macro"].value < (change.drops["f1_macro"].high or 0)


def test_a_slice_of_which_nothing_can_be_told_says_why() -> None:
    answers, truth = labelled(40)
    weights = np.where(np.arange(40) < 5, 0.0, 1.0)
    site = np.where(np.arange(40) < 5, "new", "old").astype(object)
    rows = Rows(truth, weights=weights, slices={"site": site})
    found = assess_rows(Answers(answers), rows, "classification", seed=1)
    assert {"every metric": "all rows have the weight 0"} == found.slices[0].omitted
    assert {} == found.slices[0].metrics
    assert {"site=old"} == set(compare_rows(Answers(answers), Answers(answers), rows, "classification", seed=1).slices)


def test_classes_are_told_one_by_one_with_the_share_of_few_rows_left_wide() -> None:
    truth = np.array([0] * 97 + [1] * 3)
    found = assess_rows(Answers(truth), Rows(truth), "classification", seed=1)
    rare = found.classes[1]
    assert ("1", 3, 1.0) == (rare.name, rare.rows, rare.metrics["recall"].value)
    assert (rare.metrics["recall"].low or 1) < 0.5
    never = assess_rows(Answers(truth * 0), Rows(truth), "classification", seed=1).classes[1]
    assert "it was never answered" in never.omitted["precision"]


def test_one_row_promises_nothing() -> None:
    found = assess_rows(Answers(np.array([1])), Rows(np.array([1])), "classification", seed=1)
    assert (found.metrics["accuracy"].low or 1) < 0.25
    value = assess_rows(Answers(np.array([1.5])), Rows(np.array([1.0])), "regression", seed=1)
    assert (0.5, None, None) == (value.metrics["mae"].value, value.metrics["mae"].low, value.metrics["mae"].high)
    assert "one row has no spread" in value.omitted["r2"]
