"""Tensors on the wire: what one that is not of its datatype would make of it, and what has no form in JSON."""

import numpy as np
import pytest
from numpy.typing import NDArray

from modeldyno.bfloat16 import BF16, from_numbers
from modeldyno.records.signature import WITHOUT_JSON
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_tensors import decode_binary, decode_json, encode_binary, encode_json

ONES = from_numbers(np.ones((1, 2)))


def test_bf16_is_the_upper_half_of_a_float32_the_lower_byte_first() -> None:
    assert bytes.fromhex("803f 20c0") == encode_binary(from_numbers(np.array([[1.0, -2.5]])), "BF16")


@pytest.mark.parametrize("array", (np.ones(2, np.float32), np.ones(2, np.uint16), np.ones(2, np.float16)))
def test_what_is_no_bf16_is_never_sent_as_if_it_were(array: NDArray[np.generic]) -> None:
    with pytest.raises(TypeError, match=f"BF16 tensor holds .*not {array.dtype}"):
        encode_binary(array, "BF16")


@pytest.mark.parametrize("kind", (bytes, bytearray, memoryview))
def test_nobody_can_write_into_a_request_by_way_of_its_tensors(kind: type[bytes | bytearray | memoryview]) -> None:
    found = decode_binary("FP32", [2], kind(bytearray(8)), 0, 8)
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1.0


def test_bf16_need_not_lie_at_a_multiple_of_its_size() -> None:
    found = decode_binary("BF16", [1, 2], b"{" + ONES.tobytes(), 1, 4)
    assert BF16 == found.dtype
    np.testing.assert_array_equal(ONES, found)


def test_bf16_of_another_size_than_its_shape_is_refused() -> None:
    with pytest.raises(WireError, match="takes 4 bytes; 8 were given"):
        decode_binary("BF16", [1, 2], bytes(8), 0, 8)


@pytest.mark.parametrize("datatype", sorted(WITHOUT_JSON))
def test_halves_are_refused_in_json_with_the_way_out(datatype: str) -> None:
    with pytest.raises(WireError, match=f"{datatype} has no JSON form; send it in binary .*binary_data_size"):
        decode_json(datatype, [1], b"[1.0]")
    with pytest.raises(WireError, match=f"{datatype} has no JSON form; ask for binary output .*binary_data"):
        encode_json(ONES if datatype == "BF16" else np.ones(1, np.float16), datatype)
