"""`modeldyno.wire.v2_classification`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.arrays import arrays

from modeldyno.bfloat16 import as_numbers
from modeldyno.records.signature import DATATYPES, Signature, TensorSpec
from modeldyno.wire.v2_classification import can_classify, top_classes
from modeldyno.wire.v2_client import decode_infer_response
from modeldyno.wire.v2_request import InferRequest
from modeldyno.wire.v2_response import InferResponseEncoder
from modeldyno.wire.v2_wishes import OutputWish

NUMERIC = sorted(name for name in DATATYPES if can_classify(name))


def test_the_highest_values_come_first_with_their_places() -> None:
    array = np.array([[0.25, 0.5, 0.125], [1, 2, 2]], np.float32)
    assert [[b"0.500000:1", b"0.250000:0"], [b"2.000000:1", b"2.000000:2"]] == top_classes(
        array, 2, is_batched=True
    ).tolist()


def test_without_a_batch_all_values_are_one_row() -> None:
    assert [b"9:3", b"5:1"] == top_classes(np.array([[1, 5], [2, 9]], np.uint64), 2, is_batched=False).tolist()


def test_labels_follow_where_a_row_has_a_value_for_each() -> None:
    labels = (b"cat", b"dog", b"\xc3\xbc:x")
    scores = np.array([[0.25, 0.5, 0.125]], np.float32)
    assert [[b"0.500000:1:dog", b"0.250000:0:cat", b"0.125000:2:\xc3\xbc:x"]] == top_classes(
        scores, 3, is_batched=True, labels=labels
    ).tolist()
    assert [[b"0.500000:1"]] == top_classes(scores[:, :2], 1, is_batched=True, labels=labels).tolist()


def test_more_classes_than_there_are_is_all_of_them_and_nan_is_last() -> None:
    array = np.array([[np.nan, -np.inf, 1]], np.float64)
    assert [[b"1.000000:2", b"nan:0", b"-inf:1"]] == top_classes(array, 9, is_batched=True).tolist()


@pytest.mark.parametrize("datatype", NUMERIC)
@given(data=st.data())
def test_classes_are_ranked_by_their_value(datatype: str, data: st.DataObject) -> None:
    array = data.draw(arrays(datatype, (2, 5), allow_nan=False))
    count = data.draw(st.integers(1, 6))
    for row, classes in zip(as_numbers(array), top_classes(array, count, is_batched=True), strict=True):
        places = [int(one.rpartition(b":")[2]) for one in classes]
        expected = sorted(range(5), key=lambda place: (-row[place].item(), place))[:count]
        assert expected == places


@pytest.mark.parametrize("binary", (True, False))
def test_an_answer_of_classes_is_bytes(*, binary: bool) -> None:
    signature = Signature(
        inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 3)),),
        outputs=(TensorSpec(name="y", datatype="FP32", shape=("batch", 3)),),
    )
    request = InferRequest({}, 1, 3, ((3,),), (OutputWish("y", binary, 2),), None)
    encoder = InferResponseEncoder("m", "1", signature)
    for values in ([[1, 2, 3]], [[30, 20, 10]]):
        body, header_length = encoder.encode(request, {"y": np.array(values, np.float32)})
        classes = decode_infer_response(body, header_length)["y"]
        assert (1, 2) == classes.shape
        assert b"%f:%d" % (max(values[0]), values[0].index(max(values[0]))) == classes[0, 0]
