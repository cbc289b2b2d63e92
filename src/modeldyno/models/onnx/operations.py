"""Operations of processing as nodes of an ONNX graph, where ONNX has nodes that compute the same."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from modeldyno.errors import UsageError
from modeldyno.models.onnx.parts import GraphParts
from modeldyno.processing.steps import Array, Specs, axis_of, channels
from modeldyno.records.operation import OneTensor
from modeldyno.records.processing import (
    ArgMax,
    Cast,
    Clip,
    Concatenate,
    Impute,
    JoinColumns,
    Normalise,
    Operation,
    Rename,
    Reshape,
    Scale,
    Select,
    Softmax,
    SplitColumns,
    Threshold,
    TopK,
    Transpose,
)
from modeldyno.records.score_operations import Sigmoid
from modeldyno.records.signature import DATATYPES, TensorSpec
from modeldyno.records.table_operations import Limit, Project

Values = dict[str, str]
"""Tensor to the name of its value in the graph."""

_EXACT = {"BOOL": 1, "UINT8": 8, "INT8": 7, "UINT16": 16, "INT16": 15, "UINT32": 32, "INT32": 31, "INT64": 63}
"""Bits of the size of a whole number."""


def add_operation(operation: Operation, parts: GraphParts, values: Values, specs: Specs) -> Values:
    """Add one operation to a graph.

    Args:
        operation: planned for these specs already, so that it fits them.
        parts: of the graph; nodes are added.
        values: of the tensors before it.
        specs: of the tensors before it.

    Returns:
        The values of the tensors after it.

    Raises:
        UsageError: ONNX has no nodes that compute the same, refusals included.
    """
    if isinstance(operation, OneTensor) and type(operation) in _SINGLE:
        spec = specs[operation.tensor]
        made = _SINGLE[type(operation)](operation, parts, values[operation.tensor], spec)
        return {**values, operation.output or operation.tensor: made}
    if type(operation) in _SEVERAL:
        return _SEVERAL[type(operation)](operation, parts, values, specs)
    tag = type(operation).__struct_config__.tag
    raise UsageError(
        f"{tag} cannot become a part of an ONNX graph",
        why="ONNX has no operators that compute the same and refuse the same",
        hint="keep it in a document of its own: dyno combine sequence OPERATIONS.json FUSED.bundle",
    )


def _scale(operation: Scale, parts: GraphParts, value: str, spec: TensorSpec) -> str:
    value = _binary("Mul", operation.multiply, operation.axis, 1, parts, value, spec)
    return _binary("Add", operation.add, operation.axis, 0, parts, value, spec)


def _normalise(operation: Normalise, parts: GraphParts, value: str, spec: TensorSpec) -> str:
    value = _binary("Sub", operation.mean, operation.axis, 0, parts, value, spec)
    return _binary("Div", operation.std, operation.axis, 1, parts, value, spec)


def _binary(
    operator: str, numbers: Sequence[float], axis: int, neutral: float, parts: GraphParts, value: str, spec: TensorSpec
) -> str:
    array = channels(numbers, spec, axis, operator)
    return value if (array == neutral).all() else parts.node(operator, value, parts.constant(array))


def _impute(operation: Impute, parts: GraphParts, value: str, spec: TensorSpec) -> str:
    filling = parts.constant(channels(operation.values, spec, operation.axis, "values"))
    return parts.node("Where", parts.node("IsNaN", value), filling, value)


def _clip(operation: Clip, parts: GraphParts, value: str, spec: TensorSpec) -> str:
    dtype = np.dtype(DATATYPES[spec.datatype])
    low, high = (None if limit is None else np.asarray(limit, dtype) for limit in (operation.low, operation.high))
    return _within(parts, value, low, high)


def _limit(operation: Limit, parts: GraphParts, value: str, spec: TensorSpec) -> str:
    low = channels(operation.low, spec, operation.axis, "low")
    high = channels(operation.high, spec, operation.axis, "high")
    return _within(parts, value, low, high)


def _within(parts: GraphParts, value: str, low: Array | None, high: Array | None) -> str:
    """By comparisons, which leave NaN as it is; Clip, Min and Max of ONNX do not say what they do with it."""
    for limit, operator in ((low, "Less"), (high, "Greater")):
        if limit is not None:
            constant = parts.constant(limit)
            value = parts.node("Where", parts.node(operator, value, constant), constant, value)
    return value


def _threshold(operation: Threshold, parts: GraphParts, value: str, spec: TensorSpec) -> str:
    dtype = np.dtype(DATATYPES[spec.datatype])
    if dtype.kind != "f":
        value, dtype = parts.node("Cast", value, to=_element_type("FP64")), np.dtype(np.float64)
    return parts.node("GreaterOrEqual", value, parts.constant(np.asarray(operation.at, dtype)))


def _cast(operation: Cast, parts: GraphParts, value: str, spec: TensorSpec) -> str:
    target, source = operation.datatype, spec.datatype
    is_float = np.dtype(DATATYPES[target]).kind == "f"
    is_signed = source.startswith("INT")
    holds = (
        source in _EXACT and target in _EXACT and _EXACT[source] <= _EXACT[target]
        and not (is_signed and target.startswith("U")) and target != "BOOL"
    )  # fmt: skip
    if not is_float and not holds and source != target:
        raise UsageError(
            f"a cast from {source} to {target} cannot become a part of an ONNX graph",
            why="values that do not fit are refused, and ONNX's Cast makes something of them",
            hint="keep it in a document of its own",
        )
    return parts.node("Cast", value, to=_element_type(target))


def _transpose(operation: Transpose, parts: GraphParts, value: str, _spec: TensorSpec) -> str:
    return parts.node("Transpose", value, perm=list(operation.order))


def _reshape(operation: Reshape, parts: GraphParts, value: str, spec: TensorSpec) -> str:
    old, new = spec.shape, operation.shape
    sizes = [
        size if isinstance(size, int) else 0 if place < len(old) and old[place] == size else -1
        for place, size in enumerate(new)
    ]
    if sizes.count(-1) > 1:
        raise UsageError(f"a reshape from {list(old)} to {list(new)} cannot become a part of an ONNX graph")
    return parts.node("Reshape", value, parts.constant(np.array(sizes, np.int64)))


def _softmax(operation: Softmax, parts: GraphParts, value: str, spec: TensorSpec) -> str:
    return parts.node("Softmax", value, axis=axis_of(operation.axis, spec))


def _sigmoid(_operation: Sigmoid, parts: GraphParts, value: str, _spec: TensorSpec) -> str:
    return parts.node("Sigmoid", value)


def _arg_max(operation: ArgMax, parts: GraphParts, value: str, spec: TensorSpec) -> str:
    return parts.node("ArgMax", value, axis=axis_of(operation.axis, spec), keepdims=0)


def _project(operation: Project, parts: GraphParts, value: str, spec: TensorSpec) -> str:
    dtype = np.dtype(DATATYPES[spec.datatype])
    value = parts.node("Sub", value, parts.constant(np.asarray(operation.mean, dtype)))
    return parts.node("MatMul", value, parts.constant(np.asarray(operation.components, dtype).T))


def _top_k(operation: TopK, parts: GraphParts, values: Values, specs: Specs) -> Values:
    k = parts.constant(np.array([operation.k], np.int64))
    axis = axis_of(operation.axis, specs[operation.tensor])
    found = parts.node("TopK", values[operation.tensor], k, outputs=2, axis=axis)
    return {**values, operation.values: found, operation.indices: f"{found}:1"}


def _select(operation: Select, _parts: GraphParts, values: Values, _specs: Specs) -> Values:
    return {name: values[name] for name in operation.tensors}


def _rename(operation: Rename, _parts: GraphParts, values: Values, _specs: Specs) -> Values:
    return {operation.names.get(name, name): value for name, value in values.items()}


def _concatenate(operation: Concatenate, parts: GraphParts, values: Values, specs: Specs) -> Values:
    axis = axis_of(operation.axis, specs[operation.tensors[0]])
    made = parts.node("Concat", *(values[name] for name in operation.tensors), axis=axis)
    return _replaced(values, operation.tensors, {operation.output: made})


def _join_columns(operation: JoinColumns, parts: GraphParts, values: Values, _specs: Specs) -> Values:
    shape = parts.constant(np.array([-1, 1], np.int64))
    columns = [parts.node("Reshape", values[name], shape) for name in operation.tensors]
    return _replaced(values, operation.tensors, {operation.output: parts.node("Concat", *columns, axis=1)})


def _split_columns(operation: SplitColumns, parts: GraphParts, values: Values, _specs: Specs) -> Values:
    whole = values[operation.tensor]
    made = {
        name: parts.node("Gather", whole, parts.constant(np.asarray(place, np.int64)), axis=1)
        for place, name in enumerate(operation.outputs)
    }
    return _replaced(values, (operation.tensor,), made)


def _replaced(values: Values, gone: Sequence[str], made: Values) -> Values:
    return {**{name: value for name, value in values.items() if name not in gone}, **made}


def _element_type(datatype: str) -> int:
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(np.dtype(DATATYPES[datatype])))


_SINGLE: dict[type[msgspec.Struct], Callable[[Any, GraphParts, str, TensorSpec], str]] = {
    ArgMax: _arg_max,
    Cast: _cast,
    Clip: _clip,
    Impute: _impute,
    Limit: _limit,
    Normalise: _normalise,
    Project: _project,
    Reshape: _reshape,
    Scale: _scale,
    Sigmoid: _sigmoid,
    Softmax: _softmax,
    Threshold: _threshold,
    Transpose: _transpose,
}
_SEVERAL: dict[type[msgspec.Struct], Callable[[Any, GraphParts, Values, Specs], Values]] = {
    Concatenate: _concatenate,
    JoinColumns: _join_columns,
    Rename: _rename,
    Select: _select,
    SplitColumns: _split_columns,
    TopK: _top_k,
}
