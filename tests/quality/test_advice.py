import numpy as np
import pytest

from modeldyno.quality.advice import advise
from modeldyno.quality.asked import Asked, Costs
from modeldyno.quality.assess import assess_rows
from modeldyno.quality.costs import best_threshold, cost_estimate
from modeldyno.quality.rows import Answers, Rows
from modeldyno.quality.scores import Scores
from modeldyno.records.artifact import Task


def told(answers: Answers, rows: Rows, task: Task = "classification", costs: Costs | None = None) -> str:
    quality = assess_rows(answers, rows, task, seed=1, asked=Asked(costs=costs))
    return "\n".join(advise(quality, answers, rows, costs))


def test_uneven_classes_are_told_with_the_metrics_that_see_the_rare_one() -> None:
    truth = np.array([0] * 190 + [1] * 10)
    found = told(Answers(truth * 0), Rows(truth))
    assert "saying 0 always would be right on 95.0 % of the rows: accuracy hides 1" in found
    assert "judge by pr_auc, f1_binary or recall[1]" in found
    assert "the class 1 has 10 rows: all that is known of its recall is 0.0 % to 27.8 %" in found


def test_even_classes_need_no_advice() -> None:
    truth = np.arange(200) % 2
    assert "" == told(Answers(truth), Rows(truth))


def test_constant_labels_tell_nothing() -> None:
    assert "nothing here tells a good model" in told(Answers(np.zeros(50, int)), Rows(np.zeros(50, int)))


def test_probabilities_that_are_too_sure_are_told() -> None:
    truth = np.arange(400) % 2
    answers = np.where(np.arange(400) % 5, truth, 1 - truth)
    values = np.where(answers[:, None] == np.arange(2), 0.999, 0.001)
    found = told(Answers(answers, Scores(values, is_probability=True)), Rows(truth))
    assert "probabilities are off by 19.9 % on average" in found


def test_costs_have_a_metric_and_a_threshold() -> None:
    random = np.random.default_rng(1)
    positive = random.random(4000)
    truth = (random.random(4000) < positive).astype(int)
    values = np.column_stack([1 - positive, positive])
    answers = Answers((positive > 0.5).astype(int), Scores(values, is_probability=True))
    found = told(answers, Rows(truth), costs=Costs(1.0, 9.0))
    assert "judge by error_cost, or by f3_binary" in found
    assert "say yes from a probability of 0.1 on" in found
    best = best_threshold(positive, truth == 1, Costs(1.0, 9.0), np.ones(4000))
    assert best.cost < best.usual_cost
    estimate = cost_estimate(answers.values, truth, Costs(1.0, 9.0), None)
    assert estimate is not None
    assert best.usual_cost == pytest.approx(estimate.value)


def test_costs_of_three_classes_are_left_out() -> None:
    truth = np.arange(60) % 3
    quality = assess_rows(Answers(truth), Rows(truth), "classification", seed=1, asked=Asked(costs=Costs(1.0, 2.0)))
    assert "for two classes" in quality.omitted["error_cost"]


def test_a_few_large_errors_and_a_wide_span_are_told_of_a_regression() -> None:
    truth = np.geomspace(1, 1000, 100)
    answers = truth.copy()
    answers[0] += 50
    found = told(Answers(answers), Rows(truth), "regression")
    assert "a few rows err far more than the rest" in found
    assert "mape tells errors as shares" in found


def test_the_worst_slice_is_named_with_its_caution() -> None:
    truth = np.arange(300) % 2
    site = np.where(np.arange(300) < 200, "good", "bad").astype(object)
    answers = np.where((site == "bad") & (np.arange(300) % 3 == 0), 1 - truth, truth)
    found = told(Answers(answers), Rows(truth, slices={"site": site}))
    assert "worst of 2 slices: site=bad with 100 rows" in found
    assert "its interval excludes that" in found
