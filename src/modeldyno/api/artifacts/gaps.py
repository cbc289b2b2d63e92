"""Whether a model answers rows that lack a number, found out when there is such a row."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from modeldyno.api.artifacts.opening import open_artifact
from modeldyno.bfloat16 import as_numbers
from modeldyno.data.asked import TakesGaps
from modeldyno.errors import ToolError
from modeldyno.models.onnx.gaps import looks_for_gaps
from modeldyno.protocols import Session, Tensors
from modeldyno.records.artifact import Artifact
from modeldyno.records.pipeline import Cascade, Ensemble, Member, Node, Sequence
from modeldyno.records.processing import Processing

_SAY_IT_THEMSELVES = ("sklearn", "xgboost", "lightgbm")
"""Their libraries refuse NaN where a model cannot use it; in other formats it is computed with, and spreads."""


def gaps_of(artifact: Artifact, *, trust: bool) -> TakesGaps:
    """Whether an artifact takes a row; it is opened only when that is asked."""
    return TriedRow(lambda: may_take_gaps(artifact, Path(artifact.path)), lambda: open_artifact(artifact, trust=trust))


def may_take_gaps(artifact: Artifact, place: Path) -> bool:
    """Whether an answer to a row with NaN can be believed at all."""
    return artifact.format in _SAY_IT_THEMSELVES or (artifact.format == "onnx" and looks_for_gaps(place))


def fills_gaps(node: Node) -> bool:
    """Whether an operation of a pipeline fills missing numbers."""
    match node:
        case Processing(operations=operations):
            return any(type(one).__struct_config__.tag == "impute" for one in operations)
        case Sequence(steps=inner) | Ensemble(members=inner) | Cascade(stages=inner):
            return any(fills_gaps(part) for part in inner)
        case Member():
            return False


class TriedRow:
    """Answers by trying the first row it is asked about, once.

    Args:
        may: whether trying can tell anything.
        opened: makes a session; it is closed again.
    """

    def __init__(self, may: Callable[[], bool], opened: Callable[[], Session]) -> None:
        self._may = may
        self._opened = opened
        self._found: bool | None = None

    def __call__(self, row: Tensors) -> bool:
        """See `TakesGaps`."""
        if self._found is None:
            self._found = self._may() and self._is_answered(row)
        return self._found

    def _is_answered(self, row: Tensors) -> bool:
        with closing(self._opened()) as session:
            try:
                outputs = session.run(row)
            except ToolError:
                return False  # the library refuses it, and the reader of the data says which row it was
        numbers = (as_numbers(one) for one in outputs.values())
        return all(one.dtype.kind != "f" or bool(np.isfinite(one).all()) for one in numbers)
