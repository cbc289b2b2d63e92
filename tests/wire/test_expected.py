import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from modeldyno.wire.expected import Expectation, decode_expectation, encode_expectation, expect_outputs


@given(npst.arrays(npst.boolean_dtypes() | npst.integer_dtypes() | npst.floating_dtypes(sizes=(16, 32, 64)), (2, 3)))
def test_numbers_arrive_as_they_left(array: np.ndarray) -> None:
    back = decode_expectation(encode_expectation(expect_outputs({"y": array}))).arrays()["y"]

    np.testing.assert_array_equal(array, back)
    assert array.dtype.newbyteorder("=") == back.dtype


@given(st.lists(st.binary(), min_size=1))
def test_bytes_arrive_as_they_left_zeros_at_their_end_included(values: list[bytes]) -> None:
    array = np.empty(len(values), object)
    array[:] = values

    assert values == decode_expectation(encode_expectation(expect_outputs({"y": array}))).arrays()["y"].tolist()


def test_a_text_is_its_bytes() -> None:
    assert [b"\xc3\xa4"] == expect_outputs({"y": np.array(["ä"])}).arrays()["y"].tolist()


@pytest.mark.parametrize(
    ("expectation", "looks"),
    (
        (Expectation(), False),
        (Expectation(statuses=((200, 204),)), False),
        (Expectation(pattern="a"), True),
        (Expectation(body=b""), True),
        (Expectation(document=b"{}"), True),
        (Expectation(outputs={}), True),
    ),
)
def test_only_what_is_said_of_the_content_is_looked_at(expectation: Expectation, *, looks: bool) -> None:
    assert looks == decode_expectation(encode_expectation(expectation)).has_content
