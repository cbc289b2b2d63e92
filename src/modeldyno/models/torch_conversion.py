"""The child process of `conversion` for PyTorch: torch.onnx, then the signature made the same as the original's."""

import warnings
from functools import partial
from pathlib import Path
from typing import Any

import onnx

from modeldyno.children import answer
from modeldyno.errors import InputError, UsageError
from modeldyno.models.conversion import ConversionResult, ConversionTask
from modeldyno.models.outputs import fit_outputs
from modeldyno.models.torch_files import load_export, load_script
from modeldyno.models.torch_module import load_module
from modeldyno.models.torch_program import example_tensors
from modeldyno.records.files import write_atomically
from modeldyno.records.signature import Signature
from modeldyno.torch_library import INSTALL, load_torch

_ROWS = 3
"""Of the example: an exporter takes one row for a dimension that never varies."""
_OPSET = 20


def convert(task: ConversionTask) -> ConversionResult:
    """Load, export by graph or by tracing, fit the outputs, check and write.

    Raises:
        InputError: neither exporter can, with what the first says.
        ToolError: the result has fewer outputs than the signature.
        UsageError: PyTorch or its exporter is not installed.
    """
    torch = load_torch()
    torch.set_num_threads(1)
    destination = Path(task.destination)
    draft = destination.with_name(f"draft-{destination.name}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            how = _export(torch, task, draft)
        converted = onnx.load(str(draft))
    finally:
        draft.unlink(missing_ok=True)
    fit_outputs(converted, task.signature)
    onnx.checker.check_model(converted, full_check=True)
    write_atomically(destination, converted.SerializeToString())
    return ConversionResult(recipe=f"torch.onnx {torch.__version__.split('+')[0]} {how}, opset {_opset(converted)}")


def _export(torch: Any, task: ConversionTask, draft: Path) -> str:
    """Write the draft, and say how it was made."""
    source = Path(task.source)
    options = {"opset_version": _OPSET, "input_names": [spec.name for spec in task.signature.inputs]}
    if source.suffix == ".pt2":
        program = load_export(source, trust=task.trust)
        attempts = [("by graph", partial(_by_graph, torch, program, (), draft, options))]
    else:
        is_file = source.suffix != ".py"
        model = (
            load_script(source, "cpu", trust=task.trust)
            if is_file
            else load_module(source, task.entry, task.signature, trust=task.trust)
        )
        example = tuple(example_tensors(task.signature, _ROWS))
        varying = _varying(torch, task.signature)
        by_trace = ("by tracing", partial(_by_trace, torch, model, example, draft, options, task.signature))
        by_graph = (
            "by graph",
            partial(_by_graph, torch, model, example, draft, {**options, "dynamic_shapes": varying}),
        )
        # The exporter by graph reads Python, which TorchScript is no more.
        attempts = [by_trace] if is_file else [by_graph, by_trace]
    first: Exception | None = None
    for how, attempt in attempts:
        try:
            attempt()
        except ModuleNotFoundError as problem:
            raise UsageError("PyTorch's exporter to ONNX is not installed", why=str(problem), hint=INSTALL) from problem
        except Exception as problem:  # noqa: BLE001 - exporters raise whatever the model's code meets; the next one tries
            first = first or problem
        else:
            return how
    raise _refusal(source, first)


def _by_graph(torch: Any, model: Any, example: tuple[Any, ...], draft: Path, options: dict[str, Any]) -> None:
    torch.onnx.export(model, example, str(draft), dynamo=True, external_data=False, verbose=False, **options)


def _by_trace(
    torch: Any, model: Any, example: tuple[Any, ...], draft: Path, options: dict[str, Any], signature: Signature
) -> None:
    specs = (*signature.inputs, *signature.outputs)
    axes = {spec.name: {axis: size for axis, size in enumerate(spec.shape) if isinstance(size, str)} for spec in specs}
    names = [spec.name for spec in signature.outputs]
    torch.onnx.export(model, example, str(draft), dynamo=False, dynamic_axes=axes, output_names=names, **options)


def _varying(torch: Any, signature: Signature) -> tuple[dict[int, Any], ...]:
    """For each input the dimensions that vary, the same object for the same name."""
    sizes = {
        size: torch.export.Dim.DYNAMIC for spec in signature.inputs for size in spec.shape if isinstance(size, str)
    }
    return tuple(
        {axis: sizes[size] for axis, size in enumerate(spec.shape) if isinstance(size, str)}
        for spec in signature.inputs
    )


def _refusal(source: Path, problem: Exception | None) -> InputError:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return InputError(
        f"{source.name} cannot be converted to ONNX",
        why=f"{type(problem).__name__}: {lines[0][:300] if lines else ''}",
        hint="it can still be measured and served as it came",
    )


def _opset(model: Any) -> int:
    return int(next(entry.version for entry in model.opset_import if entry.domain == ""))


if __name__ == "__main__":
    answer(convert, ConversionTask)
