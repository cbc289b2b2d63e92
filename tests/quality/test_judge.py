import numpy as np
import pytest

from modeldyno.errors import DataError, ObjectiveError
from modeldyno.quality.assess import assess, compare
from modeldyno.quality.judge import judge_quality, labels_needed
from modeldyno.quality.proportions import paired_difference, wilson
from modeldyno.records.base import Estimate
from modeldyno.records.objective import Objective, parse_objectives
from modeldyno.records.quality import Quality, QualityChange


def objective(text: str) -> Objective:
    return parse_objectives(text)[0]


def quality(**metrics: Estimate) -> Quality:
    return Quality(rows=599, task="classification", metrics=metrics, labels_digest="d")


def change(worse: int, better: int, rows: int) -> QualityChange:
    drop = paired_difference(worse, better, rows)
    return QualityChange(
        rows=rows,
        drops={"accuracy": drop},
        flips=worse + better,
        flip_rate=wilson(worse + better, rows),
        discordant_rows={"accuracy": (worse + better) / rows},
    )


def test_equal_answers_on_599_rows_pass_a_drop_of_one_percent_but_not_of_a_tenth() -> None:
    assert judge_quality(objective("accuracy_drop<=1%"), None, change(0, 0, 599)).verdict == "pass"
    found = judge_quality(objective("accuracy_drop<=0.1%"), None, change(0, 0, 599))
    assert found.verdict == "cannot_tell"
    assert found.rows_to_decide is not None
    assert judge_quality(objective("accuracy_drop<=0.1%"), None, change(0, 0, found.rows_to_decide)).verdict == "pass"


def test_a_drop_is_told_with_its_numbers() -> None:
    found = judge_quality(objective("accuracy_drop<=1%"), None, change(2, 0, 599))
    assert found.verdict == "cannot_tell"
    assert found.evidence.startswith("accuracy dropped 0.3 points [-0.3, 1.2] on 599 rows; the limit is 1.0 points")
    assert found.rows_to_decide is not None
    assert f"{found.rows_to_decide:,} labelled rows would decide" in found.evidence


def test_a_clear_drop_fails_and_a_gain_passes() -> None:
    failed = judge_quality(objective("accuracy_drop<=1%"), None, change(60, 5, 1000))
    assert (failed.verdict, failed.rows_to_decide) == ("fail", None)
    gained = judge_quality(objective("accuracy_drop<=1%"), None, change(2, 12, 1000))
    assert gained.verdict == "pass"
    assert "rose 1.0 points" in gained.evidence


@pytest.mark.parametrize(("worse", "better"), ((4, 1), (8, 4), (12, 1)))
def test_the_rows_that_would_decide_do_decide_when_what_was_seen_holds(worse: int, better: int) -> None:
    limit = objective("accuracy_drop<=1%")
    found = judge_quality(limit, None, change(worse, better, 700))
    assert found.verdict == "cannot_tell"
    assert found.rows_to_decide is not None
    times = 1.15 * found.rows_to_decide / 700  # counts are whole, and rounding them moves the shares
    assert (
        judge_quality(limit, None, change(round(worse * times), round(better * times), round(700 * times))).verdict
        != "cannot_tell"
    )


def test_no_number_of_rows_decides_a_drop_that_is_the_limit() -> None:
    found = judge_quality(objective("accuracy_drop<=1%"), None, change(10, 0, 1000))
    assert found.verdict == "cannot_tell"
    assert found.rows_to_decide is None
    assert "no number of rows" in found.evidence
    assert judge_quality(objective("accuracy_drop<=0%"), None, change(0, 0, 1000)).rows_to_decide is None


@pytest.mark.parametrize(
    ("low", "high", "expected"), ((0.972, 0.99, "pass"), (0.95, 0.965, "fail"), (0.958, 0.985, "cannot_tell"))
)
def test_a_value_is_held_to_its_limit_at_the_bad_end(low: float, high: float, expected: str) -> None:
    found = judge_quality(objective("accuracy>=97%"), quality(accuracy=Estimate(value=0.973, low=low, high=high)), None)
    assert found.verdict == expected
    assert found.evidence.startswith("accuracy is 97.3 %")
    assert (found.rows_to_decide is None) == (expected != "cannot_tell")


def test_a_metric_without_an_average_is_binary_for_two_classes_and_macro_otherwise() -> None:
    macro, binary = Estimate(value=0.9, low=0.89, high=0.91), Estimate(value=0.8, low=0.79, high=0.81)
    two = judge_quality(objective("f1>=85%"), quality(f1_macro=macro, f1_binary=binary), None)
    many = judge_quality(objective("f1>=85%"), quality(f1_macro=macro), None)
    assert (two.verdict, many.verdict) == ("fail", "pass")


