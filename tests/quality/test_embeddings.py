import numpy as np
import pytest

from modeldyno.errors import DataError
from modeldyno.quality.assess import assess_rows
from modeldyno.quality.changes import compare_rows
from modeldyno.quality.embeddings import compare_embeddings
from modeldyno.quality.rows import Answers, Rows


def vectors(rows: int = 200, *, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 16)).astype(np.float32)


def test_rows_of_one_label_that_lie_together_are_found() -> None:
    labels = np.arange(200) % 4
    together = np.eye(16, dtype=np.float32)[labels] + 0.05 * vectors()
    found = assess_rows(Answers(together), Rows(labels), "embedding", seed=1).metrics
    assert (1.0, 1.0) == (found["mrr"].value, found["hit_rate@1"].value)
    assert (found["mrr"].low or 1) < 1
    apart = assess_rows(Answers(vectors()), Rows(labels), "embedding", seed=1).metrics
    assert 0.25 == pytest.approx(apart["hit_rate@1"].value, abs=0.12)


def test_the_place_of_the_nearest_of_the_same_label_is_counted_against_ties() -> None:
    three = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    found = assess_rows(Answers(three), Rows(np.array(["a", "a", "b"])), "embedding", seed=1)
    assert 0.5 == found.metrics["mrr"].value
    assert "there are only 3 rows" == found.omitted["hit_rate@5"]


def test_without_two_rows_of_a_label_there_is_nothing_to_find() -> None:
    found = assess_rows(Answers(vectors(5)), Rows(np.arange(5)), "embedding", seed=1)
    assert {} == found.metrics
    assert "no two rows have the same label" in found.omitted["mrr"]


def test_the_same_embeddings_agree_and_turned_ones_have_the_same_neighbours() -> None:
    one = vectors()
    turned = one @ np.linalg.qr(vectors(16, seed=5)[:16].astype(np.float64))[0]
    same, other = compare_embeddings(one, one, seed=1), compare_embeddings(one, turned, seed=1)
    assert 1.0 == pytest.approx(same.agreement["cosine"].value)
    assert (1.0, 0) == (same.agreement["neighbour_overlap"].value, same.flips)
    assert (other.agreement["cosine"].high or 1) < 0.3
    assert 1.0 == pytest.approx(other.agreement["neighbour_overlap"].value)


def test_noise_loses_neighbours_before_it_loses_directions() -> None:
    one = vectors()
    change = compare_rows(Answers(one), Answers(one + 0.3 * vectors(seed=2)), Rows(None), "embedding", seed=1)
    assert change.agreement["cosine"].value > 0.9 > change.agreement["neighbour_overlap"].value
    assert 0 < change.flips < 200
    assert {} == change.drops


def test_other_dimensions_have_no_cosine_but_neighbours() -> None:
    one = vectors()
    found = compare_embeddings(one, np.hstack([one, 0 * one]), seed=1).agreement
    assert {"neighbour_overlap"} == set(found)


def test_many_rows_are_asked_by_the_thousand() -> None:
    one = vectors(3000)
    assert 2000 == compare_embeddings(one, one, seed=1).asked


@pytest.mark.parametrize("wrong", (np.zeros((3, 4)), np.ones(3), np.full((3, 4), np.nan)))
def test_what_has_no_direction_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"no direction|one vector a row"):
        compare_embeddings(wrong, wrong, seed=1)
