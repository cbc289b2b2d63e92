import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from modeldyno.quality.thresholds import joined_answers, outcome_of, thresholds_to_try

CONFIDENCE = hnp.arrays(np.float64, st.integers(1, 300), elements=st.floats(0, 1, width=32))


@given(CONFIDENCE)
def test_thresholds_fall_and_pass_on_ever_fewer_rows(confidence: NDArray[np.float64]) -> None:
    thresholds = thresholds_to_try(confidence)
    passed_on = [int((confidence < threshold).sum()) for threshold in thresholds]
    assert sorted(thresholds, reverse=True) == thresholds
    assert sorted(set(passed_on), reverse=True) == passed_on
    assert 0 == passed_on[-1]


@given(CONFIDENCE)
def test_no_threshold_is_the_confidence_of_a_row_that_could_go_either_way(confidence: NDArray[np.float64]) -> None:
    for threshold in thresholds_to_try(confidence)[:-1]:
        assert threshold not in confidence
        assert (confidence < threshold).any()


def test_the_shares_are_those_that_were_wanted() -> None:
    confidence = np.arange(1000) / 1000
    shares = [float((confidence < threshold).mean()) for threshold in thresholds_to_try(confidence)]
    assert [0.95, 0.9, 0.85] == shares[:3]
    assert [0.02, 0.015, 0.01, 0.005, 0.0] == shares[-5:]


def test_rows_without_a_confidence_always_go_on_and_are_not_counted() -> None:
    assert [] == thresholds_to_try(np.array([np.nan, np.nan]))
    assert [0.0] == thresholds_to_try(np.array([np.nan, 0.5]))


def test_an_outcome_counts_pairs_of_rows() -> None:
    labels = np.array([1, 1, 1, 1, 0])
    first, second = np.array([1, 0, 0, 1, 0]), np.array([1, 1, 0, 0, 0])
    outcome = outcome_of(np.array([False, True, True, False, False]), first, second, labels)
    assert 0.4 == outcome.passed_on.value
    assert 0.8 == outcome.accuracy.value  # the second has 0.6, and the cascade is right where it is wrong
    assert -0.2 == outcome.drop.value


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.booleans()), min_size=1, max_size=20))
def test_each_answer_is_of_the_first_stage_that_does_not_pass_its_row_on(rows: list[tuple[int, bool, bool]]) -> None:
    answers = [np.full(len(rows), stage) for stage in (10, 11, 12)]
    unsure = [np.array([row[1] for row in rows]), np.array([row[2] for row in rows])]
    expected = [10 if not first else 11 if not second else 12 for _, first, second in rows]
    assert expected == joined_answers(unsure, answers).tolist()
