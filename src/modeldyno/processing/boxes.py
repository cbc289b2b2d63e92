"""Operations on what detectors and classifiers say."""

import numpy as np

from modeldyno.errors import UsageError
from modeldyno.processing.steps import FLOATS, Array, Specs, Step, has_rows, one_tensor, require_new, spec_of
from modeldyno.protocols import Tensors
from modeldyno.records.score_operations import Sigmoid, SuppressOverlaps
from modeldyno.records.signature import TensorSpec


def plan_sigmoid(operation: Sigmoid, specs: Specs) -> Step:
    """See `Sigmoid`."""
    spec_of(operation.tensor, specs, FLOATS, "floats")

    def compute(array: Array) -> Array:
        powers = np.exp(-np.abs(array))  # never above 1, whatever the sign
        return np.asarray(np.where(array >= 0, 1, powers) / (1 + powers), array.dtype)

    return one_tensor(operation, specs, compute)


def plan_suppress_overlaps(operation: SuppressOverlaps, specs: Specs) -> Step:
    """See `SuppressOverlaps`."""
    boxes = spec_of(operation.boxes, specs, FLOATS, "floats")
    scores = spec_of(operation.scores, specs, FLOATS, "floats")
    if not has_rows(boxes) or boxes.shape[:2] != scores.shape or boxes.shape[2:] != (4,):
        raise UsageError(
            f"tensors {boxes.name!r} and {scores.name!r} hold no boxes and their scores",
            why=f"they are {list(boxes.shape)} and {list(scores.shape)}; needed: [rows, boxes, 4] and [rows, boxes]",
        )
    if not 0 <= operation.overlap <= 1 or operation.most < 1:
        raise UsageError(f"overlap {operation.overlap} is not 0 to 1, or most {operation.most} is below 1")
    require_new((operation.output,), specs)
    made = TensorSpec(name=operation.output, datatype="INT64", shape=(boxes.shape[0], operation.most))

    def apply(tensors: Tensors) -> dict[str, Array]:
        pairs = zip(tensors[operation.boxes], tensors[operation.scores], strict=True)
        kept: Array = np.full((len(tensors[operation.boxes]), operation.most), -1, np.int64)
        for row, (places, values) in enumerate(pairs):
            found = _kept(places.astype(np.float64), values.astype(np.float64), operation)
            kept[row, : len(found)] = found
        return {**tensors, operation.output: kept}

    return Step({**specs, operation.output: made}, apply)


def _kept(boxes: Array, scores: Array, operation: SuppressOverlaps) -> list[int]:
    """The places of the boxes of one row that stay; of equal scores the first comes first."""
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] >= operation.least_score]
    areas = np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)
    kept: list[int] = []
    while order.size and len(kept) < operation.most:
        best, order = int(order[0]), order[1:]
        kept.append(best)
        corner = np.maximum(boxes[best, :2], boxes[order, :2]), np.minimum(boxes[best, 2:], boxes[order, 2:])
        shared = np.prod(np.maximum(corner[1] - corner[0], 0), axis=1)
        union = areas[best] + areas[order] - shared
        order = order[shared <= operation.overlap * union]
    return kept
