"""A request or an answer that is encoded and decoded is the same, for every datatype, in JSON and in binary."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.arrays import arrays

from modeldyno.records.signature import DATATYPES, WITHOUT_JSON, Signature, TensorSpec
from modeldyno.wire.v2_client import decode_infer_response, encode_infer_request
from modeldyno.wire.v2_decoder import InferRequestDecoder
from modeldyno.wire.v2_response import InferResponseEncoder

IN_JSON = sorted(set(DATATYPES) - WITHOUT_JSON)


def signature_of(datatype: str) -> Signature:
    return Signature(
        inputs=(
            TensorSpec(name="x", datatype=datatype, shape=("batch", 2)),
            TensorSpec(name="extra", datatype="INT64", shape=("batch",)),
        ),
        outputs=(TensorSpec(name="y", datatype=datatype, shape=("batch", 2)),),
    )


@st.composite
def tensors(draw: st.DrawFn, datatype: str, *, in_json: bool) -> NDArray[Any]:
    rows = draw(st.integers(1, 4))
    if datatype == "BYTES":
        element = st.text().map(str.encode) if in_json else st.binary(max_size=20)
        array = np.empty(rows * 2, object)
        array[:] = draw(st.lists(element, min_size=rows * 2, max_size=rows * 2))
        return array.reshape(rows, 2)
    return draw(arrays(datatype, (rows, 2), allow_nan=not in_json, allow_infinity=not in_json))


def check(datatype: str, array: NDArray[Any], *, binary: bool, request_id: str | None) -> None:
    signature = signature_of(datatype)
    inputs = {"x": array, "extra": np.arange(len(array))}
    body, header_length = encode_infer_request(inputs, signature, binary=binary, request_id=request_id)
    decoder = InferRequestDecoder(signature)
    for _ in range(2):  # the second time what was found in the header is remembered
        request = decoder.decode(body, header_length)
        assert (len(array), request_id) == (request.rows, request.id)
        np.testing.assert_array_equal(array, request.inputs["x"])
        assert array.dtype == request.inputs["x"].dtype
        assert ["x", "extra"] == list(request.inputs)
    answer, answer_header_length = InferResponseEncoder("m", "1", signature).encode(request, {"y": array})
    outputs = decode_infer_response(answer, answer_header_length)
    np.testing.assert_array_equal(array, outputs["y"])
    assert array.dtype == outputs["y"].dtype


@pytest.mark.parametrize("datatype", sorted(DATATYPES))
@given(data=st.data(), request_id=st.none() | st.text())
def test_binary(datatype: str, data: st.DataObject, request_id: str | None) -> None:
    check(datatype, data.draw(tensors(datatype, in_json=False)), binary=True, request_id=request_id)


@pytest.mark.parametrize("datatype", IN_JSON)
@given(data=st.data(), request_id=st.none() | st.text())
def test_json(datatype: str, data: st.DataObject, request_id: str | None) -> None:
    check(datatype, data.draw(tensors(datatype, in_json=True)), binary=False, request_id=request_id)
