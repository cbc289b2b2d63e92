"""One operation, planned for tensors of known datatype and shape; and what the planning of all operations needs."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import UsageError
from modeldyno.protocols import Tensors
from modeldyno.records.operation import OneTensor
from modeldyno.records.signature import DATATYPES, TensorSpec

Array: TypeAlias = NDArray[Any]
Specs: TypeAlias = Mapping[str, TensorSpec]
Apply: TypeAlias = Callable[[Tensors], dict[str, Array]]

FLOATS = frozenset({"FP16", "FP32", "FP64"})
WHOLES = frozenset({"UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"})
NUMBERS = FLOATS | WHOLES


class Step(NamedTuple):
    """What is there after an operation, and how it is made."""

    specs: dict[str, TensorSpec]
    """By name, in order."""
    apply: Apply
    """Computes them. Raises `DataError` for values that the operation refuses."""


def one_tensor(
    operation: OneTensor,
    specs: Specs,
    compute: Callable[[Array], Array],
    *,
    datatype: str | None = None,
    shape: tuple[int | str, ...] | None = None,
) -> Step:
    """The step of an operation on a single tensor.

    Args:
        operation: names the tensor and the result.
        specs: of what is there.
        compute: from the tensor to the result.
        datatype: of the result; None: as the tensor.
        shape: of the result; None: as the tensor.
    """
    spec, target = specs[operation.tensor], operation.output or operation.tensor
    if target != operation.tensor and target in specs:
        raise UsageError(f"there is a tensor {target!r} already", hint="choose another name for the output")
    made = TensorSpec(name=target, datatype=datatype or spec.datatype, shape=spec.shape if shape is None else shape)

    def apply(tensors: Tensors) -> dict[str, Array]:
        return {**tensors, target: compute(tensors[operation.tensor])}

    return Step({**specs, target: made}, apply)


def spec_of(name: str, specs: Specs, datatypes: frozenset[str], what: str) -> TensorSpec:
    """The tensor of that name.

    Raises:
        UsageError: there is none, or its datatype is not one of `datatypes`, which are `what`.
    """
    spec = specs.get(name)
    if spec is None:
        raise UsageError(
            f"there is no tensor {name!r}", why=f"what is there: {', '.join(map(repr, specs)) or 'nothing'}"
        )
    if spec.datatype not in datatypes:
        raise UsageError(
            f"tensor {name!r} is {spec.datatype}, and {what} are needed",
            hint="put a cast before it" if datatypes <= NUMBERS else "",
        )
    return spec


def axis_of(axis: int, spec: TensorSpec) -> int:
    """The axis, counted from the front.

    Raises:
        UsageError: there is none, or it is that of the rows.
    """
    rank = len(spec.shape)
    if not -rank <= axis < rank:
        raise UsageError(f"tensor {spec.name!r} has no axis {axis}", why=f"its shape is {list(spec.shape)}")
    found = axis % rank
    if found == 0 and has_rows(spec):
        raise UsageError(
            f"axis {axis} of {spec.name!r} is that of the rows",
            why="rows of many requests are computed together, so that each must be computed alone",
        )
    return found


def has_rows(spec: TensorSpec) -> bool:
    """Whether the first dimension varies: it is then taken for that of the rows."""
    return bool(spec.shape) and isinstance(spec.shape[0], str)


def channels(values: Sequence[float], spec: TensorSpec, axis: int, what: str) -> Array:
    """Values of each channel in the tensor's own datatype, shaped so that they spread over the tensor.

    Raises:
        UsageError: their number is neither 1 nor that of the channels, or one is no number of that datatype.
    """
    with np.errstate(over="ignore"):
        numbers = np.asarray(values, DATATYPES[spec.datatype])
    if not numbers.size or not np.isfinite(numbers).all():
        raise UsageError(f"{what} {list(values)} is not one or more finite numbers of {spec.datatype}")
    if numbers.size == 1:
        return numbers.reshape(())
    place = axis_of(axis, spec)
    if spec.shape[place] != numbers.size:
        raise UsageError(
            f"{what} has {numbers.size} values, and axis {axis} of {spec.name!r} has {spec.shape[place]} channels",
            why=f"its shape is {list(spec.shape)}",
        )
    return numbers.reshape([numbers.size if index == place else 1 for index in range(len(spec.shape))])


def require_new(names: Sequence[str], specs: Specs, replaced: Sequence[str] = ()) -> None:
    """Let results be called so.

    Raises:
        UsageError: one is empty, appears twice, or is taken by a tensor that is not replaced.
    """
    for index, name in enumerate(names):
        if not name:
            raise UsageError("the output needs a name")
        if name in names[:index] or (name in specs and name not in replaced):
            raise UsageError(f"there is a tensor {name!r} already", hint="choose another name for the output")


def size_of(shape: Sequence[int | str]) -> int:
    """How many values the fixed dimensions hold."""
    return math.prod(size for size in shape if isinstance(size, int))
