import numpy as np
import pytest

from modeldyno.bfloat16 import from_numbers
from modeldyno.errors import DataError
from modeldyno.quality.answers import answers_from
from modeldyno.records.artifact import Task
from modeldyno.records.signature import Signature, TensorSpec

SCORES = np.array([[0.2, 0.7, 0.1], [0.6, 0.3, 0.1]], np.float32)


def signature(*names: str) -> Signature:
    one = TensorSpec(name="x", datatype="FP32", shape=("batch", 4))
    return Signature(
        inputs=(one,), outputs=tuple(TensorSpec(name=name, datatype="FP32", shape=("batch",)) for name in names)
    )


def answers(task: Task, classes: tuple[int | str, ...] = (), **outputs: np.ndarray) -> list[object]:
    return list(answers_from(outputs, signature(*outputs), task, classes).tolist())


def test_an_integer_output_is_the_label_and_the_probabilities_are_left_alone() -> None:
    assert answers("classification", (5, 7, 9), label=np.array([7, 5]), probabilities=SCORES) == [7, 5]


def test_the_labels_may_be_bytes_or_a_column() -> None:
    assert answers("classification", ("a", "b"), label=np.array([b"b", b"a"], object)) == ["b", "a"]
    assert answers("classification", (5, 7), label=np.array([[7], [5]])) == [7, 5]


def test_an_integer_is_an_index_when_the_classes_are_text() -> None:
    assert answers("classification", ("cat", "dog"), label=np.array([1, 0])) == ["dog", "cat"]
    with pytest.raises(DataError, match="class number 2"):
        answers("classification", ("cat", "dog"), label=np.array([2, 0]))


def test_the_largest_score_names_its_class() -> None:
    assert answers("classification", ("a", "b", "c"), scores=SCORES) == ["b", "a"]
    assert answers("classification", (), scores=SCORES) == [1, 0]
    assert answers("unknown", (), scores=SCORES) == [1, 0]
    assert answers("classification", (5, 7, 9), logits=SCORES - 5, probabilities=SCORES) == [7, 5]


def test_bf16_is_taken_for_the_floats_it_is() -> None:
    assert answers("classification", ("a", "b", "c"), scores=from_numbers(SCORES)) == ["b", "a"]
    assert answers("classification", (), output=from_numbers(np.array([0.6, 0.4]))) == [1, 0]
    assert answers("regression", (), value=from_numbers(np.array([-1.5, 2.0]))) == [-1.5, 2.0]
    with pytest.raises(DataError, match="NaN or infinite in 1 of 2 rows, first in row 1"):
        answers("regression", (), value=from_numbers(np.array([1.0, np.inf])))


def test_scores_and_classes_of_different_models_are_refused() -> None:
    with pytest.raises(DataError, match="3 scores a row and has 2 classes"):
        answers("classification", (0, 1), scores=SCORES)


def test_one_score_a_row_is_cut_at_a_half_when_it_is_a_probability_and_at_zero_when_its_name_says_logit() -> None:
    column = np.array([[0.5], [0.49]], np.float32)
    assert answers("classification", ("no", "yes"), output=column) == ["yes", "no"]
    assert answers("classification", (), logits=column - 0.49) == [1, 1]
    assert answers("classification", (), decision_function=np.array([-0.1, 3.0], np.float32)) == [0, 1]


def test_one_score_a_row_that_is_no_probability_is_ambiguous() -> None:
    with pytest.raises(DataError, match="a logit or a value") as caught:
        answers("classification", (0, 1), output=np.array([-2.0, 3.5]))
    assert "sigmoid" in caught.value.hint


def test_several_outputs_that_could_be_the_answer_are_ambiguous() -> None:
    with pytest.raises(DataError, match="several outputs"):
        answers("classification", (), first=np.array([1, 2]), second=np.array([2, 1]))
    with pytest.raises(DataError, match="several outputs"):
        answers("regression", (), first=np.array([1.0, 2.0]), second=np.array([2.0, 1.0]))


def test_a_regression_is_one_value_a_row() -> None:
    assert answers("regression", (), variable=np.array([[1.5], [2.5]], np.float32)) == [1.5, 2.5]
    assert answers("unknown", (), y=np.array([1.5, -2.5])) == [1.5, -2.5]
    with pytest.raises(DataError, match="no output holds one value"):
        answers("regression", (), variable=SCORES)


@pytest.mark.parametrize("task", ("classification", "regression"))
def test_an_answer_that_is_not_a_number_is_no_answer(task: Task) -> None:
    with pytest.raises(DataError, match="1 of 2 rows, first in row 1"):
        answers(task, (), output=np.array([0.5, np.nan]))


def test_a_missing_output_is_named() -> None:
    with pytest.raises(DataError, match="'label'"):
        answers_from({"x": SCORES}, signature("label"), "classification", ())


def test_an_output_of_a_strange_kind_is_refused_with_its_shape() -> None:
    with pytest.raises(DataError, match=r"\[2, 3, 1\]"):
        answers("classification", (), output=SCORES[:, :, None])
