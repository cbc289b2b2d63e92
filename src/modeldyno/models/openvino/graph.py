"""Models as OpenVINO reads them: its own files, and TensorFlow's SavedModel; what goes in and comes out."""

import math
from pathlib import Path
from typing import Any

from modeldyno.errors import InputError
from modeldyno.models.onnx.graph import onnx_task
from modeldyno.openvino_library import read_network
from modeldyno.records.artifact import Model, ModelFormat, Precision, Task
from modeldyno.records.files import digest_files
from modeldyno.records.signature import Signature, TensorSpec

_DATATYPES = {
    "boolean": "BOOL", "string": "BYTES", "f16": "FP16", "f32": "FP32", "f64": "FP64",
    "i8": "INT8", "i16": "INT16", "i32": "INT32", "i64": "INT64",
    "u8": "UINT8", "u16": "UINT16", "u32": "UINT32", "u64": "UINT64",
}  # fmt: skip
"""openvino.Type to Open Inference Protocol datatype."""

_PRECISIONS: dict[str, Precision] = {
    "f32": "fp32", "f64": "fp64", "f16": "fp16", "bf16": "bf16", "i8": "int8", "u8": "int8", "i4": "int4", "u4": "int4",
}  # fmt: skip
"""openvino.Type of weights to a precision; other types are indices and shapes, not weights."""


def describe_openvino(path: Path, task: Task | None) -> Model:
    """The record of an OpenVINO model: a .xml file and the .bin of the same name beside it.

    Args:
        path: the .xml file.
        task: overrides what the outputs suggest.

    Raises:
        InputError: it cannot be read, or has inputs or outputs that cannot be served.
    """
    weights = path.with_suffix(".bin")
    files = (weights.name,) if weights.is_file() else ()
    return _described(read_network(path), path, "openvino", path.stem, files, task)


def describe_saved_model(path: Path, task: Task | None) -> Model:
    """The record of a TensorFlow SavedModel.

    Args:
        path: its `saved_model.pb`; everything beside it belongs to it.
        task: overrides what the outputs suggest.

    Raises:
        InputError: it cannot be read, has operators that OpenVINO does not know, or cannot be served.
    """
    folder = path.parent
    files = tuple(
        str(one.relative_to(folder)) for one in sorted(folder.rglob("*")) if one.is_file() and one.name != path.name
    )
    return _described(read_network(path), path, "saved-model", folder.resolve().name, files, task)


def network_signature(network: Any, path: Path) -> Signature:
    """Names, datatypes and shapes; the first dimension is called `batch` where it varies.

    Raises:
        InputError: an input or output is of a datatype or shape that cannot be served.
    """
    return Signature(
        inputs=tuple(_spec(port, "input", path) for port in network.inputs),
        outputs=tuple(_spec(port, "output", path) for port in network.outputs),
    )


def port_name(port: Any) -> str:
    """The shortest name of an input or output: TensorFlow's have several, such as `x` and `serving_default_x:0`."""
    names = port.get_names() or {port.get_node().get_friendly_name()}
    return str(min(names, key=lambda name: (len(name), name)))


def network_precision(network: Any) -> Precision:
    """What nine tenths of the weights are stored as; `mixed` when there is no such majority."""
    counts: dict[Precision, int] = {}
    for kind, size in _weights(network):
        counts[_PRECISIONS[kind]] = counts.get(_PRECISIONS[kind], 0) + size
    total = sum(counts.values())
    if total == 0:
        return "fp32"
    kind, count = max(counts.items(), key=lambda item: item[1])
    return kind if count >= 0.9 * total else "mixed"


def _described(
    network: Any, path: Path, kind: ModelFormat, name: str, files: tuple[str, ...], task: Task | None
) -> Model:
    signature = network_signature(network, path)
    count = len(network.get_ops())
    title = "OpenVINO" if kind == "openvino" else "TensorFlow SavedModel"
    return Model(
        name=name,
        path=str(path),
        format=kind,
        description=f"{title}, {count} {'operation' if count == 1 else 'operations'}",
        task=task or onnx_task(signature),
        classes=(),
        signature=signature,
        precision=network_precision(network),
        size_bytes=sum((path.parent / one).stat().st_size for one in (path.name, *files)),
        digest=digest_files(path.parent, (path.name, *files)),
        files=files,
        parameters=sum(size for _, size in _weights(network)) or None,
        made_with=_made_with(network),
    )


def _spec(port: Any, role: str, path: Path) -> TensorSpec:
    name, kind, shape = port_name(port), port.get_element_type().get_type_name(), port.get_partial_shape()
    if kind not in _DATATYPES:
        raise InputError(
            f"{role} {name!r} of {path} has the datatype {kind}",
            why="no request can carry it" if kind == "dynamic" else "the Open Inference Protocol has no such datatype",
            hint="convert the model again with a datatype of numbers for it",
        )
    if shape.rank.is_dynamic:
        raise InputError(
            f"{role} {name!r} of {path} does not say how many dimensions it has",
            why="a server has to tell its clients",
            hint="convert the model again with a shape for its inputs",
        )
    sizes = tuple(
        (("batch" if axis == 0 else f"{name}_{axis}") if size.is_dynamic else size.get_length())
        for axis, size in enumerate(shape)
    )
    return TensorSpec(name=name, datatype=_DATATYPES[kind], shape=sizes)


def _weights(network: Any) -> list[tuple[str, int]]:
    """Type and number of elements of the constants that are weights."""
    constants = [one for one in network.get_ops() if one.get_type_name() == "Constant"]
    kinds = [one.get_element_type().get_type_name() for one in constants]
    return [
        (kind, math.prod(one.get_output_shape(0)))
        for kind, one in zip(kinds, constants, strict=True)
        if kind in _PRECISIONS
    ]


def _made_with(network: Any) -> str:
    key = "Runtime_version"
    return f"OpenVINO {network.get_rt_info(key).astype(str)}" if network.has_rt_info(key) else "unknown producer"
