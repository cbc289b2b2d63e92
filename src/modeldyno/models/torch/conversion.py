"""The child process of `conversion` for PyTorch: torch.onnx, then the signature made the same as the original's."""

import re
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import onnx

from modeldyno.children import answer
from modeldyno.errors import InputError, UsageError
from modeldyno.models.conversion import ConversionResult, ConversionTask
from modeldyno.models.onnx.outputs import fit_outputs
from modeldyno.models.torch.files import load_export, load_script
from modeldyno.models.torch.module import load_module
from modeldyno.models.torch.program import example_tensors, varying_dimensions
from modeldyno.models.torch.transformers_folder import load_encoder
from modeldyno.records.files import write_atomically
from modeldyno.records.signature import Signature
from modeldyno.torch_library import INSTALL, load_torch

_ROWS = 3
"""Of the example: an exporter takes one row for a dimension that never varies."""
_OPSET = 20
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""Terminal codes in what the exporters say."""


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
    first: Exception | None = None
    for how, attempt in _attempts(torch, task, draft).items():
        try:
            attempt()
        except ModuleNotFoundError as problem:
            raise UsageError("PyTorch's exporter to ONNX is not installed", why=str(problem), hint=INSTALL) from problem
        except Exception as problem:  # noqa: BLE001 - exporters raise whatever the model's code meets; the next one tries
            first = first or problem
        else:
            return how
    raise _refusal(Path(task.source), first)


def _attempts(torch: Any, task: ConversionTask, draft: Path) -> dict[str, Callable[[], None]]:
    """The ways of exporting that suit the model, the best first."""
    source = Path(task.source)
    options = {"opset_version": _OPSET, "input_names": [spec.name for spec in task.signature.inputs]}
    if source.suffix == ".pt2":
        program = load_export(source, trust=task.trust)
        return {"by graph": partial(_by_graph, torch, program, (), draft, options)}
    example = tuple(example_tensors(task.signature, _ROWS))
    if source.suffix in (".pt", ".pth"):
        # The exporter by graph reads Python, which TorchScript is no more.
        script = load_script(source, "cpu", trust=task.trust)
        return {"by tracing": partial(_by_trace, torch, script, example, draft, options, task.signature)}
    if source.suffix == ".json":
        module = load_encoder(source, task.signature, spells_attention=True)
    else:
        module = load_module(source, task.entry, task.signature, trust=task.trust)
    module.float()
    shapes = {"dynamic_shapes": varying_dimensions(torch, task.signature)}
    return {
        "by graph": partial(_by_graph, torch, module, example, draft, {**options, **shapes}),
        "by tracing": partial(_by_trace, torch, module, example, draft, options, task.signature),
    }


def _by_graph(torch: Any, model: Any, example: tuple[Any, ...], draft: Path, options: dict[str, Any]) -> None:
    torch.onnx.export(model, example, str(draft), dynamo=True, external_data=False, verbose=False, **options)


def _by_trace(
    torch: Any, model: Any, example: tuple[Any, ...], draft: Path, options: dict[str, Any], signature: Signature
) -> None:
    specs = (*signature.inputs, *signature.outputs)
    axes = {spec.name: {axis: size for axis, size in enumerate(spec.shape) if isinstance(size, str)} for spec in specs}
    names = [spec.name for spec in signature.outputs]
    torch.onnx.export(model, example, str(draft), dynamo=False, dynamic_axes=axes, output_names=names, **options)


def _refusal(source: Path, problem: BaseException | None) -> InputError:
    """The exporters say on top which of their steps failed, and what it was in the cause of it."""
    while problem is not None and problem.__cause__ is not None:
        problem = problem.__cause__
    lines = [line.strip() for line in _COLOURS.sub("", str(problem)).splitlines() if line.strip()]
    return InputError(
        f"{source.name} cannot be converted to ONNX, opset {_OPSET}",
        why=f"{type(problem).__name__}: {lines[0][:300] if lines else ''}",
        hint="it can still be measured and served as it came",
    )


def _opset(model: Any) -> int:
    return int(next(entry.version for entry in model.opset_import if entry.domain == ""))


if __name__ == "__main__":
    answer(convert, ConversionTask)
