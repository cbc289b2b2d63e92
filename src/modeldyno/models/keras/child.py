"""The child process of `keras_file`: Keras on its OpenVINO backend, so that neither TensorFlow nor torch is needed."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.children import answer
from modeldyno.errors import InputError, ToolError, TrustError, UsageError
from modeldyno.models.keras.file import KerasFacts, KerasTask
from modeldyno.openvino_library import load_openvino
from modeldyno.records.artifact import Precision
from modeldyno.records.signature import DATATYPES, Signature, TensorSpec

_DATATYPES = {
    "bool": "BOOL", "float16": "FP16", "float32": "FP32", "float64": "FP64", "int8": "INT8", "int16": "INT16",
    "int32": "INT32", "int64": "INT64", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64",
}  # fmt: skip
_PRECISIONS: dict[str, Precision] = {"float16": "fp16", "bfloat16": "bf16", "float64": "fp64"}
_ROWS = 3
_VARYING = 64
"""What stands for a dimension that varies, other than the batch, when answers are compared."""
_TOLERANCE = 1e-3
"""Of the largest answer: both compute in single precision, and sum in their own order."""


def convert(task: KerasTask) -> KerasFacts:
    """Load the model, and export it where a destination is given.

    Raises:
        InputError, TrustError, UsageError: see `keras_file.describe_keras`.
        ToolError: the exported model answers otherwise than Keras.
    """
    keras = _load_keras()
    source = Path(task.source)
    model = _read(keras, source, trust=task.trust)
    signature = _signature(model, source)
    if task.destination:
        _export(model, signature, Path(task.destination))
    layers = len(model.layers)
    return KerasFacts(
        description=f"Keras {type(model).__name__}, {layers} {'layer' if layers == 1 else 'layers'}",
        signature=signature,
        precision=_precision(model),
        parameters=int(model.count_params()),
        keras=keras.__version__,
    )


def _load_keras() -> Any:
    os.environ["KERAS_BACKEND"] = "openvino"
    try:
        load_openvino()
        import keras
    except (ImportError, UsageError) as problem:
        raise UsageError(
            "Keras or OpenVINO, on which it computes here, is not installed",
            why=str(problem),
            hint="pip install 'modeldyno[keras]'",
        ) from problem
    return keras


def _read(keras: Any, path: Path, *, trust: bool) -> Any:
    try:
        return keras.models.load_model(str(path), compile=False, safe_mode=not trust)
    except Exception as problem:  # Keras raises ValueError, TypeError, OSError, KeyError and its backend's own
        raise _refusal(path, str(problem)) from problem


def _refusal(path: Path, problem: str) -> InputError | TrustError:
    """The error for a file that Keras does not load, from what it says."""
    if "arbitrary code" in problem or "safe_mode" in problem:
        return TrustError(
            f"{path} holds Python code, and was not loaded",
            why="a Lambda layer keeps a function as bytecode, and loading it could do anything you can do",
            hint="if you know where the file comes from, add --trust",
        )
    unknown = re.search(r"(?:Unknown [\w ]+: |Could not locate (?:class|function) )'?([\w>.]+)", problem)
    if unknown:
        return InputError(
            f"{path} needs {unknown[1]!r}, which is not one of Keras's own layers or functions",
            why="a Keras file names such an object, and its code is in the program that made it",
            hint="build the model from Keras's own layers, or export it there: model.export(..., format='openvino')",
        )
    if "No model config found" in problem or "No model found in config file" in problem:
        return InputError(
            f"{path} holds weights only",
            why="it has no model configuration",
            hint='save the whole model: model.save("model.keras")',
        )
    lines = [line.strip() for line in problem.splitlines() if line.strip()]
    return InputError(f"{path} is not a Keras model that can be loaded", why=lines[0][:300] if lines else "")


def _signature(model: Any, path: Path) -> Signature:
    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        raise InputError(
            f"{path} does not say what goes in", why="the model was never built", hint="call it once before it is saved"
        )
    inputs = [tensor.name for tensor in model.inputs]
    return Signature(
        inputs=_specs(model.inputs, inputs, path), outputs=_specs(model.outputs, _output_names(model), path)
    )


def _output_names(model: Any) -> list[str]:
    """The layers that give them; the tensors themselves have numbers that another process gives otherwise."""
    names: list[str] = []
    for tensor in model.outputs:
        layer = str(tensor._keras_history.operation.name)  # noqa: SLF001 - Keras has no other way to ask
        names.append(layer if layer not in names else f"{layer}_{len(names)}")
    return names


def _specs(tensors: Any, names: list[str], path: Path) -> tuple[TensorSpec, ...]:
    found = []
    for tensor, name in zip(tensors, names, strict=True):
        kind = str(tensor.dtype)
        if kind not in _DATATYPES:
            raise InputError(f"{name!r} of {path} has the datatype {kind}", why="it cannot be served by OpenVINO")
        shape = tuple(
            size if size is not None else "batch" if axis == 0 else f"{name}_{axis}"
            for axis, size in enumerate(tensor.shape)
        )
        found.append(TensorSpec(name=name, datatype=_DATATYPES[kind], shape=shape))
    return tuple(found)


def _precision(model: Any) -> Precision:
    kinds = {str(weight.dtype) for weight in model.weights if "float" in str(weight.dtype)}
    if len(kinds) > 1:
        return "mixed"
    return _PRECISIONS.get(next(iter(kinds), "float32"), "fp32")


def _export(model: Any, signature: Signature, destination: Path) -> None:
    """Export, name inputs and outputs as the signature does, compare, and write the .bin before the .xml."""
    openvino = load_openvino()
    draft = destination.with_name(f"draft-{destination.name}")
    model.export(str(draft), format="openvino", verbose=False)
    network = openvino.Core().read_model(str(draft))
    for ports, specs in ((network.inputs, signature.inputs), (network.outputs, signature.outputs)):
        for port, spec in zip(ports, specs, strict=True):
            port.get_tensor().set_names({spec.name})
    _compare(model, openvino, network, signature)
    openvino.save_model(network, str(destination), compress_to_fp16=False)
    for leftover in (draft, draft.with_suffix(".bin")):
        leftover.unlink()


def _compare(model: Any, openvino: Any, network: Any, signature: Signature) -> None:
    """Raises a ToolError where the exported model answers one row or three otherwise than Keras does."""
    compiled = openvino.Core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for count in (1, _ROWS):
        rows = [_made_up(spec, count) for spec in signature.inputs]
        own = model.predict(rows[0] if len(rows) == 1 else rows, batch_size=count, verbose=0)
        expected = own if isinstance(own, list) else list(own.values()) if isinstance(own, dict) else [own]
        found = compiled(dict(enumerate(rows)))
        for place, (spec, wanted) in enumerate(zip(signature.outputs, expected, strict=True)):
            _require_same(spec.name, np.asarray(wanted), found[place], count)


def _require_same(name: str, wanted: NDArray[Any], found: NDArray[Any], count: int) -> None:
    if wanted.shape == found.shape:
        scale = float(np.abs(wanted.astype(np.float64)).max(initial=1e-6))
        difference = float(np.abs(wanted.astype(np.float64) - found.astype(np.float64)).max(initial=0.0))
        if difference <= _TOLERANCE * scale:
            return
        why = f"output {name!r} differs by {difference:.3g} for {count} rows, of values up to {scale:.3g}"
    else:
        why = f"output {name!r} has the shape {list(found.shape)} for {count} rows, not {list(wanted.shape)}"
    raise ToolError("the exported model answers otherwise than Keras", why=why)


def _made_up(spec: TensorSpec, count: int) -> NDArray[Any]:
    fixed = (size if isinstance(size, int) else _VARYING for size in spec.shape[1:])
    first = spec.shape[0] if isinstance(spec.shape[0], int) else count
    generator = np.random.default_rng(0)
    return (generator.random((first, *fixed)) * 1.99).astype(DATATYPES[spec.datatype])


if __name__ == "__main__":
    answer(convert, KerasTask)
