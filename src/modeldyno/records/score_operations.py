"""Operations on what detectors and classifiers say, declared."""

from typing import TypeAlias

from modeldyno.records.base import Record
from modeldyno.records.operation import OneTensor


class Sigmoid(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="sigmoid"):
    """`1 / (1 + exp(-x))` of floats, as ONNX's Sigmoid."""


class SuppressOverlaps(Record, frozen=True, kw_only=True, tag_field="op", tag="suppress_overlaps"):
    """Which boxes to keep, the best first: INT64 [rows, most], their places, -1 where there are no more.

    Greedy non-maximum suppression: the best box is kept, those that overlap it too much go, and so on. Boxes are floats
    [rows, boxes, 4] (x1, y1, x2, y2), scores floats [rows, boxes].
    """

    boxes: str
    scores: str
    output: str = "kept"
    overlap: float = 0.5
    """Intersection over union above which a box goes."""
    least_score: float = 0.0
    """Boxes below it are never kept."""
    most: int = 100


ScoreOperation: TypeAlias = Sigmoid | SuppressOverlaps