def test_flips_need_no_labels() -> None:
    answers = np.arange(1000) % 10
    none = compare(answers, answers, None, "classification", seed=1)
    assert judge_quality(objective("flip_rate<=1%"), None, none).verdict == "pass"
    undecided = judge_quality(objective("flip_rate<=0.1%"), None, none)
    assert undecided.verdict == "cannot_tell"
    rows = undecided.rows_to_decide
    assert rows is not None
    more = np.arange(rows) % 10
    assert (
        judge_quality(objective("flip_rate<=0.1%"), None, compare(more, more, None, "classification", seed=1)).verdict
        == "pass"
    )


@pytest.mark.parametrize("text", ("accuracy>=97%", "accuracy_drop<=1%", "mae_rise<=0.1"))
def test_an_objective_that_needs_labels_says_so(text: str) -> None:
    unlabelled = compare(np.arange(9), np.arange(9), None, "classification", seed=1)
    with pytest.raises(DataError, match="no labels") as caught:
        judge_quality(objective(text), None, unlabelled)
    assert text in caught.value.what
    assert labels_needed(objective(text)).hint == caught.value.hint


def test_without_any_data_the_hint_is_to_give_some() -> None:
    error = labels_needed(objective("accuracy>=97%"), has_data=False)
    assert "no data were given" in error.what
    assert "--data" in error.hint


def test_a_metric_of_another_task_names_those_there_are() -> None:
    some = quality(accuracy=wilson(9, 10), f1_macro=wilson(9, 10))
    with pytest.raises(ObjectiveError, match="no mae") as caught:
        judge_quality(objective("mae<=1"), some, None)
    assert "accuracy" in caught.value.hint
    with pytest.raises(ObjectiveError, match="two classes"):
        judge_quality(objective("f1_binary>=90%"), some, None)


def test_a_regression_is_judged_on_its_errors() -> None:
    random = np.random.default_rng(1)
    truth = random.normal(0, 1, 2000)
    before = truth + random.normal(0, 0.3, 2000)
    after = before + random.normal(0, 0.3, 2000)
    found = assess(after, truth, "regression", seed=1, labels_digest="d")
    moved = compare(before, after, truth, "regression", seed=1)
    verdicts = [
        judge_quality(one, found, moved).verdict
        for one in parse_objectives("mae<=0.5, rmse<=0.3, r2>=50%, mae_rise<=0.05, r2_drop<=50%")
    ]
    assert verdicts == ["pass", "fail", "pass", "fail", "pass"]


@pytest.mark.parametrize("text", ("mae<=5", "r2>=1%"))
def test_a_value_without_an_interval_is_never_a_pass(text: str) -> None:
    few = assess(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.1]), "regression", seed=1, labels_digest="d")
    found = judge_quality(objective(text), few, None)
    assert ("cannot_tell", None) == (found.verdict, found.rows_to_decide)
    assert "on 3 rows" in found.evidence
    assert "so few rows support no interval" in found.evidence


def test_a_class_is_judged_alone_with_its_own_rows() -> None:
    truth = np.array([0] * 180 + [1] * 20)
    answers = truth.copy()
    answers[180:190] = 0
    given = assess(answers, truth, "classification", seed=1, labels_digest="d")
    verdicts = [judge_quality(objective(text), given, None) for text in ("recall[0]>=90%", "recall[1]>=90%")]
    assert ["pass", "fail"] == [one.verdict for one in verdicts]
    assert "recall of 1 is 50.0 % [29.9 %, 70.1 %] on 20 rows" in verdicts[1].evidence


def test_a_drop_of_a_class_is_judged_alone() -> None:
    truth = np.array([0] * 500 + [1] * 500)
    worse = truth.copy()
    worse[600:700] = 0
    found = compare(truth, worse, truth, "classification", seed=1)
    verdicts = [
        judge_quality(objective(text), None, found).verdict for text in ("recall_drop[0]<=5%", "recall_drop[1]<=5%")
    ]
    assert ["pass", "fail"] == verdicts


def test_what_is_left_out_is_told_with_its_reason() -> None:
    truth = np.arange(30) % 2
    given = assess(truth, truth, "classification", seed=1, labels_digest="d")
    for text in ("log_loss<=1", "roc_auc_macro>=50%"):
        with pytest.raises(ObjectiveError, match="is not told") as caught:
            judge_quality(objective(text), given, None)
        assert "the model gives labels only, no scores" == caught.value.why
    with pytest.raises(ObjectiveError, match="no class or slice '7'"):
        judge_quality(objective("recall[7]>=50%"), given, None)
