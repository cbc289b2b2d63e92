"""What goes into a model and what comes out of it."""

from modeldyno.records.base import Record

DATATYPES = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64",
    "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64",
    "FP16": "float16", "BF16": "V2", "FP32": "float32", "FP64": "float64", "BYTES": "object",
}  # fmt: skip
"""Open Inference Protocol datatype to NumPy dtype name (specification/protocol/inference_rest.md).

BF16 is in its gRPC file only; NumPy has none, and `modeldyno.bfloat16` says what stands for it.
"""

WITHOUT_JSON = frozenset({"FP16", "BF16"})
"""Datatypes that go in binary only, in requests and answers; in gRPC raw, for they have no typed contents either."""


class TensorSpec(Record, frozen=True, kw_only=True):
    """One input or output: an Open Inference Protocol datatype and a shape with symbolic dimensions kept."""

    name: str
    datatype: str
    """One of `DATATYPES`."""
    shape: tuple[int | str, ...]
    """A string names a dimension that varies, such as the batch."""

    @property
    def wire_shape(self) -> list[int]:
        """The shape as the Open Inference Protocol shows it: -1 where it varies."""
        return [size if isinstance(size, int) else -1 for size in self.shape]


class Signature(Record, frozen=True, kw_only=True):
    """The inputs and outputs of a model, in order."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @property
    def has_batch_dimension(self) -> bool:
        """Whether every input's and output's first dimension varies under the same name."""
        first = [spec.shape[0] if spec.shape else None for spec in (*self.inputs, *self.outputs)]
        return bool(first) and isinstance(first[0], str) and all(size == first[0] for size in first)
