import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from modeldyno.bfloat16 import from_numbers
from modeldyno.quality.difference import Difference, document_difference, tensor_difference

FLOATS = npst.arrays(np.float32, (3, 2), elements=st.floats(width=32))


def texts(*values: bytes) -> np.ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def compare(expected: Any, received: Any, tolerance: float = 1e-4) -> Difference | None:
    return tensor_difference({"y": np.asarray(expected)}, {"y": np.asarray(received)}, tolerance)


@given(FLOATS)
def test_an_array_equals_itself_nan_and_infinity_included(array: np.ndarray) -> None:
    assert compare(array, array.copy(), 0.0) is None


@given(FLOATS, FLOATS, st.floats(0, 1))
def test_floats_are_equal_exactly_where_numpy_allclose_says_so(
    expected: np.ndarray, received: np.ndarray, tolerance: float
) -> None:
    wide = received.astype(np.float64), expected.astype(np.float64)

    is_close = np.allclose(*wide, rtol=tolerance, atol=tolerance, equal_nan=True)

    assert is_close == (compare(expected, received, tolerance) is None)


def test_the_first_difference_is_named_with_both_values() -> None:
    found = compare([[0.25, 0.5], [1.0, 2.0]], [[0.25, 0.5], [1.0, 2.5]])

    assert Difference("y[1, 1]", "2.0", "2.5") == found


def test_bf16_is_compared_and_shown_by_its_values() -> None:
    ones = from_numbers(np.array([1.0, 2.0]))
    assert compare(ones, ones.copy()) is None
    assert compare(np.array([1.001, 2.0]), ones) is None  # the nearest there is
    assert compare(ones, np.array([1.0, 2.0], np.float32)) is None
    assert Difference("y[1]", "2.0", "2.25") == compare(ones, from_numbers(np.array([1.0, 2.25])))
    assert Difference("y[0]", "1.0", "16256") == compare(ones, ones.view(np.uint16))


def test_whole_numbers_know_no_tolerance() -> None:
    assert Difference("y[0]", "1000", "1001") == compare([1000], [1001], 0.5)
    assert compare([1000], [1000.1]) is not None
    assert compare([1000], [1000.0]) is None
    assert compare(np.array([7], np.int32), np.array([7], np.uint8)) is None


def test_texts_are_equal_to_the_byte() -> None:
    assert compare(texts(b"cat", b"dog"), texts(b"cat", b"dog")) is None
    assert Difference("y[1]", "'dog'", "'dog\\x00'") == compare(texts(b"cat", b"dog"), texts(b"cat", b"dog\0"))
    assert Difference("y[0]", "'1'", "1") == compare(texts(b"1"), [1])


def test_truths_are_no_numbers() -> None:
    assert compare([True], [True]) is None
    assert Difference("y[0]", "True", "1") == compare([True], [1])


def test_a_dimension_of_length_one_makes_no_other_shape() -> None:
    assert compare([1.0, 2.0], [[1.0], [2.0]]) is None
    assert Difference("y", "shape [2]", "shape [3]") == compare([1.0, 2.0], [1.0, 2.0, 3.0])
    assert Difference("y", "shape [2, 3]", "shape [3, 2]") == compare(np.zeros((2, 3)), np.zeros((3, 2)))


def test_an_output_that_is_missing_is_a_difference_and_one_too_many_is_not() -> None:
    one, two = np.array([1.0]), np.array([2.0])

    assert Difference("b", "an output", "only a") == tensor_difference({"a": one, "b": two}, {"a": one}, 0)
    assert tensor_difference({"a": one}, {"a": one, "b": two}, 0) is None


def test_the_only_output_may_come_without_its_name() -> None:
    one = np.array([1.0])

    assert tensor_difference({"a": one}, {"": one}, 0) is None
    assert tensor_difference({"a": one, "b": one}, {"": one}, 0) is not None


@pytest.mark.parametrize(
    ("expected", "received", "found"),
    (
        ({"a": 1}, {"a": 1, "id": "x"}, None),
        ({"a": 1, "b": 2}, {"a": 1}, Difference("b", "2", "no such member")),
        ({"a": [{"p": 0.5}]}, {"a": [{"p": 0.50001}]}, None),
        ({"a": [{"p": 0.5}]}, {"a": [{"p": 0.6}]}, Difference("a[0].p", "0.5", "0.6")),
        ([1, 2], [1], Difference("", "2 items", "1 items")),
        (1, 1.0, None),
        (1, 2, Difference("", "1", "2")),
        (1, True, Difference("", "1", "True")),
        (None, 0, Difference("", "None", "0")),
        ("a", "a", None),
        (math.nan, math.nan, None),
        ({}, [], Difference("", "{}", "[]")),
    ),
)
def test_documents_are_compared_member_by_member(expected: object, received: object, found: Difference | None) -> None:
    assert found == document_difference(expected, received, 1e-4)


def test_a_long_value_is_shown_in_part() -> None:
    found = document_difference("x" * 1000, "y", 0)

    assert found is not None
    assert found.expected.endswith("x…")
    assert len(found.expected) < 100
