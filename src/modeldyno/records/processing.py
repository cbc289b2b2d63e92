"""What may be done to tensors before, between and behind models: a closed vocabulary, declared and never programmed.

Where ONNX has an operator of the same meaning, its name and its rules are taken (https://onnx.ai/onnx/operators/).
An operation reads the tensors that are there by name and adds its result; `output` empty replaces the tensor. It works
row by row: where the first dimension varies, no operation touches it.
"""

from typing import Literal, TypeAlias

from modeldyno.records.base import Record
from modeldyno.records.image_operations import ImageOperation
from modeldyno.records.operation import OneTensor
from modeldyno.records.score_operations import ScoreOperation
from modeldyno.records.signature import TensorSpec
from modeldyno.records.table_operations import TableOperation
from modeldyno.records.text_operations import TextOperation


class Cast(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="cast"):
    """Numbers of another datatype, as ONNX's Cast: fractions are cut off; what does not fit is refused."""

    datatype: str
    """One of `records.signature.DATATYPES`, but BYTES."""


class Scale(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="scale"):
    """`x * multiply + add`, of floats."""

    multiply: tuple[float, ...] = (1.0,)
    """One for all, or one for each channel."""
    add: tuple[float, ...] = (0.0,)
    axis: int = -1
    """Where the channels are."""


class Normalise(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="normalise"):
    """`(x - mean) / std`, of floats."""

    mean: tuple[float, ...]
    """One for all, or one for each channel."""
    std: tuple[float, ...]
    axis: int = -1
    """Where the channels are."""


class Clip(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="clip"):
    """Numbers not below `low` and not above `high`, as ONNX's Clip; NaN stays."""

    low: float | None = None
    high: float | None = None


class Impute(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="impute"):
    """A value in place of each NaN."""

    values: tuple[float, ...]
    """One for all, or one for each channel."""
    axis: int = -1
    """Where the channels are."""


class Threshold(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="threshold"):
    """BOOL: whether a number is at least `at`; NaN is not."""

    at: float


class Transpose(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="transpose"):
    """The dimensions in another order, as ONNX's Transpose: [0, 3, 1, 2] makes NCHW of NHWC."""

    order: tuple[int, ...]
    """Number of the old dimension for each new one."""


class Reshape(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="reshape"):
    """The same values in another shape."""

    shape: tuple[int | str, ...]
    """Of the whole tensor; dimensions that vary are named as in the tensor, each as often."""


class Softmax(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="softmax"):
    """Scores as probabilities, as ONNX's Softmax."""

    axis: int = -1


class ArgMax(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="arg_max"):
    """INT64: where the largest is, the first of equals, as ONNX's ArgMax without `keepdims`."""

    axis: int = -1


class TopK(Record, frozen=True, kw_only=True, tag_field="op", tag="top_k"):
    """The `k` largest, the largest first, and INT64 where they are, as ONNX's TopK; of equals the first comes first."""

    tensor: str
    k: int
    axis: int = -1
    values: str = "values"
    """Name of the result."""
    indices: str = "indices"
    """Name of the other result."""


class Labels(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="labels"):
    """BYTES: the text with that number; a number that has none is refused."""

    labels: tuple[str, ...]


class Select(Record, frozen=True, kw_only=True, tag_field="op", tag="select"):
    """Only these tensors, in this order."""

    tensors: tuple[str, ...]


class Rename(Record, frozen=True, kw_only=True, tag_field="op", tag="rename"):
    """Tensors under other names."""

    names: dict[str, str]
    """Old name to new."""


class Concatenate(Record, frozen=True, kw_only=True, tag_field="op", tag="concatenate"):
    """Tensors side by side, as ONNX's Concat; they are replaced by the result."""

    tensors: tuple[str, ...]
    output: str
    axis: int = -1


class JoinColumns(Record, frozen=True, kw_only=True, tag_field="op", tag="join_columns"):
    """Columns of shape [rows] or [rows, 1] as one matrix [rows, columns]; they are replaced by it."""

    tensors: tuple[str, ...]
    """The columns, such as the fields of a table, in order."""
    output: str


class SplitColumns(Record, frozen=True, kw_only=True, tag_field="op", tag="split_columns"):
    """A matrix [rows, columns] as columns of shape [rows]; it is replaced by them."""

    tensor: str
    outputs: tuple[str, ...]
    """A name for each column, in order."""


Operation: TypeAlias = (
    Cast | Scale | Normalise | Clip | Impute | Threshold | Transpose | Reshape | Softmax | ArgMax | TopK | Labels
    | Select | Rename | Concatenate | JoinColumns | SplitColumns
    | ImageOperation | ScoreOperation | TableOperation | TextOperation
)  # fmt: skip


class Processing(Record, frozen=True, kw_only=True, tag_field="node", tag="processing"):
    """Operations, one after the other: a step of a pipeline, and the document that `dyno combine` reads."""

    schema: Literal["modeldyno.processing/1"] = "modeldyno.processing/1"
    operations: tuple[Operation, ...]
    inputs: tuple[TensorSpec, ...] = ()
    """What goes in, where the pipeline begins with it; behind another step, the outputs of that go in."""
