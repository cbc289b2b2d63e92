import numpy as np
import pytest

from modeldyno.errors import DataError
from modeldyno.quality.labels import match_labels, note_unseen_labels, plain_labels


@pytest.mark.parametrize(
    "values",
    (
        np.array([0, 1, 1]),
        np.array([0.0, 1.0, 1.0]),
        np.array([False, True, True]),
        np.array([0, 1, 1], np.uint8),
        np.array([0, 1.0, True], object),
        np.array([[0], [1], [1]]),
    ),
)
def test_whole_numbers_of_any_dtype_are_the_same_labels(values: np.ndarray) -> None:
    assert plain_labels(values).tolist() == [0, 1, 1]
    assert plain_labels(values).dtype == np.int64


@pytest.mark.parametrize(
    "values", (np.array(["a", "ü"]), np.array([b"a", "ü".encode()]), np.array([b"a", "ü"], object))
)
def test_text_and_bytes_are_the_same_labels(values: np.ndarray) -> None:
    assert plain_labels(values).tolist() == ["a", "ü"]


@pytest.mark.parametrize(
    ("values", "said"),
    (
        (np.array([0, np.nan]), "row 1 holds nan"),
        (np.array([0.5, 1]), "row 0 holds 0.5"),
        (np.array([1, "a"], object), "int, str"),
        (np.array([1, None], object), "NoneType"),
        (np.eye(3), r"shape \(3, 3\)"),
        (np.array([1 + 2j]), "complex128"),
    ),
)
def test_what_is_no_label_is_refused_with_its_value(values: np.ndarray, said: str) -> None:
    with pytest.raises(DataError, match=said):
        plain_labels(values)


def test_text_and_numbers_are_never_compared() -> None:
    with pytest.raises(DataError, match="one is text") as caught:
        match_labels(np.array(["1", "0"]), np.array([1, 0]))
    assert "'1'" in caught.value.what
    assert caught.value.hint


def test_answers_and_labels_must_have_the_same_rows() -> None:
    with pytest.raises(DataError, match="3 answers cannot be compared with 2 labels"):
        match_labels(np.arange(3), np.arange(2))
    with pytest.raises(DataError, match="no rows"):
        match_labels(np.array([], np.int64), np.array([], np.int64))


def test_codes_point_into_the_classes_of_both() -> None:
    answers, truth, classes = match_labels(np.array([7, 5, 9]), np.array([5, 5, 7]))
    assert classes.tolist() == [5, 7, 9]
    assert classes[answers].tolist() == [7, 5, 9]
    assert classes[truth].tolist() == [5, 5, 7]


def test_labels_that_the_model_cannot_answer_are_noted_and_not_refused() -> None:
    note = note_unseen_labels(np.array([1.0, 2.0, 9.0, 9.0]), (1, 2, 3))
    assert note is not None
    assert "2 of 4 rows" in note
    assert "9" in note
    assert note_unseen_labels(np.array([1, 2]), (1, 2)) is None
    assert note_unseen_labels(np.array([1, 2]), ()) is None
