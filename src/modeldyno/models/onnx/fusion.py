"""Operations before and behind an ONNX model as a part of its graph: one call instead of several."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from modeldyno.errors import UsageError
from modeldyno.models.onnx.composition import require_opset, value_info, whole_model, write_model
from modeldyno.models.onnx.graph import onnx_signature, read_onnx
from modeldyno.models.onnx.names import prefix_values
from modeldyno.models.onnx.operations import Values, add_operation
from modeldyno.models.onnx.order import reordered
from modeldyno.models.onnx.parts import GraphParts
from modeldyno.processing.members import bind, own_inputs
from modeldyno.processing.operations import plan_operations
from modeldyno.processing.steps import Specs
from modeldyno.records.processing import Operation, Processing

_MODEL = "model/"


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
    require_opset(model, source)
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
        [value_info(spec) for spec in inputs],
        [value_info(spec) for spec in made.specs.values()],
        [*model.graph.initializer, *parts.constants, *behind.constants],
    )
    write_model(whole_model(graph, model), source, destination)
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
