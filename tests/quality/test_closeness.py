"""Values that are the same but for rounding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from modeldyno.bfloat16 import BF16, from_numbers
from modeldyno.quality.closeness import are_close, closeness

TIGHT = {"relative": 1e-6, "absolute": 0.0}


@given(st.integers(0x0080, 0x7F7C), st.sampled_from((0, 0x8000)))
def test_two_neighbours_of_bf16_are_the_same_and_further_ones_are_not(bits: int, sign: int) -> None:
    one, next_one, far = (np.array([bits + step | sign], np.uint16).view(BF16) for step in (0, 1, 3))
    assert are_close(one, next_one, **TIGHT)
    assert are_close(next_one, one, **TIGHT)
    assert not are_close(one, far, **TIGHT)


def test_two_neighbours_of_fp16_are_the_same_too() -> None:
    halves = np.array([1.0, 1000.0, 0.001], np.float16)
    assert are_close(halves, np.nextafter(halves, np.float16(np.inf)), **TIGHT)
    assert not are_close(halves, (halves * 1.005).astype(np.float16), **TIGHT)


def test_a_number_of_a_file_is_held_against_the_bf16_it_was_rounded_to() -> None:
    exact = np.array([0.1, 3.3, -7.77])
    assert are_close(exact, from_numbers(exact), **TIGHT)
    assert not are_close(exact, from_numbers(exact * 1.02), **TIGHT)


@pytest.mark.parametrize(
    ("expected", "found", "same"),
    (
        (np.array([1.0, np.nan]), np.array([1.0 + 1e-7, np.nan]), [True, True]),
        (np.array([1.0, 2.0]), np.array([1.0 + 1e-5, 2.0]), [False, True]),
        (np.array([1.0, 2.0]), np.array([1, 3]), [True, False]),
        (np.array([1, 2]), np.array([1.0, 2.0000001]), [True, False]),
        (np.array([2**63 - 1]), np.array([2**63 - 2]), [False]),
        (np.array([b"a", b"b"], object), np.array([b"a", b"c"], object), [True, False]),
        (np.array([True, False]), np.array([True, True]), [True, False]),
        (np.array([0x3F80, 0x3F81], np.uint16), np.array([0x3F80, 0x3F82], np.uint16), [True, False]),
        (from_numbers(np.array([np.nan, np.inf])), from_numbers(np.array([np.nan, -np.inf])), [True, False]),
    ),
)
def test_all_others_as_numpy_and_equality_have_it(
    expected: NDArray[np.generic], found: NDArray[np.generic], same: list[bool]
) -> None:
    assert same == closeness(expected, found, **TIGHT).tolist()


def test_no_nan_whatever_is_warned_of() -> None:
    signalling = np.array([0x7F81], np.uint16).view(BF16)
    assert are_close(signalling, from_numbers(np.array([np.nan])), **TIGHT)
    assert not are_close(signalling, from_numbers(np.array([1.0])), **TIGHT)


def test_other_shapes_are_not_close() -> None:
    assert not are_close(np.ones((1, 2)), np.ones((2, 1)), **TIGHT)
