"""Operations before and behind an ONNX model as a part of its graph: one call instead of several."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from modeldyno.errors import InputError, UsageError
from modeldyno.models.onnx.graph import onnx_signature, read_onnx
from modeldyno.models.onnx.names import prefix_values
from modeldyno.models.onnx.operations import Values, add_operation
from modeldyno.models.onnx.order import reordered
from modeldyno.models.onnx.parts import GraphParts
from modeldyno.processing.members import bind, own_inputs
from modeldyno.processing.operations import plan_operations
from modeldyno.processing.steps import Specs
from modeldyno.records.files import write_atomically
from modeldyno.records.processing import Operation, Processing
from modeldyno.records.signature import DATATYPES, TensorSpec

_OLDEST_OPSET = 13
"""Before it, Softmax and others mean something else."""
_MODEL = "model/"
_MOST_BYTES = 2**31 - 1
"""A protobuf message cannot be larger."""


class _Added(NamedTuple):
    values: Values
    specs: Specs


def fuse_onnx(source: Path, destination: Path, *, before: Processing | None, after: Processing | None) -> int:
    """Write a model that does what `before`, the model and `after` do one after the other.

    Args:
        source: an ONNX model.
        destination: where the new one goes.
        before: operations on what comes in; what comes in is what it declares, or else what the model takes.
        after: operations on what the model gives.

    Returns:
        How many nodes were added.

    Raises:
        InputError: the model cannot be read, or is of too old an opset.
        UsageError: an operation cannot become a part of the graph, or does not fit what is there; names its place.
        OutputError: the file cannot be written.
    """
    import onnx

    read_onnx(source)
    model = onnx.load_model(str(source))
    _check_opset(model, source)
    signature = onnx_signature(model, source)
    prefix_values(model.graph, _MODEL)
    parts = GraphParts("before/")
    specs = {spec.name: spec for spec in before.inputs} if before and before.inputs else own_inputs(signature)
    inputs = tuple(specs.values())
    given = _add(before, parts, _Added({name: name for name in specs}, specs), "before")
    specs = bind(source.name, signature, given.specs)
    for spec in signature.inputs:
        parts.nodes.append(onnx.helper.make_node("Identity", [given.values[spec.name]], [f"{_MODEL}{spec.name}"]))
    behind = GraphParts("after/")
    made = _add(after, behind, _Added({name: f"{_MODEL}{name}" for name in specs}, specs), "after")
    ends = [onnx.helper.make_node("Identity", [made.values[name]], [name]) for name in made.specs]
    graph = onnx.helper.make_graph(
        [*parts.nodes, *model.graph.node, *behind.nodes, *ends],
        model.graph.name or source.stem,
        [_value(spec) for spec in inputs],
        [_value(spec) for spec in made.specs.values()],
        [*model.graph.initializer, *parts.constants, *behind.constants],
    )
    graph.sparse_initializer.extend(model.graph.sparse_initializer)
    graph.quantization_annotation.extend(model.graph.quantization_annotation)
    _write(_whole(graph, model), source, destination)
    return len(parts.nodes) + len(behind.nodes) + len(ends)


def _add(processing: Processing | None, parts: GraphParts, there: _Added, place: str) -> _Added:
    values, specs = there
    operations: Sequence[Operation] = processing.operations if processing else ()
    plan_operations(operations, specs, place=f"{place} the model")
    for number, operation in enumerate(reordered(operations, specs, keeps_all=place == "after")):
        step = plan_operations((operation,), specs, place=f"{place} the model")
        try:
            values = add_operation(operation, parts, values, specs)
        except UsageError as problem:
            raise UsageError(
                f"{place} the model, operation {number}: {problem.what}", why=problem.why, hint=problem.hint
            ) from problem
        specs = step.specs
    return _Added(values, specs)


def _check_opset(model: Any, source: Path) -> None:
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), None)
    if opset is not None and opset < _OLDEST_OPSET:
        raise InputError(
            f"{source} is of opset {opset}",
            why=f"operations are added in the meaning of opset {_OLDEST_OPSET} and newer",
            hint="export the model again with a newer opset",
        )
    if opset is None:
        import onnx

        model.opset_import.append(onnx.helper.make_opsetid("", 17))


def _value(spec: TensorSpec) -> Any:
    import numpy as np
    import onnx

    if spec.datatype == "BYTES":
        element = onnx.TensorProto.STRING
    elif spec.datatype == "BF16":
        element = onnx.TensorProto.BFLOAT16
    else:
        element = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(DATATYPES[spec.datatype]))
    return onnx.helper.make_tensor_value_info(spec.name, element, list(spec.shape))


def _whole(graph: Any, inner: Any) -> Any:
    import onnx

    whole = onnx.helper.make_model(graph, opset_imports=inner.opset_import, producer_name=inner.producer_name)
    whole.ir_version = inner.ir_version
    whole.functions.extend(inner.functions)
    whole.metadata_props.extend(inner.metadata_props)
    return whole


def _write(model: Any, source: Path, destination: Path) -> None:
    import onnx

    if model.ByteSize() > _MOST_BYTES:
        raise InputError(f"{source} is larger than 2 GB", why="it could not be written as one file")
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as problem:  # the checker raises ValidationError and InferenceError
        told = " ".join(str(problem).split())
        raise UsageError(f"the operations and {source} do not make a sound graph", why=told[:300]) from problem
    write_atomically(destination, model.SerializeToString())
