"""PyTorch models of all kinds as records, and tried: what they answer to tensors that fit."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from modeldyno.bfloat16 import from_numbers
from modeldyno.errors import DynoError, InputError
from modeldyno.models.onnx.graph import onnx_task
from modeldyno.models.torch.files import (
    STATED,
    export_arguments,
    export_signature,
    load_export,
    load_script,
    stated_beside,
)
from modeldyno.models.torch.machine_code import load_machine_code
from modeldyno.records.artifact import Model, ModelFormat, Precision, Task
from modeldyno.records.files import digest_files
from modeldyno.records.signature import DATATYPES, Signature, TensorSpec
from modeldyno.torch_library import Program, load_torch, named_arrays, to_tensor

_BATCHES = (1, 3)
"""One row finds dimensions frozen with an example, three find those frozen at one."""
_VARYING = 8
"""What stands for a dimension that varies, other than the batch."""
_PRECISIONS: dict[str, Precision] = {"float16": "fp16", "bfloat16": "bf16", "float64": "fp64"}


class Told(NamedTuple):
    """What is known of a program before it is tried."""

    signature: Signature
    files: tuple[str, ...]
    """Beside the main one."""
    task: Task
    classes: tuple[int | str, ...]
    description: str


def describe_torch_file(path: Path, model_format: ModelFormat, task: Task | None, *, trust: bool) -> Model:
    """The record of a .pt2 or TorchScript file, or of machine code, which is tried.

    Raises:
        InputError: it cannot be read, does not say what goes in and out, or does not answer as it says.
        TrustError: `trust` is false.
        UsageError: PyTorch is not installed.
    """
    if model_format == "torch-export":
        program = load_export(path, trust=trust)
        signature = export_signature(program, path)
        nodes = sum(node.op == "call_function" for node in program.graph.nodes)
        told = Told(signature, (), onnx_task(signature), (), f"torch.export, {nodes} operations")
        return described(program, call_export(program, path), told, path, task)
    if model_format == "torch-aoti":
        return _described_machine_code(path, task, trust=trust)
    script = load_script(path, "cpu", trust=trust)
    stated = stated_beside(path)
    told = Told(
        Signature(inputs=stated.inputs, outputs=stated.outputs),
        (path.with_suffix(STATED).name,),
        stated.task,
        stated.classes,
        f"TorchScript {getattr(script, 'original_name', '')}".rstrip(),
    )
    return described(script, script, told, path, task)


def _described_machine_code(path: Path, task: Task | None, *, trust: bool) -> Model:
    program, told, files = load_machine_code(path, "cpu", trust=trust)
    check_answer(program, told.signature, path)
    names = (path.name, *files)
    return Model(
        name=path.stem,
        path=str(path),
        files=files,
        format="torch-aoti",
        description="machine code by AOTInductor",
        task=task or told.task,
        classes=told.classes,
        signature=told.signature,
        precision=told.precision,
        size_bytes=sum((path.parent / name).stat().st_size for name in names),
        digest=digest_files(path.parent, names),
        parameters=told.parameters,
        made_with="PyTorch",
    )


def described(holder: Any, program: Program, told: Told, path: Path, task: Task | None, *, entry: str = "") -> Model:
    """The record of a program whose parameters `holder` has.

    Raises:
        InputError: it does not answer as its signature says.
    """
    check_answer(program, told.signature, path)
    names = (path.name, *told.files)
    weights = list(holder.parameters())
    return Model(
        name=entry if entry.isidentifier() else path.stem,
        path=str(path),
        files=told.files,
        entry=entry,
        format="torch-module" if entry else "torch-export" if path.suffix == ".pt2" else "torchscript",
        description=told.description,
        task=task or told.task,
        classes=told.classes,
        signature=told.signature,
        precision=_precision(weights),
        size_bytes=sum((path.parent / name).stat().st_size for name in names),
        digest=digest_files(path.parent, names),
        parameters=sum(weight.numel() for weight in weights),
        made_with="PyTorch",
    )


def example_tensors(signature: Signature, rows: int) -> list[Any]:
    """Tensors that fit the inputs: ones, which are valid places in every table and values of every datatype."""
    return [to_tensor(_ones(spec, rows, signature), spec) for spec in signature.inputs]


def varying_dimensions(torch: Any, signature: Signature) -> tuple[dict[int, Any], ...]:
    """For each input the dimensions that vary, as torch.export asks for them: the same object for the same name."""
    sizes = {
        size: torch.export.Dim.DYNAMIC for spec in signature.inputs for size in spec.shape if isinstance(size, str)
    }
    return tuple(
        {axis: sizes[size] for axis, size in enumerate(spec.shape) if isinstance(size, str)}
        for spec in signature.inputs
    )


def check_answer(program: Program, signature: Signature, path: Path) -> None:
    """Ask one row, and three.

    Raises:
        InputError: it fails, or gives other outputs, datatypes or dimensions than the signature says.
    """
    for rows in _BATCHES:
        _check_batch(program, signature, path, rows)


def _check_batch(program: Program, signature: Signature, path: Path, rows: int) -> None:
    torch = load_torch()
    try:
        with torch.inference_mode():
            found = named_arrays(program(*example_tensors(signature, rows)), signature.outputs)
    except Exception as problem:
        said = (problem.why or problem.what) if isinstance(problem, DynoError) else str(problem).strip()
        raise InputError(
            f"{path} does not answer as its signature says",
            why=(said.splitlines() or [""])[-1][:300] or type(problem).__name__,
            hint=f"asked were tensors of ones for a batch of {rows}, in the order of the signature's inputs",
        ) from problem
    for spec in signature.outputs:
        shape = found[spec.name].shape
        sizes = [rows if size == _batch_of(signature) else size for size in spec.shape]
        fits = len(shape) == len(sizes) and all(
            isinstance(size, str) or size == length for size, length in zip(sizes, shape, strict=True)
        )
        if not fits:
            raise InputError(
                f"{path} does not answer as its signature says",
                why=f"{spec.name!r} has the shape {list(shape)} for a batch of {rows}, not {list(spec.shape)}",
            )


def call_export(program: Any, path: Path) -> Program:
    """An exported program that takes all its inputs by position."""
    positional, named = export_arguments(program, path)
    module = program.module()
    if not named:
        return module  # type: ignore[no-any-return]
    count = len(positional)
    return lambda *tensors: module(*tensors[:count], **dict(zip(named, tensors[count:], strict=True)))


def _ones(spec: TensorSpec, rows: int, signature: Signature) -> Any:
    sizes = [
        size if isinstance(size, int) else rows if size == _batch_of(signature) else _VARYING for size in spec.shape
    ]
    if spec.datatype == "BYTES":
        raise InputError(f"{spec.name!r} holds texts", why="a tensor of PyTorch holds numbers only")
    if spec.datatype == "BF16":
        return from_numbers(np.ones(sizes, np.float32))
    return np.ones(sizes, DATATYPES[spec.datatype])


def _batch_of(signature: Signature) -> str | None:
    """The name of the first dimension of the first input, where it varies."""
    first = signature.inputs[0].shape[0] if signature.inputs and signature.inputs[0].shape else None
    return first if isinstance(first, str) else None


def _precision(weights: list[Any]) -> Precision:
    kinds = {str(weight.dtype).removeprefix("torch.") for weight in weights if weight.dtype.is_floating_point}
    if len(kinds) > 1:
        return "mixed"
    return _PRECISIONS.get(next(iter(kinds), "float32"), "fp32")
