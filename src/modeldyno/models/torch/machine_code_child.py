"""The child process of `machine_code`: torch.export, then PyTorch's compiler, into a package."""

import warnings
from pathlib import Path
from typing import Any

import msgspec

from modeldyno.children import answer
from modeldyno.models.torch.compiled import refusal
from modeldyno.models.torch.execution import placed
from modeldyno.models.torch.files import load_export
from modeldyno.models.torch.machine_code import TOLD, MachineCodeResult, MachineCodeTask
from modeldyno.models.torch.module import load_module
from modeldyno.models.torch.package import read_metadata
from modeldyno.models.torch.program import example_tensors, varying_dimensions
from modeldyno.models.torch.transformers_folder import load_encoder
from modeldyno.torch_library import load_inductor, load_torch

_ROWS = 3
"""Of the example: one row would be taken for a dimension that never varies."""


def compile_package(task: MachineCodeTask) -> MachineCodeResult:
    """Load, export, compile, and write the package.

    Raises:
        InputError: it cannot be loaded, exported or compiled.
        UsageError: PyTorch or a C++ compiler is not installed.
    """
    torch = load_torch()
    torch.set_num_threads(1)
    destination = Path(task.destination)
    draft = destination.with_name(f"draft-{destination.name}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _compile(torch, task, draft)
        read_metadata(draft)
        draft.replace(destination)
    finally:
        draft.unlink(missing_ok=True)
    version = torch.__version__.split("+")[0]
    return MachineCodeResult(recipe=f"torch.export and AOTInductor {version}, machine code for {_processor(torch)}")


def _compile(torch: Any, task: MachineCodeTask, draft: Path) -> None:
    load_inductor()
    source = Path(task.source)
    try:
        with torch.no_grad():
            torch._inductor.aoti_compile_and_package(  # noqa: SLF001 - where its documentation says that it is
                _exported(torch, task),
                package_path=str(draft),
                inductor_configs={
                    # Else it computes with one thread for ever, as this process does.
                    "cpp.dynamic_threads": True,
                    "aot_inductor.metadata": {TOLD: msgspec.json.encode(task.told).decode()},
                },
            )
    except Exception as problem:
        raise refusal(source, problem) from problem


def _exported(torch: Any, task: MachineCodeTask) -> Any:
    source, signature = Path(task.source), task.told.signature
    if task.format == "torch-export":
        return load_export(source, trust=True)
    made = (
        load_encoder(source, signature)
        if task.format == "transformers"
        else load_module(source, task.entry, signature, trust=True)
    )
    module = placed(torch, made, task.session)
    example = tuple(example_tensors(signature, _ROWS))
    shapes = varying_dimensions(torch, signature)
    # A module that was put into another precision takes its inputs as one list of arguments.
    dynamic = shapes if module is made else (shapes,)
    return torch.export.export(module, example, dynamic_shapes=dynamic)


def _processor(torch: Any) -> str:
    return str(torch._inductor.cpu_vec_isa.pick_vec_isa()).upper()  # noqa: SLF001 - what it compiled for


if __name__ == "__main__":
    answer(compile_package, MachineCodeTask)
