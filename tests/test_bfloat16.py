"""BF16 as float32 and back: exact one way, rounded to the nearest even the other."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from modeldyno.bfloat16 import BF16, STEP, as_numbers, from_numbers, to_floats
from modeldyno.records.signature import DATATYPES

EVERY = np.arange(2**16, dtype=np.uint16).astype("<u2").view(BF16)


def test_it_is_what_the_table_of_datatypes_says() -> None:
    assert np.dtype(DATATYPES["BF16"]) == BF16


def test_every_number_of_it_comes_back_from_float32() -> None:
    floats = to_floats(EVERY)
    back = from_numbers(floats)

    is_nan = np.isnan(floats)
    assert 2 * 127 == is_nan.sum()
    np.testing.assert_array_equal(EVERY[~is_nan], back[~is_nan])
    assert np.isnan(to_floats(back[is_nan])).all()


@pytest.mark.parametrize(
    ("number", "bits"),
    (
        (1.0, 0x3F80), (-2.5, 0xC020), (0.0, 0x0000), (-0.0, 0x8000), (math.inf, 0x7F80), (-math.inf, 0xFF80),
        (2.0**-133, 0x0001),  # the smallest there is
        (3.3895313892515355e38, 0x7F7F),  # the largest
        (3.4e38, 0x7F80),  # nearer to what would come behind it
        (1e300, 0x7F80),
        (1.00390625, 0x3F80), (1.01171875, 0x3F82),  # in the middle between two: to the even one
        (1.00390637, 0x3F81), (1.0039, 0x3F80),
    ),
)  # fmt: skip
def test_known_numbers_have_their_known_bits(number: float, bits: int) -> None:
    assert bits == from_numbers(np.array(number)).view("<u2")


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0)))
def test_the_nearest_is_taken_and_shapes_stay(array: NDArray[np.float32]) -> None:
    rounded = from_numbers(array)
    back = to_floats(rounded)

    assert (BF16, array.shape) == (rounded.dtype, rounded.shape)
    assert (np.dtype(np.float32), array.shape) == (back.dtype, back.shape)
    np.testing.assert_array_equal(np.isnan(array), np.isnan(back))
    normal = (np.abs(array) > 2.0**-126) & np.isfinite(back)
    exact, found = array[normal].astype(np.float64), back[normal].astype(np.float64)
    assert (np.abs(exact - found) <= np.abs(found) * (STEP / 2)).all()


@given(st.integers(0x7F800001, 0x7FFFFFFF), st.sampled_from((0, 0x80000000)))
def test_every_nan_stays_one(bits: int, sign: int) -> None:
    nan = np.array(bits | sign, np.uint32).view(np.float32)
    assert np.isnan(to_floats(from_numbers(nan)))


def test_neighbours_are_not_further_apart_than_a_step() -> None:
    normal = to_floats(EVERY[0x0080:0x7F80]).astype(np.float64)
    assert STEP == ((normal[1:] - normal[:-1]) / normal[:-1]).max()


def test_rows_that_do_not_lie_side_by_side_are_read_as_they_are() -> None:
    table = np.arange(12.0, dtype=np.float32).reshape(3, 4)
    bits = from_numbers(table)

    np.testing.assert_array_equal(table.T, to_floats(bits.T))
    np.testing.assert_array_equal(table[:, ::2], to_floats(bits[:, ::2]))
    np.testing.assert_array_equal(bits.T, from_numbers(table.T))


def test_other_arrays_are_left_alone() -> None:
    whole = np.arange(3, dtype=np.uint16)
    assert as_numbers(whole) is whole
    assert [1.0, -2.0] == as_numbers(from_numbers(np.array([1, -2]))).tolist()


def test_bits_are_not_computed_with() -> None:
    with pytest.raises(TypeError):
        EVERY + EVERY
    with pytest.raises(TypeError):
        np.array([1.0], BF16)
