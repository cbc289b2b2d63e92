"""Operations on scores: which is the highest, and what it is called."""

import numpy as np

from modeldyno.errors import DataError, UsageError
from modeldyno.processing.steps import (
    FLOATS,
    NUMBERS,
    WHOLES,
    Array,
    Specs,
    Step,
    axis_of,
    one_tensor,
    require_new,
    spec_of,
)
from modeldyno.protocols import Tensors
from modeldyno.records.processing import ArgMax, Labels, Softmax, TopK
from modeldyno.records.signature import TensorSpec


def plan_softmax(operation: Softmax, specs: Specs) -> Step:
    """See `Softmax`."""
    spec = spec_of(operation.tensor, specs, FLOATS, "floats")
    axis = axis_of(operation.axis, spec)

    def compute(array: Array) -> Array:
        with np.errstate(invalid="ignore"):  # infinities become NaN, which is what they are then
            powers = np.exp(array - array.max(axis=axis, keepdims=True))
        return np.asarray(powers / powers.sum(axis=axis, keepdims=True))

    return one_tensor(operation, specs, compute)


def plan_arg_max(operation: ArgMax, specs: Specs) -> Step:
    """See `ArgMax`."""
    spec = spec_of(operation.tensor, specs, NUMBERS, "numbers")
    axis = axis_of(operation.axis, spec)
    shape = (*spec.shape[:axis], *spec.shape[axis + 1 :])
    return one_tensor(
        operation,
        specs,
        lambda array: np.asarray(array.argmax(axis=axis), np.int64),
        datatype="INT64",
        shape=shape,
    )


def plan_top_k(operation: TopK, specs: Specs) -> Step:
    """See `TopK`."""
    spec = spec_of(operation.tensor, specs, NUMBERS, "numbers")
    axis, k = axis_of(operation.axis, spec), operation.k
    size = spec.shape[axis]
    if not isinstance(size, int) or not 1 <= k <= size:
        raise UsageError(f"k {k} does not always fit axis {operation.axis} of {spec.name!r}, which has {size} values")
    require_new((operation.values, operation.indices), specs, (operation.tensor,))
    shape = (*spec.shape[:axis], k, *spec.shape[axis + 1 :])
    made = {
        operation.values: TensorSpec(name=operation.values, datatype=spec.datatype, shape=shape),
        operation.indices: TensorSpec(name=operation.indices, datatype="INT64", shape=shape),
    }

    def apply(tensors: Tensors) -> dict[str, Array]:
        array = tensors[operation.tensor]
        places = _highest(array, axis)[(slice(None),) * axis + (slice(k),)]
        return {**tensors, operation.values: np.take_along_axis(array, places, axis), operation.indices: places}

    return Step({**specs, **made}, apply)


def _highest(array: Array, axis: int) -> Array:
    """Where the values are, the highest first; of equals the first comes first, and NaN is the lowest."""
    ranked = np.where(np.isnan(array), -np.inf, array) if array.dtype.kind == "f" else array
    # A stable sort from the end backwards, for unsigned numbers have no negatives to sort by.
    backwards = np.argsort(np.flip(ranked, axis), axis=axis, kind="stable")
    return np.asarray(array.shape[axis] - 1 - np.flip(backwards, axis), np.int64)


def plan_labels(operation: Labels, specs: Specs) -> Step:
    """See `Labels`."""
    spec_of(operation.tensor, specs, WHOLES, "whole numbers")
    if not operation.labels:
        raise UsageError("there are no labels")
    texts = np.empty(len(operation.labels), object)
    texts[:] = [label.encode() for label in operation.labels]

    def compute(array: Array) -> Array:
        if array.size and not 0 <= int(array.min()) <= int(array.max()) < len(texts):
            raise DataError(f"tensor {operation.tensor!r} holds a number that has no label; there are {len(texts)}")
        named = np.empty(array.shape, object)
        named[...] = texts[array.astype(np.intp)]
        return named

    return one_tensor(operation, specs, compute, datatype="BYTES")
