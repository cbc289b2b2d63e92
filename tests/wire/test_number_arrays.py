"""`modeldyno.wire.number_arrays`: what is cut out of a document, and that numbers are read as NumPy would."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.records.signature import DATATYPES, WITHOUT_JSON
from modeldyno.wire.number_arrays import cut_arrays, read_numbers

NUMBERS = sorted(set(DATATYPES) - {"BOOL", "BYTES"} - WITHOUT_JSON)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["data", '"data":[', "name", "a"]), inner),
    max_leaves=12,
)


def put_back(rest: bytes, arrays: list[bytes]) -> bytes:
    for number, array in enumerate(arrays):
        rest = rest.replace(b'"data":[%d]' % number, b'"data":' + array.replace(b"[", b"\0"), 1)
    return rest.replace(b"\0", b"[")


@given(VALUES)
def test_what_is_cut_out_put_back_gives_the_document(value: Any) -> None:
    document = json.dumps(value, separators=(",", ":")).encode()
    rest, arrays = cut_arrays(document)
    assert document == put_back(rest, arrays)


@given(VALUES, st.sampled_from([None, 1]))
def test_what_is_left_is_json_where_data_hold_numbers_only(value: Any, indent: int | None) -> None:
    document = {"inputs": [{"name": "data", "data": [1, [2.5, -3e-5]]}, {"data": []}], "other": value}
    rest, arrays = cut_arrays(json.dumps(document, indent=indent).encode())
    assert [[1, [2.5, -3e-5]], []] == [json.loads(array) for array in arrays[:2]]
    if "data" not in json.dumps(value):
        assert {**document, "inputs": [{"name": "data", "data": [0]}, {"data": [1]}]} == json.loads(rest)


@given(st.binary(max_size=40), st.binary(max_size=20))
def test_any_bytes_can_be_cut(start: bytes, end: bytes) -> None:
    document = start + b'"data":[1,2]' + end
    rest, arrays = cut_arrays(document)
    assert len(rest) + sum(map(len, arrays)) == len(document) + 3 * len(arrays)


@pytest.mark.parametrize(
    "document", (b'{"a\\"data":[1]}', b'{"data":["a"]}', b'{"data":[{"b":1}]}', b'{"data":5}', b"{}")
)
def test_nothing_else_is_cut(document: bytes) -> None:
    assert (document, []) == cut_arrays(document)


def test_a_thousand_arrays_are_enough() -> None:
    _, arrays = cut_arrays(b'"data":[1],' * 2000)
    assert len(arrays) == 1000


@st.composite
def tensors(draw: st.DrawFn) -> tuple[str, np.ndarray[Any, Any]]:
    datatype = draw(st.sampled_from(NUMBERS))
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    dtype = np.dtype(DATATYPES[datatype])
    if dtype.kind == "f":
        element: Any = st.floats(allow_nan=False, allow_infinity=False, width=32 if datatype == "FP32" else 64)
    else:
        element = st.integers(int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    size = int(np.prod(shape))
    values = draw(st.lists(element, min_size=size, max_size=size))
    return datatype, np.array(values, dtype).reshape(shape)


@given(tensors(), st.booleans(), st.sampled_from([None, 1]))
def test_numbers_are_read_flat_or_nested(tensor: tuple[str, Any], flat: bool, indent: int | None) -> None:  # noqa: FBT001 - drawn
    datatype, array = tensor
    data = json.dumps((array.ravel() if flat else array).tolist(), indent=indent).encode()
    found = read_numbers(datatype, array.shape, data)
    assert found is not None
    np.testing.assert_array_equal(array, found)
    assert (array.dtype, array.shape) == (found.dtype, found.shape)


@pytest.mark.parametrize("size", (0, 1, 63, 64, 65, 500))
def test_few_numbers_and_many_are_rounded_alike(size: int) -> None:
    numbers = (np.random.default_rng(size).standard_normal(size) * 1e3).tolist()
    found = read_numbers("FP32", [size], json.dumps(numbers).encode())
    assert found is not None
    np.testing.assert_array_equal(np.array(numbers, np.float32), found)
    assert np.float32 == found.dtype


@pytest.mark.parametrize(
    ("datatype", "shape", "data"),
    (
        ("INT8", [1], b"[128]"),
        ("INT8", [1], b"[-129]"),
        ("UINT8", [1], b"[-1]"),
        ("UINT64", [1], b"[-1]"),
        ("INT64", [1], b"[9223372036854775808]"),
        ("FP32", [1], b"[1e39]"),
        ("FP64", [1], b"[1e400]"),
        ("FP64", [1], b"[NaN]"),
        ("FP64", [1], b"[null]"),
        ("INT32", [1], b"[1.5]"),
        ("FP32", [2], b"[1]"),
        ("FP32", [2], b"[1,2,3]"),
        ("FP32", [2], b"[1,[2]]"),
        ("FP32", [2, 2], b"[[1,2,3],[4]]"),
        ("FP32", [2, 2], b"[[1,2],3,4]"),
        ("FP32", [2, 1], b"[1[],[2]]"),
        ("FP32", [4], b"[[1,2],[3,4]]"),
        ("FP32", [2, 2], b"[[[1,2],[3,4]]]"),
        ("FP32", [10**18, 0], b"[]"),
        ("FP32", [1], b"[1"),
        ("FP32", [1], b"1"),
        ("FP16", [1], b"[1]"),
        ("BF16", [1], b"[1]"),
        ("BOOL", [1], b"[true]"),
    ),
)
def test_all_else_is_left_to_the_reader_with_the_reasons(datatype: str, shape: list[int], data: bytes) -> None:
    found = read_numbers(datatype, shape, data)
    assert found is None or found.size == 0
