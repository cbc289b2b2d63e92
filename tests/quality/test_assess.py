import numpy as np
import pytest
from sklearn.metrics import f1_score, mean_absolute_error, precision_score, r2_score

from modeldyno.errors import DataError
from modeldyno.quality.assess import assess, assess_rows, compare
from modeldyno.quality.changes import compare_rows
from modeldyno.quality.rows import Answers, Rows
from modeldyno.quality.scores import Scores
from modeldyno.records.base import Estimate


def width(estimate: Estimate) -> float:
    return (estimate.high or 0) - (estimate.low or 0)


def digits(rows: int = 599, *, right: float = 0.97, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 10, rows)
    return np.where(random.random(rows) < right, truth, (truth + random.integers(1, 10, rows)) % 10), truth


def test_point_values_are_those_of_scikit_learn() -> None:
    answers, truth = digits()
    found = assess(answers, truth, "classification", seed=1, labels_digest="d")
    assert (found.rows, found.labels_digest, found.task) == (599, "d", "classification")
    assert found.metrics["accuracy"].value == np.mean(answers == truth)
    assert found.metrics["f1_macro"].value == f1_score(truth, answers, average="macro")
    assert found.metrics["precision_weighted"].value == precision_score(truth, answers, average="weighted")
    assert "f1_binary" not in found.metrics
    for metric in found.metrics.values():
        assert (metric.low or 0) < metric.value < (metric.high or 0)


def test_the_positive_of_two_classes_is_the_larger_label() -> None:
    truth, answers = np.array(["no", "yes", "yes", "no"] * 20), np.array(["no", "yes", "no", "no"] * 20)
    found = assess(answers, truth, "classification", seed=1, labels_digest="d").metrics
    assert found["recall_binary"].value == 0.5
    assert found["precision_binary"].value == 1


def test_two_classes_in_the_rows_of_a_model_of_three_are_not_taken_for_its_only_ones() -> None:
    truth = np.array([1, 2, 2, 1] * 20)
    for answers, rows in (
        (Answers(truth), Rows(truth, classes=(0, 1, 2))),
        (Answers(truth, Scores(np.eye(3)[truth], is_probability=True)), Rows(truth)),
    ):
        assert "f1_binary" not in assess_rows(answers, rows, "classification", seed=1).metrics
        assert "f1_binary" not in compare_rows(answers, answers, rows, "classification", seed=1).drops
        assert "f1_macro" in assess_rows(answers, rows, "classification", seed=1).metrics
    two = Rows(truth, classes=(1, 2))
    assert "f1_binary" in compare_rows(Answers(truth), Answers(truth), two, "classification", seed=1).drops


def test_answers_without_an_error_are_not_promised_to_stay_so() -> None:
    _, truth = digits(100)
    found = assess(truth, truth, "classification", seed=1, labels_digest="d").metrics
    assert {name for name, metric in found.items() if (metric.low or 0) > 0.98 or metric.high != 1} == set()
    only_one = assess(truth * 0, truth * 0, "classification", seed=1, labels_digest="d").metrics
    assert (only_one["f1_macro"].low or 0) < 1


def test_a_class_that_is_never_answered_is_no_warning_and_no_division_by_zero() -> None:
    truth = np.array([0, 1, 2] * 30)
    found = assess(truth * 0, truth, "classification", seed=1, labels_digest="d").metrics
    assert found["precision_macro"].value == pytest.approx(1 / 9)


def test_intervals_of_f1_cover() -> None:
    random = np.random.default_rng(4)
    truth, answers = digits(200_000, right=0.9)
    expected = f1_score(truth, answers, average="macro")
    covered = 0
    for seed in range(100):
        rows = random.integers(0, len(truth), 400)
        found = assess(answers[rows], truth[rows], "classification", seed=seed, labels_digest="d").metrics["f1_macro"]
        covered += (found.low or 0) <= expected <= (found.high or 0)
    assert covered >= 90


def test_the_same_seed_gives_the_same_intervals() -> None:
    answers, truth = digits()
    first, second, other = (
        assess(answers, truth, "classification", seed=seed, labels_digest="d") for seed in (1, 1, 2)
    )
    assert first == second
    assert first != other


def test_equal_answers_have_no_flips_and_an_honest_interval_of_the_drop() -> None:
    answers, truth = digits()
    change = compare(answers, answers.astype(np.float64), truth, "classification", seed=1)
    assert change.flips == 0
    assert change.flip_rate.low == 0
    for name, drop in change.drops.items():
        assert drop.value == 0, name
        assert width(drop) > 0.004, name
    assert change.discordant_rows["accuracy"] == 0


