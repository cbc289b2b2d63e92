from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from modeldyno.errors import UsageError
from modeldyno.processing.operations import plan_operations
from modeldyno.records.score_operations import Sigmoid, SuppressOverlaps
from modeldyno.records.signature import TensorSpec


def test_a_sigmoid_neither_overflows_nor_changes_the_datatype() -> None:
    spec = TensorSpec(name="x", datatype="FP32", shape=("batch",))
    step = plan_operations((Sigmoid(tensor="x"),), {"x": spec}, place="here")
    made = step.apply({"x": np.array([-1000, -1, 0, 1, 1000], np.float32)})["x"]
    np.testing.assert_allclose([0, 1 / (1 + np.e), 0.5, np.e / (1 + np.e), 1], made, rtol=1e-6)
    assert np.float32 == made.dtype


def suppress(boxes: NDArray[Any], scores: NDArray[Any], **settings: Any) -> list[list[int]]:
    specs = {
        "boxes": TensorSpec(name="boxes", datatype="FP64", shape=("batch", *boxes.shape[1:])),
        "scores": TensorSpec(name="scores", datatype="FP64", shape=("batch", *scores.shape[1:])),
    }
    operation = SuppressOverlaps(boxes="boxes", scores="scores", **settings)
    step = plan_operations((operation,), specs, place="here")
    kept: list[list[int]] = step.apply({"boxes": boxes, "scores": scores})["kept"].tolist()
    return kept


BOXES = np.array([[[0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30], [0, 0, 10, 5]]], float)


def test_boxes_that_overlap_a_better_one_go() -> None:
    scores = np.array([[0.8, 0.9, 0.3, 0.7]])
    assert [[1, 3, 2, -1]] == suppress(BOXES, scores, most=4)
    assert [[1, 2]] == suppress(BOXES, scores, most=2, overlap=0.3)
    assert [[1, 3, -1]] == suppress(BOXES, scores, most=3, least_score=0.5)
    assert [[1, 0, 3, 2]] == suppress(BOXES, scores, most=4, overlap=1)


@given(
    hnp.arrays(float, (2, 6, 4), elements=st.integers(0, 20).map(float)),
    hnp.arrays(float, (2, 6), elements=st.integers(0, 5).map(float)),
)
def test_no_two_kept_boxes_overlap_and_each_other_one_is_overlapped(
    corners: NDArray[Any], scores: NDArray[Any]
) -> None:
    boxes = np.concatenate([np.minimum(corners[..., :2], corners[..., 2:]), corners[..., :2] + 3], axis=2)
    for row, kept in enumerate(suppress(boxes, scores, overlap=0.4, most=6)):
        chosen = [place for place in kept if place >= 0]
        assert all(shared(boxes[row, a], boxes[row, b]) <= 0.4 for a in chosen for b in chosen if a != b)
        for place in set(range(6)) - set(chosen):
            better = [one for one in chosen if scores[row, one] >= scores[row, place]]
            assert any(shared(boxes[row, place], boxes[row, one]) > 0.4 for one in better)


def shared(a: NDArray[Any], b: NDArray[Any]) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    inside = float(np.prod(np.maximum(high - low, 0)))
    both = float(np.prod(np.maximum(a[2:] - a[:2], 0)) + np.prod(np.maximum(b[2:] - b[:2], 0))) - inside
    return inside / both if both else 0.0


def test_what_are_no_boxes_is_refused() -> None:
    with pytest.raises(UsageError, match="hold no boxes"):
        suppress(np.zeros((1, 3, 5)), np.zeros((1, 3)))
