"""ONNX models: reading a file without running it, and what goes into and out of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modeldyno.errors import InputError, first_line
from modeldyno.models.onnx.operators import refuse_unknown_operators
from modeldyno.models.onnx.weights import external_files
from modeldyno.records.artifact import Model, Precision, Task
from modeldyno.records.files import digest_files
from modeldyno.records.signature import Signature, TensorSpec

_DATATYPES = {
    1: "FP32", 2: "UINT8", 3: "INT8", 4: "UINT16", 5: "INT16", 6: "INT32", 7: "INT64", 8: "BYTES", 9: "BOOL",
    10: "FP16", 11: "FP64", 12: "UINT32", 13: "UINT64", 16: "BF16",
}  # fmt: skip
"""onnx.TensorProto.DataType to Open Inference Protocol datatype (onnx/onnx.proto)."""

_PRECISIONS: dict[int, Precision] = {1: "fp32", 2: "int8", 3: "int8", 10: "fp16", 11: "fp64", 16: "bf16"}
"""onnx.TensorProto.DataType of weights to a precision; other types are indices and shapes, not weights."""


def read_onnx(path: Path) -> Any:
    """The `onnx.ModelProto` in a file, checked against the ONNX specification; weights in other files stay there.

    Raises:
        InputError: truncated, corrupt, not ONNX, or with weights in files that are not there.
    """
    import onnx

    try:
        model = onnx.load_model(str(path), format="protobuf", load_external_data=False)
    except Exception as problem:  # protobuf's own error class differs between its implementations
        raise _not_onnx(path, problem) from problem
    refuse_unknown_operators(model, path)
    elsewhere = external_files(model, path)
    try:
        onnx.checker.check_model(str(path) if elsewhere else model)
    except Exception as problem:  # the checker raises ValidationError, and ValueError for what it cannot serialise
        raise _not_onnx(path, problem) from problem
    return model


def describe_onnx(path: Path, task: Task | None) -> Model:
    """The record of an ONNX model.

    Args:
        path: the file.
        task: overrides what the outputs suggest.

    Raises:
        InputError: see `read_onnx` and `onnx_signature`.
    """
    model = read_onnx(path)
    signature = onnx_signature(model, path)
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), None)
    nodes = len(model.graph.node)
    producer = " ".join(part for part in (model.producer_name, model.producer_version) if part) or "unknown producer"
    found = task or onnx_task(signature)
    files = external_files(model, path)
    return Model(
        name=path.stem,
        path=str(path),
        format="onnx",
        description=f"ONNX{f' opset {opset}' if opset else ''}, {nodes} {'node' if nodes == 1 else 'nodes'}",
        task=found,
        classes=_classes(model, path.parent) if found == "classification" else (),
        signature=signature,
        precision=onnx_precision(model),
        size_bytes=sum((path.parent / name).stat().st_size for name in (path.name, *files)),
        digest=digest_files(path.parent, (path.name, *files)),
        files=files,
        parameters=_parameters(model),
        made_with=producer,
    )


def onnx_task(signature: Signature) -> Task:
    """Classification when one output is a whole number or a text a row; a float may be anything: unknown."""
    labels = [
        spec
        for spec in signature.outputs
        if len(spec.shape) == 1 and (spec.datatype == "BYTES" or spec.datatype.startswith(("INT", "UINT")))
    ]
    return "classification" if labels else "unknown"


def onnx_signature(model: Any, path: Path) -> Signature:
    """Names, datatypes and shapes; symbolic dimensions keep their names, and unnamed ones get one.

    Exporters often give the first dimension of an output a name of its own although it is the batch. Shape inference
    from the inputs tells whether it is; only then does the output take over the input's name.

    Raises:
        InputError: an input or output is not a tensor, or of a datatype that cannot be served.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    values = [value for value in model.graph.input if value.name not in weights]
    batch = _batch_name(values)
    inputs = tuple(_spec(value, "input", path, batch) for value in values)
    known = {size for spec in inputs for size in spec.shape if isinstance(size, str)}
    inferred = {value.name: value for value in _infer_outputs(model, batch)}
    outputs = [
        _follow_inputs(_spec(value, "output", path, batch), inferred.get(value.name), known)
        for value in model.graph.output
    ]
    return Signature(inputs=inputs, outputs=tuple(outputs))


def _batch_name(inputs: list[Any]) -> str:
    """What the first dimension of the first input is called; `batch` where it has no name."""
    sizes = inputs[0].type.tensor_type.shape.dim if inputs else []
    return (sizes[0].dim_param if len(sizes) else "") or "batch"


