"""What one call of an ONNX graph costs as it came: shapes are inferred, nothing is executed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from modeldyno.models.onnx.operator_costs import operator_cost
from modeldyno.records.anatomy import GraphCost, Operation, Tensor


def graph_cost(model: Any, shapes: Mapping[str, Sequence[int]]) -> GraphCost:
    """Operations and bytes of one call.

    Operators in the branches of `If`, `Loop` and `Scan` are not counted, for nobody knows how often they run.

    Args:
        model: an `onnx.ModelProto`.
        shapes: of the inputs in that call, by name.
    """
    operations = graph_operations(model, shapes)
    costs = [operator_cost(one) for one in operations]
    uncounted = Counter(one.kind for one, cost in zip(operations, costs, strict=True) if cost is None)
    return GraphCost(
        operations=sum(cost.operations for cost in costs if cost is not None),
        bytes_moved=sum(cost.bytes_moved for cost in costs if cost is not None),
        weight_bytes=sum(_weight_bytes(weight) for weight in model.graph.initializer),
        uncounted=dict(sorted(uncounted.items())),
    )


def graph_operations(model: Any, shapes: Mapping[str, Sequence[int]]) -> list[Operation]:
    """The operators of the main graph with the shapes they have in a call with inputs of `shapes`."""
    known = _known_tensors(_inferred(model, shapes))
    return [
        Operation(
            name=node.name,
            kind=node.op_type,
            inputs=tuple(known.get(name) for name in node.input),
            outputs=tuple(known.get(name) for name in node.output if name),
            is_known=all(name in known for name in (*node.input, *node.output) if name),
            attributes=attributes_of(node),
        )
        for node in model.graph.node
    ]


def attributes_of(node: Any) -> dict[str, int | tuple[int, ...]]:
    """The attributes of an `onnx.NodeProto` that decide its cost: see `Operation.attributes`."""
    import onnx

    found: dict[str, int | tuple[int, ...]] = {}
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.INT:
            found[attribute.name] = int(attribute.i)
        elif attribute.type == onnx.AttributeProto.INTS:
            found[attribute.name] = tuple(attribute.ints)
        elif attribute.type == onnx.AttributeProto.FLOATS:
            found[f"{attribute.name}.length"] = len(attribute.floats)
    return found


def _inferred(model: Any, shapes: Mapping[str, Sequence[int]]) -> Any:
    """The graph with fixed inputs and every shape that follows from them."""
    import onnx

    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for value in fixed.graph.input:
        if value.name in shapes:
            value.type.tensor_type.ClearField("shape")
            for size in shapes[value.name]:
                value.type.tensor_type.shape.dim.add().dim_value = size
    for value in fixed.graph.output:
        if value.type.WhichOneof("value") == "tensor_type":
            value.type.tensor_type.ClearField("shape")
    del fixed.graph.value_info[:]  # shapes that an exporter wrote for other inputs would contradict these
    return onnx.shape_inference.infer_shapes(fixed, data_prop=True)


def _known_tensors(model: Any) -> dict[str, Tensor]:
    graph = model.graph
    known = {
        weight.name: Tensor(datatype=_datatype(weight.data_type), shape=tuple(weight.dims))
        for weight in graph.initializer
    }
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        sizes = [size.dim_value if size.HasField("dim_value") else None for size in kind.shape.dim]
        if value.type.WhichOneof("value") == "tensor_type" and kind.HasField("shape") and None not in sizes:
            shape = tuple(size for size in sizes if size is not None)
            known.setdefault(value.name, Tensor(datatype=_datatype(kind.elem_type), shape=shape))
    return known


def _datatype(element_type: int) -> str:
    """NumPy's name of an onnx.TensorProto.DataType; its own in small letters where NumPy has none."""
    import onnx

    name = str(onnx.TensorProto.DataType.Name(element_type)).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def _weight_bytes(weight: Any) -> int:
    import onnx

    if weight.data_type == onnx.TensorProto.STRING:
        return sum(map(len, weight.string_data))
    itemsize: int = onnx.helper.tensor_dtype_to_np_dtype(weight.data_type).itemsize
    return itemsize * prod(int(size) for size in weight.dims)