def test_pairing_the_rows_makes_the_drop_sharper_than_two_separate_intervals() -> None:
    answers, truth = digits(5000, right=0.9)
    worse = answers.copy()
    worse[::100] = (worse[::100] + 1) % 10
    change = compare(answers, worse, truth, "classification", seed=1)
    alone = assess(answers, truth, "classification", seed=1, labels_digest="d")
    assert change.flips == 50
    for name in ("accuracy", "f1_macro"):
        assert 0 < change.drops[name].value < 0.02
        assert width(change.drops[name]) < width(alone.metrics[name]) / 2
    assert change.discordant_rows["accuracy"] == pytest.approx(0.01, abs=0.002)


def test_without_labels_only_the_flips_are_known() -> None:
    answers, _ = digits()
    other = answers.copy()
    other[:6] = (other[:6] + 1) % 10
    change = compare(answers, other, None, "classification", seed=1)
    assert (change.flips, change.rows, change.drops, change.discordant_rows) == (6, 599, {}, {})
    assert change.flip_rate.value == pytest.approx(6 / 599)


def regression(rows: int = 800) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(2)
    truth = random.normal(10, 3, rows)
    before = truth + random.normal(0, 0.5, rows)
    return truth, before, before + random.normal(0, 0.4, rows)


def test_a_regression_has_its_errors_and_their_rise() -> None:
    truth, before, after = regression()
    found = assess(after, truth, "regression", seed=1, labels_digest="d").metrics
    assert found["mae"].value == pytest.approx(mean_absolute_error(truth, after))
    assert found["r2"].value == pytest.approx(r2_score(truth, after))
    assert found["rmse"].value == pytest.approx(np.sqrt(0.41), rel=0.1)
    change = compare(before, after, truth, "regression", seed=1)
    assert set(change.drops) == {"mae", "rmse", "mape", "r2", "explained_variance"}
    for drop in change.drops.values():
        assert (drop.low or 0) > 0
    assert change.discordant_rows == {}
    assert change.flips > 700


def test_a_regression_bootstrap_has_the_width_of_theory_also_when_rows_are_grouped() -> None:
    random = np.random.default_rng(3)
    for rows in (500, 40_000):
        truth = random.normal(0, 1, rows)
        error = random.normal(0, 1, rows)
        found = assess(truth + error, truth, "regression", seed=1, labels_digest="d").metrics["mae"]
        assert width(found) == pytest.approx(2 * 1.96 * np.abs(error).std() / np.sqrt(rows), rel=0.1)


def test_a_rounding_error_is_no_flip_of_a_regression() -> None:
    truth, before, _ = regression()
    assert compare(before, before.astype(np.float32), truth, "regression", seed=1).flips == 0


def test_r2_is_left_out_where_it_is_not_defined() -> None:
    found = assess(np.array([1.0, 2.0]), np.array([3.0, 3.0]), "regression", seed=1, labels_digest="d")
    assert set(found.metrics) == {"mae", "rmse", "mape"}
    assert found.omitted == dict.fromkeys(("r2", "explained_variance"), "all labels are the same: nothing to explain")


def test_an_unknown_task_is_told_by_its_answers() -> None:
    answers, truth = digits()
    assert assess(answers, truth, "unknown", seed=1, labels_digest="d").task == "classification"
    assert assess(answers * 1.5, truth, "unknown", seed=1, labels_digest="d").task == "regression"


def test_labels_that_do_not_fit_the_task_are_refused() -> None:
    answers, _ = digits(3)
    with pytest.raises(DataError, match="text"):
        assess(answers * 1.5, np.array(["a", "b", "c"]), "regression", seed=1, labels_digest="d")
    with pytest.raises(DataError, match="row 1 holds nan"):
        assess(answers * 1.5, np.array([1, np.nan, 2]), "regression", seed=1, labels_digest="d")
    with pytest.raises(DataError, match="3 answers cannot be compared with 2 labels"):
        assess(answers, np.array([1, 2]), "classification", seed=1, labels_digest="d")
    with pytest.raises(DataError, match="cannot be compared"):
        compare(answers, answers[:2], None, "classification", seed=1)


def test_many_classes_are_resampled_in_bounded_memory() -> None:
    random = np.random.default_rng(5)
    truth = random.integers(0, 1000, 3000)
    answers = np.where(random.random(3000) < 0.9, truth, random.integers(0, 1000, 3000))
    found = assess(answers, truth, "classification", seed=1, labels_digest="d").metrics["f1_macro"]
    assert (found.low or 0) <= found.value <= (found.high or 0)
