"""What comes out of a model, held against its signature: an answer that is split wrongly would be somebody else's."""

import numpy as np

from modeldyno.protocols import Tensors
from modeldyno.records.signature import DATATYPES, Signature


class ExpectedOutputs:
    """The outputs that a signature promises."""

    def __init__(self, signature: Signature) -> None:
        self._is_batched = signature.has_batch_dimension
        self._expected = [
            (spec.name, np.dtype(DATATYPES[spec.datatype]), len(spec.shape), _fixed_sizes(spec.shape))
            for spec in signature.outputs
        ]

    def find_defect(self, outputs: Tensors, rows: int) -> str | None:
        """What is wrong with the outputs of a batch of so many rows; None when nothing is."""
        for name, dtype, rank, fixed in self._expected:
            array = outputs.get(name) if isinstance(outputs, dict) else None
            if not isinstance(array, np.ndarray):
                return f"the model gave no output {name!r}"
            if array.dtype != dtype:
                return f"the model's output {name!r} is {array.dtype}, not {dtype} as its signature says"
            shape = array.shape
            if self._is_batched and (not shape or shape[0] != rows):
                return f"the model's output {name!r} has shape {list(shape)} for a batch of {rows} rows"
            if len(shape) != rank or any(shape[axis] != size for axis, size in fixed):
                return f"the model's output {name!r} has shape {list(shape)}, not that of its signature"
        return None


def _fixed_sizes(shape: tuple[int | str, ...]) -> tuple[tuple[int, int], ...]:
    return tuple((axis, size) for axis, size in enumerate(shape) if isinstance(size, int))
