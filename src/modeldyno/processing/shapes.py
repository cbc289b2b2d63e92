"""Operations that only move values."""

import numpy as np

from modeldyno.errors import UsageError
from modeldyno.processing.steps import Array, Specs, Step, has_rows, one_tensor, size_of, spec_of
from modeldyno.records.processing import Reshape, Transpose
from modeldyno.records.signature import DATATYPES

_ANY = frozenset(DATATYPES)


def plan_transpose(operation: Transpose, specs: Specs) -> Step:
    """See `Transpose`."""
    spec = spec_of(operation.tensor, specs, _ANY, "tensors")
    order = operation.order
    if sorted(order) != list(range(len(spec.shape))):
        raise UsageError(
            f"order {list(order)} does not name each of the {len(spec.shape)} dimensions of {spec.name!r} once"
        )
    if has_rows(spec) and order[0] != 0:
        raise UsageError(f"order {list(order)} moves the rows of {spec.name!r}", hint="let it begin with 0")
    shape = tuple(spec.shape[index] for index in order)
    return one_tensor(operation, specs, lambda array: np.ascontiguousarray(array.transpose(order)), shape=shape)


def plan_reshape(operation: Reshape, specs: Specs) -> Step:
    """See `Reshape`."""
    spec = spec_of(operation.tensor, specs, _ANY, "tensors")
    old, new = spec.shape, operation.shape
    if any(isinstance(size, int) and size < 1 for size in new):
        raise UsageError(f"shape {list(new)} holds a size below 1", hint="name each dimension, or give its size")
    named = [sorted(size for size in shape if isinstance(size, str)) for shape in (old, new)]
    if named[0] != named[1] or size_of(old) != size_of(new):
        raise UsageError(f"a tensor of shape {list(old)} does not always fit the shape {list(new)}")
    if has_rows(spec) and new[0] != old[0]:
        raise UsageError(f"shape {list(new)} moves the rows of {spec.name!r}", hint=f"let it begin with {old[0]!r}")

    def compute(array: Array) -> Array:
        sizes = dict(zip(old, array.shape, strict=True))
        return array.reshape([size if isinstance(size, int) else sizes[size] for size in new])

    return one_tensor(operation, specs, compute, shape=new)
