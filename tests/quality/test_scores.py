import numpy as np
import pytest

from modeldyno.errors import DataError
from modeldyno.quality.answers import answers_from
from modeldyno.quality.scores import label_columns, scores_from, scores_of
from modeldyno.records.signature import Signature, TensorSpec


def signature(**outputs: int) -> Signature:
    """Of outputs with so many columns; 0 for none."""
    specs = tuple(
        TensorSpec(name=name, datatype="FP32", shape=("batch", columns) if columns else ("batch",))
        for name, columns in outputs.items()
    )
    return Signature(inputs=(), outputs=specs)


def test_probabilities_are_found_beside_the_label() -> None:
    outputs = {"label": np.array([1, 0]), "probabilities": np.array([[0.2, 0.8], [0.6, 0.4]], np.float32)}
    found = scores_from(outputs, signature(label=0, probabilities=2))
    assert found is not None
    scores = scores_of(*found)
    assert scores.is_probability
    assert [0.8, 0.4] == pytest.approx(scores.values[:, 1].tolist())


def test_logits_become_probabilities_and_it_is_said() -> None:
    scores = scores_of(np.array([[1000.0, 0.0], [0.0, np.log(3)]]), "logits")
    assert [1.0, 0.25] == pytest.approx(scores.values[:, 0].tolist())
    assert "softmax over 'logits'" == scores.note
    one = scores_of(np.array([[-800.0], [0.0]]), "decision")
    assert [0.0, 0.5] == pytest.approx(one.values[:, 1].tolist())


def test_one_score_a_row_is_that_of_the_second_class() -> None:
    found = scores_from({"score": np.array([0.9, 0.2])}, signature(score=0))
    assert found is not None
    assert [0.1, 0.9, 0.8, 0.2] == pytest.approx(scores_of(*found).values.ravel().tolist())
    assert scores_from({"value": np.array([3.0, 0.2])}, signature(value=0)) is None


def test_half_precision_is_still_a_probability_and_is_made_to_add_up() -> None:
    scores = scores_of(np.array([[0.3335, 0.333, 0.3325], [0.9995, 0.0006, -0.0001]]), "p")
    assert scores.is_probability
    assert [1.0, 1.0] == pytest.approx(scores.values.sum(axis=1).tolist())
    assert not scores_of(np.array([[0.5, 0.9]]), "p").is_probability


def test_labels_find_their_columns_whatever_the_order_of_the_classes() -> None:
    assert [1, 0, -1] == label_columns(np.array(["cat", "dog", "bird"]), ("dog", "cat"), 2).tolist()
    assert [2, -1] == label_columns(np.array([2, 3]), (), 3).tolist()
    with pytest.raises(DataError, match="one is text"):
        label_columns(np.array(["1"]), (1, 2), 2)


def test_vectors_and_sequences_are_answers_too() -> None:
    vectors = np.ones((2, 8), np.float32)
    assert (2, 8) == answers_from({"embedding": vectors}, signature(embedding=8), "embedding", ()).shape
    tokens = np.ones((2, 5), np.int64)
    assert (2, 5) == answers_from({"tokens": tokens}, signature(tokens=5), "sequence", ()).shape
    with pytest.raises(DataError, match="one vector a row"):
        answers_from({"tokens": np.ones((2, 5, 8), np.float32)}, signature(tokens=5), "embedding", ())
    with pytest.raises(DataError, match="a sequence a row"):
        answers_from({"embedding": vectors}, signature(embedding=8), "sequence", ())
