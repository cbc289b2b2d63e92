import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.errors import DataError
from modeldyno.quality.assess import assess_rows
from modeldyno.quality.changes import compare_rows
from modeldyno.quality.rows import Answers, Rows
from modeldyno.quality.sequences import edit_distance, tokens_of

tokens = st.lists(st.sampled_from("abc"), max_size=8)


def slow_distance(one: list[str], other: list[str]) -> int:
    if not one or not other:
        return len(one) + len(other)
    return min(
        slow_distance(one[1:], other) + 1,
        slow_distance(one, other[1:]) + 1,
        slow_distance(one[1:], other[1:]) + (one[0] != other[0]),
    )


@given(tokens.filter(lambda one: len(one) < 6), tokens.filter(lambda one: len(one) < 6))
def test_the_distance_is_that_of_its_definition(one: list[str], other: list[str]) -> None:
    assert slow_distance(one, other) == edit_distance(one, other)


@given(tokens, tokens, tokens)
def test_the_distance_is_one(one: list[str], other: list[str], third: list[str]) -> None:
    assert edit_distance(one, other) == edit_distance(other, one)
    assert edit_distance(one, third) <= edit_distance(one, other) + edit_distance(other, third)


def test_texts_are_judged_by_words() -> None:
    answers = np.array(["the cat sat", "a dog", "no"] * 10, object)
    truth = np.array(["the cat sat", "a big dog", "yes"] * 10, object)
    found = assess_rows(Answers(answers), Rows(truth), "sequence", seed=1).metrics
    assert 1 / 3 == pytest.approx(found["exact_match"].value)
    assert (1 + 2 / 3 + 0) / 3 == pytest.approx(found["edit_similarity"].value)
    assert 2 / 7 == pytest.approx(found["token_error_rate"].value)
    for one in found.values():
        assert (one.low or 0) <= one.value <= (one.high or 0)


def test_rows_of_numbers_are_compared_token_by_token_without_labels() -> None:
    before = np.random.default_rng(1).integers(0, 50, (40, 12))
    after = before.copy()
    after[:4, 3] += 1
    change = compare_rows(Answers(before), Answers(after), Rows(None), "sequence", seed=1)
    assert (4, 0.9) == (change.flips, change.agreement["exact_agreement"].value)
    assert 1 - 4 / 40 / 12 == pytest.approx(change.agreement["edit_agreement"].value)


def test_a_worse_writer_is_told_pair_by_pair() -> None:
    truth = np.array([f"word{number} and more of it" for number in range(60)], object)
    worse = np.array(
        [text.replace("more", "less") if number % 2 else text for number, text in enumerate(truth)], object
    )
    change = compare_rows(Answers(truth), Answers(worse), Rows(truth), "sequence", seed=1)
    assert 0.5 == change.drops["exact_match"].value
    assert (change.drops["token_error_rate"].low or 0) > 0.05


def test_empty_expectations_have_no_error_rate() -> None:
    found = assess_rows(Answers(np.array(["", "a"], object)), Rows(np.array(["", ""], object)), "sequence", seed=1)
    assert "all expected sequences are empty" == found.omitted["token_error_rate"]
    assert 0.5 == found.metrics["exact_match"].value


def test_fractions_are_no_sequence() -> None:
    with pytest.raises(DataError, match="neither texts nor rows of token numbers"):
        tokens_of(np.array([0.5, 1.0]), "the answers")
