import numpy as np
import pytest
from sklearn.metrics import auc, confusion_matrix, roc_curve

from modeldyno.quality.assess import assess_rows
from modeldyno.quality.curves import MOST_POINTS, confusion_of, drawings_of
from modeldyno.quality.rows import Answers, Rows
from modeldyno.quality.scores import Scores
from modeldyno.records.evaluation import Drawings


def drawn(classes: int, rows: int = 2000) -> tuple[Drawings, np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    truth = random.integers(0, classes, rows)
    raised = np.exp(random.normal(size=(rows, classes)) + 1.5 * np.eye(classes)[truth])
    values = raised / raised.sum(axis=1, keepdims=True)
    answers, known = Answers(values.argmax(axis=1), Scores(values, is_probability=True)), Rows(truth)
    return drawings_of(answers, known, assess_rows(answers, known, "classification", seed=1)), truth, values


def test_a_curve_of_few_points_has_the_area_of_all() -> None:
    found, truth, values = drawn(2)
    (curve,) = found.roc
    across, up, _ = roc_curve(truth, values[:, 1])
    assert len(curve.points) <= MOST_POINTS
    assert auc(across, up) == pytest.approx(auc(*zip(*curve.points, strict=True)), abs=0.003)
    assert ((0.0, 0.0), (1.0, 1.0)) == (curve.points[0], curve.points[-1])
    assert curve.area is not None
    assert auc(across, up) == pytest.approx(curve.area.value)


def test_of_many_classes_the_hardest_are_drawn() -> None:
    found, _, _ = drawn(9)
    areas = [curve.area.value for curve in found.roc if curve.area is not None]
    assert 6 == len(areas)
    assert sorted(areas) == areas


def test_the_matrix_is_that_of_scikit_learn() -> None:
    found, truth, values = drawn(4)
    assert found.confusion is not None
    assert confusion_matrix(truth, values.argmax(axis=1)).tolist() == [list(row) for row in found.confusion.counts]
    assert confusion_of(np.arange(60), np.arange(60)) is None


def test_the_marks_of_calibration_hold_all_rows_from_unsure_to_sure() -> None:
    found, truth, _ = drawn(3)
    assert len(truth) == sum(one.rows for one in found.calibration)
    confidences = [one.confidence for one in found.calibration]
    assert sorted(confidences) == confidences


def test_a_regression_has_its_answers_by_label() -> None:
    truth = np.arange(1000.0)
    answers, rows = Answers(truth + 1), Rows(truth)
    found = drawings_of(answers, rows, assess_rows(answers, rows, "regression", seed=1))
    assert ((0.0, 1.0), (999.0, 1000.0), 400) == (found.values[0], found.values[-1], len(found.values))
