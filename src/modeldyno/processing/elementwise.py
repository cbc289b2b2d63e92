"""Operations on each number by itself."""

import numpy as np

from modeldyno.bfloat16 import as_numbers, from_numbers
from modeldyno.errors import DataError, UsageError
from modeldyno.processing.steps import (
    FLOATS,
    NUMBERS,
    WHOLES,
    Array,
    Specs,
    Step,
    channels,
    one_tensor,
    spec_of,
)
from modeldyno.records.processing import Cast, Clip, Impute, Normalise, Scale, Threshold
from modeldyno.records.signature import DATATYPES

_CASTABLE = NUMBERS | {"BOOL", "BF16"}


def plan_cast(operation: Cast, specs: Specs) -> Step:
    """See `Cast`."""
    spec_of(operation.tensor, specs, _CASTABLE, "numbers")
    if operation.datatype not in _CASTABLE:
        raise UsageError(
            f"nothing can be cast to {operation.datatype!r}", hint=f"one of: {', '.join(sorted(_CASTABLE))}"
        )
    dtype = np.dtype(DATATYPES[operation.datatype])

    def compute(array: Array) -> Array:
        array = as_numbers(array)
        if operation.datatype in WHOLES:
            _require_range(array, operation)
        if operation.datatype == "BF16":
            return from_numbers(array)
        with np.errstate(over="ignore"):  # too large for the narrower float: infinity, as in ONNX
            return array.astype(dtype)

    return one_tensor(operation, specs, compute, datatype=operation.datatype)


def _require_range(array: Array, operation: Cast) -> None:
    limits = np.iinfo(DATATYPES[operation.datatype])
    if not array.size or array.dtype.kind == "b":
        return
    if array.dtype.kind == "f":
        whole = np.trunc(array.astype(np.float64))
        # The upper limit of 64 bits is no float64, the number after it is.
        fits = bool(((whole >= float(limits.min)) & (whole < float(limits.max) + 1)).all())
    else:
        fits = limits.min <= int(array.min()) and int(array.max()) <= limits.max
    if not fits:
        raise DataError(f"tensor {operation.tensor!r} holds a value that is no {operation.datatype}")


def plan_scale(operation: Scale, specs: Specs) -> Step:
    """See `Scale`."""
    spec = spec_of(operation.tensor, specs, FLOATS, "floats")
    multiply = channels(operation.multiply, spec, operation.axis, "multiply")
    add = channels(operation.add, spec, operation.axis, "add")

    def compute(array: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(array * multiply + add)

    return one_tensor(operation, specs, compute)


def plan_normalise(operation: Normalise, specs: Specs) -> Step:
    """See `Normalise`."""
    spec = spec_of(operation.tensor, specs, FLOATS, "floats")
    mean = channels(operation.mean, spec, operation.axis, "mean")
    std = channels(operation.std, spec, operation.axis, "std")
    if not (std > 0).all():
        raise UsageError(f"std {list(operation.std)} holds a value that is not above 0")

    def compute(array: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray((array - mean) / std)

    return one_tensor(operation, specs, compute)


def plan_clip(operation: Clip, specs: Specs) -> Step:
    """See `Clip`."""
    spec = spec_of(operation.tensor, specs, NUMBERS, "numbers")
    low, high = (
        _limit(value, spec.datatype, name) for name, value in (("low", operation.low), ("high", operation.high))
    )
    if low is None and high is None:
        raise UsageError("clip needs low, high or both")
    if low is not None and high is not None and low > high:
        raise UsageError(f"low {operation.low} is above high {operation.high}")
    return one_tensor(operation, specs, lambda array: np.asarray(np.clip(array, low, high)))


def _limit(value: float | None, datatype: str, name: str) -> Array | None:
    if value is None:
        return None
    dtype = np.dtype(DATATYPES[datatype])
    if dtype.kind == "f":
        limit = np.asarray(value).astype(dtype)
        if np.isfinite(limit):
            return limit
    elif value == round(value) and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
        return np.asarray(int(value), dtype)
    raise UsageError(f"{name} {value} is no {datatype}")


def plan_impute(operation: Impute, specs: Specs) -> Step:
    """See `Impute`."""
    spec = spec_of(operation.tensor, specs, FLOATS, "floats")
    values = channels(operation.values, spec, operation.axis, "values")
    return one_tensor(operation, specs, lambda array: np.where(np.isnan(array), values, array))


def plan_threshold(operation: Threshold, specs: Specs) -> Step:
    """See `Threshold`."""
    spec_of(operation.tensor, specs, NUMBERS, "numbers")
    if not np.isfinite(operation.at):
        raise UsageError(f"at {operation.at} is not a finite number")
    return one_tensor(operation, specs, lambda array: np.asarray(array >= operation.at), datatype="BOOL")
