"""Giving a converted ONNX graph exactly the outputs of a signature."""

from typing import Any

import numpy as np

from modeldyno.errors import ToolError
from modeldyno.records.signature import Signature, TensorSpec

_ELEMENT_TYPES = {
    "FP32": 1, "UINT8": 2, "INT8": 3, "UINT16": 4, "INT16": 5, "INT32": 6, "INT64": 7, "BYTES": 8, "BOOL": 9,
    "FP16": 10, "FP64": 11, "UINT32": 12, "UINT64": 13, "BF16": 16,
}  # fmt: skip
"""Open Inference Protocol datatype to onnx.TensorProto.DataType."""

_OPSET_OF_RESHAPE = 13
"""Of the default domain where a graph of ai.onnx.ml operators alone did not import it."""


def fit_outputs(model: Any, signature: Signature) -> None:
    """Keep the first outputs of the graph, as many as the signature has, with its names, datatypes and shapes.

    Order, not names, tells which is which: skl2onnx gives the label first, then the probabilities or scores.

    Raises:
        ToolError: the graph has fewer outputs than the signature.
    """
    from onnx import helper

    for spec in signature.inputs:
        value = next(value for value in model.graph.input if value.name == spec.name)
        value.CopyFrom(_value(spec))
    kept = list(model.graph.output)[: len(signature.outputs)]
    if len(kept) < len(signature.outputs):
        raise ToolError(
            f"the converted model has {len(kept)} outputs, the original {len(signature.outputs)}",
            why=f"it gives {', '.join(value.name for value in kept)}",
            hint="the model can still be measured and served as it came",
        )
    del model.graph.output[:]
    if not any(entry.domain == "" for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid("", _OPSET_OF_RESHAPE))
    _clear_names(model.graph, kept, signature)
    for value, spec in zip(kept, signature.outputs, strict=True):
        _fit_output(model, value, spec)
        model.graph.output.append(_value(spec))


def _clear_names(graph: Any, kept: list[Any], signature: Signature) -> None:
    """Move tensors aside that bear a wanted output's name without being it, as in a converted SVC."""
    for value, spec in zip(kept, signature.outputs, strict=True):
        if value.name == spec.name:
            continue
        aside = f"{spec.name}_inside"
        _rename(graph, spec.name, aside)
        for other in kept:
            if other.name == spec.name:
                other.name = aside


def _fit_output(model: Any, value: Any, spec: TensorSpec) -> None:
    from onnx import helper, numpy_helper

    tensor = value.type.tensor_type
    steps: list[tuple[str, dict[str, Any], list[str]]] = []
    if tensor.elem_type != _ELEMENT_TYPES[spec.datatype]:
        steps.append(("Cast", {"to": _ELEMENT_TYPES[spec.datatype]}, []))
    if len(tensor.shape.dim) != len(spec.shape):
        shape_name = f"{spec.name}_shape"
        sizes = [size if isinstance(size, int) else -1 for size in spec.shape]
        model.graph.initializer.append(numpy_helper.from_array(np.array(sizes, np.int64), shape_name))
        steps.append(("Reshape", {}, [shape_name]))
    if not steps:
        _rename(model.graph, value.name, spec.name)
        return
    source = value.name
    if source == spec.name:
        source = f"{spec.name}_as_converted"
        _rename(model.graph, value.name, source)
    for number, (operator, attributes, further) in enumerate(steps, start=1):
        target = spec.name if number == len(steps) else f"{spec.name}_{number}"
        name = f"{spec.name}_{operator.lower()}"
        model.graph.node.append(helper.make_node(operator, [source, *further], [target], name=name, **attributes))
        source = target


def _rename(graph: Any, old: str, new: str) -> None:
    """Rename a tensor wherever it is made or used; an Identity would do, at the cost of a node on every call."""
    if old == new:
        return
    for initializer in graph.initializer:
        if initializer.name == old:
            initializer.name = new
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g, old, new)


def _value(spec: TensorSpec) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(spec.name, _ELEMENT_TYPES[spec.datatype], list(spec.shape))
