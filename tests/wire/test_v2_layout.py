"""`modeldyno.wire.v2_layout`: where each input of a request is, and what the request asks for."""

import json
from typing import Any

import pytest

from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_layout import LayoutReader, Piece

TWO = LayoutReader(
    Signature(
        inputs=(
            TensorSpec(name="a", datatype="FP32", shape=("batch", 2)),
            TensorSpec(name="b", datatype="INT64", shape=("batch",)),
        ),
        outputs=(TensorSpec(name="y", datatype="FP32", shape=("batch",)),),
    )
)


def header(*inputs: dict[str, Any], **members: Any) -> bytes:
    return json.dumps({"inputs": inputs, **members}).encode()


def binary(name: str, datatype: str, shape: list[int], size: int) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": size}}


B_FIRST = (binary("b", "INT64", [3], 24), binary("a", "FP32", [3, 2], 24))


def test_binary_inputs_lie_one_after_another_and_are_told_in_the_order_of_the_signature() -> None:
    layout = TWO.read(header(*B_FIRST, id="7"), 0)

    assert (Piece("a", "FP32", (3, 2), 24, 24, None), Piece("b", "INT64", (3,), 0, 24, None)) == layout.pieces
    assert (48, 3, 9, ((2,), ())) == (layout.binary_bytes, layout.rows, layout.elements, layout.batch_key)
    assert ("7", ["y"]) == (layout.id, [wish.name for wish in layout.wishes])


def test_arrays_that_were_cut_out_are_told_by_their_numbers() -> None:
    a = {"name": "a", "datatype": "FP32", "shape": [1, 2], "data": [0]}
    b = {"name": "b", "datatype": "INT64", "shape": [1], "data": [1]}
    layout = TWO.read(header(a, b), 2)

    assert [0, 1] == [piece.data for piece in layout.pieces]


def test_an_array_that_belongs_to_no_input_is_refused() -> None:
    with pytest.raises(WireError, match="data is given twice in one input, or outside of the inputs"):
        TWO.read(header(*B_FIRST), 1)


def test_inputs_of_different_numbers_of_rows_are_refused() -> None:
    with pytest.raises(WireError, match="inputs 'a' and 'b' differ in dimension 'batch': 3 and 2"):
        TWO.read(header(binary("a", "FP32", [3, 2], 24), binary("b", "INT64", [2], 16)), 0)


def test_a_raw_request_needs_a_model_with_one_input() -> None:
    with pytest.raises(WireError, match="a raw request needs a model with one input; this one takes 'a', 'b'"):
        TWO.read_raw(8)
