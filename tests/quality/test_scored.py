import numpy as np
import pytest
from sklearn.metrics import (
    brier_score_loss,
    log_loss,
    roc_auc_score,
    top_k_accuracy_score,
)

from modeldyno.quality.asked import Asked
from modeldyno.quality.assess import assess_rows
from modeldyno.quality.changes import compare_rows
from modeldyno.quality.rows import Answers, Rows
from modeldyno.quality.scores import Scores
from modeldyno.records.quality import Quality

DIGITS = tuple(range(10))


def soft(rows: int, classes: int, *, sure: float = 2.0, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from the probabilities themselves, so that these are calibrated."""
    random = np.random.default_rng(seed)
    raised = np.exp(sure * random.normal(size=(rows, classes)))
    probabilities = raised / raised.sum(axis=1, keepdims=True)
    return probabilities, (probabilities.cumsum(axis=1) > random.random((rows, 1))).argmax(axis=1)


def answers(values: np.ndarray, *, is_probability: bool = True) -> Answers:
    return Answers(values.argmax(axis=1), Scores(values, is_probability))


def assessed(values: np.ndarray, truth: np.ndarray, **options: object) -> Quality:
    return assess_rows(answers(values), Rows(truth, **options), "classification", seed=1)  # type: ignore[arg-type]


def test_metrics_of_scores_are_those_of_scikit_learn() -> None:
    values, truth = soft(500, 10)
    found = assessed(values, truth).metrics
    assert log_loss(truth, values) == pytest.approx(found["log_loss"].value)
    assert top_k_accuracy_score(truth, values, k=3) == pytest.approx(found["top3_accuracy"].value)
    assert roc_auc_score(truth, values, multi_class="ovr") == pytest.approx(found["roc_auc_macro"].value)
    weighted = roc_auc_score(truth, values, multi_class="ovr", average="weighted")
    assert weighted == pytest.approx(found["roc_auc_weighted"].value)
    for name in ("log_loss", "brier", "calibration_error", "roc_auc_macro", "pr_auc_macro", "top3_accuracy"):
        assert (found[name].low or 0) < found[name].value < (found[name].high or 0), name


def test_of_two_classes_the_second_is_the_positive_one() -> None:
    values, truth = soft(400, 2)
    weights = np.random.default_rng(2).random(400)
    found = assessed(values, truth, weights=weights).metrics
    assert roc_auc_score(truth, values[:, 1], sample_weight=weights) == pytest.approx(found["roc_auc"].value)
    assert brier_score_loss(truth, values[:, 1], sample_weight=weights) == pytest.approx(found["brier"].value)
    assert "roc_auc_macro" not in found


def test_a_calibrated_model_has_an_interval_of_its_calibration_error_that_reaches_down() -> None:
    values, truth = soft(2000, 3)
    good = assessed(values, truth).metrics["calibration_error"]
    assert (good.low or 0) < 0.005
    sharpened = values**4 / (values**4).sum(axis=1, keepdims=True)
    assert (assessed(sharpened, truth).metrics["calibration_error"].low or 0) > 0.1


def test_scores_that_are_no_probabilities_have_their_order_judged_and_the_rest_left_out() -> None:
    values, truth = soft(300, 4)
    found = assess_rows(answers(values * 7, is_probability=False), Rows(truth), "classification", seed=1)
    assert "roc_auc_macro" in found.metrics
    assert {"log_loss", "brier", "calibration_error"} == set(found.omitted)
    assert "add up to 7 to 7" in found.omitted["log_loss"]


def test_labels_only_leave_out_what_needs_scores_with_the_reason() -> None:
    values, truth = soft(300, 4)
    found = assess_rows(Answers(values.argmax(axis=1)), Rows(truth), "classification", seed=1)
    assert "the model gives labels only, no scores" == found.omitted["roc_auc"]
    assert "log_loss" in found.omitted
    assert "accuracy" in found.metrics


def test_a_label_that_the_model_cannot_answer_has_no_log_loss_and_counts_as_wrong() -> None:
    values, truth = soft(300, 4)
    truth[:7] = 11
    found = assessed(values, truth)
    assert "7 rows have a label that the model gives no probability" == found.omitted["log_loss"]
    assert (found.metrics["top3_accuracy"].value) <= 293 / 300
    assert "calibration_error" in found.metrics


def test_constant_labels_have_nothing_to_tell_apart() -> None:
    values, truth = soft(50, 3)
    found = assessed(values, truth * 0)
    assert "all labels are 0: there is nothing to tell apart" == found.omitted["roc_auc"]
    assert "mcc" in found.omitted
    assert "accuracy" in found.metrics


def test_text_labels_without_names_of_the_scores_leave_scores_out() -> None:
    values, truth = soft(50, 2)
    words = np.array(["no", "yes"])
    found = assess_rows(
        Answers(words[values.argmax(axis=1)], Scores(values, is_probability=True)),
        Rows(words[truth]),
        "classification",
        seed=1,
    )
    assert "which score belongs to which label is not known" in found.omitted["roc_auc"]


def test_few_rows_have_no_interval_of_a_log_loss() -> None:
    values, truth = soft(9, 2)
    found = assessed(values, truth).metrics["log_loss"]
    assert (None, None) == (found.low, found.high)
    assert np.isfinite(found.value)


def test_a_worse_model_is_told_by_every_metric_pair_by_pair() -> None:
    values, truth = soft(3000, 4)
    noisy = np.exp(np.log(values) + 1.5 * np.random.default_rng(5).normal(size=values.shape))
    noisy /= noisy.sum(axis=1, keepdims=True)
    change = compare_rows(answers(values), answers(noisy), Rows(truth), "classification", seed=1)
    for name in (
        "accuracy",
        "roc_auc_macro",
        "pr_auc_macro",
        "log_loss",
        "brier",
        "calibration_error",
        "top3_accuracy",
    ):
        assert (change.drops[name].low or 0) > 0, name
    assert {"precision", "recall", "f1", "roc_auc", "pr_auc"} <= set(change.classes["2"])
    assert (change.worse_rows or 0) > (change.better_rows or 0)
    assert (change.mcnemar_p or 1) < 0.001
    backwards = compare_rows(answers(noisy), answers(values), Rows(truth), "classification", seed=1)
    assert (backwards.drops["log_loss"].high or 0) < 0


def test_scores_of_other_numbers_of_classes_have_only_their_labels_compared() -> None:
    (three, truth), (four, _) = soft(100, 3), soft(100, 4)
    change = compare_rows(answers(three), answers(four), Rows(truth), "classification", seed=1)
    assert "roc_auc_macro" not in change.drops
    assert "accuracy" in change.drops


def test_what_an_objective_asks_for_is_measured() -> None:
    values, truth = soft(200, 5)
    found = assess_rows(
        answers(values), Rows(truth), "classification", seed=1, asked=Asked(betas=(1.0, 3.0), tops=(2,))
    ).metrics
    assert {"f3_macro", "top2_accuracy"} <= set(found)
    assert "f2_macro" not in found