def _spec(value: Any, role: str, path: Path, batch: str) -> TensorSpec:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        hint = "convert it again with options={'zipmap': False}" if kind in ("sequence_type", "map_type") else ""
        raise InputError(
            f"{role} {value.name!r} of {path} is not a tensor",
            why=f"its type is {kind.removesuffix('_type') if kind else 'not stated'}; only tensors can be served",
            hint=hint,
        )
    tensor = value.type.tensor_type
    datatype = _DATATYPES.get(tensor.elem_type)
    if datatype is None:
        import onnx

        name = onnx.TensorProto.DataType.Name(tensor.elem_type)
        raise InputError(
            f"{role} {value.name!r} of {path} has the datatype {name}",
            why="the Open Inference Protocol has no such datatype",
            hint="add a Cast to FLOAT at that place and export the model again",
        )
    return TensorSpec(name=value.name, datatype=datatype, shape=_shape(tensor, value.name, batch))


def _shape(tensor: Any, name: str, batch: str) -> tuple[int | str, ...]:
    return tuple(
        int(size.dim_value) if size.dim_value > 0 else size.dim_param or (batch if axis == 0 else f"{name}_{axis}")
        for axis, size in enumerate(tensor.shape.dim)
    )


def _infer_outputs(model: Any, batch: str) -> list[Any]:
    """The outputs as shape inference sees them from the inputs alone, or nothing where it fails or is too large."""
    import onnx

    stripped = onnx.ModelProto()
    stripped.CopyFrom(model)
    for value in stripped.graph.input:
        sizes = value.type.tensor_type.shape.dim
        if len(sizes) and not sizes[0].dim_param and sizes[0].dim_value <= 0:
            sizes[0].dim_param = batch
    for value in stripped.graph.output:
        if value.type.WhichOneof("value") == "tensor_type":
            value.type.tensor_type.ClearField("shape")
    try:
        return list(onnx.shape_inference.infer_shapes(stripped).graph.output)
    except Exception:  # noqa: BLE001 - inference only refines names; the declared shapes are there without it
        return []


def _follow_inputs(spec: TensorSpec, inferred: Any | None, known: set[str]) -> TensorSpec:
    """`spec` with the first dimension renamed to that of an input, where inference proves they are the same."""
    if inferred is None or not spec.shape or isinstance(spec.shape[0], int):
        return spec
    sizes = inferred.type.tensor_type.shape.dim
    name = sizes[0].dim_param if len(sizes) == len(spec.shape) else ""
    if name not in known:
        return spec
    return TensorSpec(name=spec.name, datatype=spec.datatype, shape=(name, *spec.shape[1:]))


def _not_onnx(path: Path, problem: Exception) -> InputError:
    return InputError(
        f"{path} is not a valid ONNX model",
        why=first_line(problem),
        hint="it may be cut short: compare its size with the original, or export it again",
    )


def _tensors(graph: Any) -> Iterator[Any]:
    """Weights: initialisers and Constant nodes, of subgraphs too."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t") and node.op_type == "Constant":
                yield attribute.t
            if attribute.HasField("g"):
                yield from _tensors(attribute.g)


def _elements(tensor: Any) -> int:
    count = 1
    for size in tensor.dims:
        count *= size
    return int(count)


def _attribute_floats(model: Any) -> int:
    """Learnt numbers of ai.onnx.ml linear models, which keep them in attributes."""
    return sum(
        len(attribute.floats)
        for node in model.graph.node
        for attribute in node.attribute
        if node.domain == "ai.onnx.ml" and attribute.name in ("coefficients", "intercepts")
    )


def onnx_precision(model: Any) -> Precision:
    """What nine tenths of the weights are stored as; `mixed` when there is no such majority."""
    counts: dict[Precision, int] = {}
    for tensor in _tensors(model.graph):
        kind = _PRECISIONS.get(tensor.data_type)
        if kind is not None:
            counts[kind] = counts.get(kind, 0) + _elements(tensor)
    total = sum(counts.values())
    if total == 0:
        return "fp32"  # trees and ai.onnx.ml linear models hold their numbers in FLOAT attributes
    kind, count = max(counts.items(), key=lambda item: item[1])
    return kind if count >= 0.9 * total else "mixed"


def _parameters(model: Any) -> int | None:
    if any(node.op_type.startswith("TreeEnsemble") for node in model.graph.node):
        return None
    stored = sum(_elements(tensor) for tensor in _tensors(model.graph) if tensor.data_type in _PRECISIONS)
    return stored + _attribute_floats(model) or None


def _classes(model: Any, folder: Path) -> tuple[int | str, ...]:
    """The labels that ai.onnx.ml classifiers state, or skl2onnx's table of them; empty when neither is there once."""
    from onnx import numpy_helper

    found: list[tuple[int | str, ...]] = [
        tuple(attribute.ints) or tuple(text.decode() for text in attribute.strings)
        for node in model.graph.node
        for attribute in node.attribute
        if node.domain == "ai.onnx.ml" and attribute.name.startswith("classlabels")
    ]
    for tensor in model.graph.initializer:
        if tensor.name == "classes" and len(tensor.dims) == 1:
            values = numpy_helper.to_array(tensor, base_dir=str(folder)).tolist()
            found.append(tuple(value.decode() if isinstance(value, bytes) else value for value in values))
    return found[0] if len(found) == 1 else ()
