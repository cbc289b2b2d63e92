"""PyTorch programs as sessions compute with them: on a device, in a precision, in one of several modes."""

import threading
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

from modeldyno.errors import InputError, UsageError, first_line
from modeldyno.models.torch.compiled import compile_program
from modeldyno.models.torch.files import export_signature, load_export, load_script, stated_beside
from modeldyno.models.torch.graphed import CudaRecorder, GraphedProgram, can_be_recorded
from modeldyno.models.torch.machine_code import load_machine_code
from modeldyno.models.torch.package import is_package
from modeldyno.models.torch.program import call_export, example_tensors
from modeldyno.models.torch.transformers_folder import load_encoder
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.signature import Signature
from modeldyno.torch_library import Program, load_torch

Kind = Literal["module", "export", "script", "machine code"]
COMPILED, CUDA_GRAPH, FROZEN = "compiled", "cuda-graph", "frozen"
_MODES: dict[Kind, tuple[str, ...]] = {
    "module": ("", COMPILED, CUDA_GRAPH),
    "export": ("", COMPILED, CUDA_GRAPH),
    "script": ("", FROZEN),
    "machine code": ("",),
}
"""In which ways each kind can compute; the empty one is operation by operation, as PyTorch does of itself."""
_READING = threading.RLock()
"""One program at a time: what makes a module may seed PyTorch's one generator of random numbers and draw its weights
from it, and the compiler sets that generator back to what it was when it began."""
_SEVERAL, _ONE = 3, 1
"""Rows that a program is compiled for: several stand for any number of them."""


def read_program(
    path: Path,
    signature: Signature,
    settings: SessionSettings,
    *,
    trust: bool,
    make_module: Callable[[Path, Signature], Any],
) -> Program:
    """A program as a session computes with it.

    Args:
        path: a .pt2, TorchScript or Python file, or the config.json of a text encoder.
        signature: that it must have.
        settings: its device, precision and mode; the calling thread must compute with its threads already.
        trust: whether the user vouches for the file.
        make_module: how the module of a Python file is made.

    Raises:
        InputError: it cannot be loaded or compiled, or has another signature.
        TrustError: `trust` is false.
        UsageError: PyTorch or a compiler is not installed, or the settings mean nothing to this kind of program.
    """
    kind = _kind(path)
    _require_known(path, kind, settings)
    with _READING:
        return _read(path, kind, signature, settings, trust=trust, make_module=make_module)


def _read(
    path: Path,
    kind: Kind,
    signature: Signature,
    settings: SessionSettings,
    *,
    trust: bool,
    make_module: Callable[[Path, Signature], Any],
) -> Program:
    if kind == "module":
        module = load_encoder(path, signature) if path.suffix == ".json" else make_module(path, signature)
        program: Program = placed(load_torch(), module, settings)
    else:
        program = _from_file(path, kind, signature, settings, trust=trust)
    if settings.mode == COMPILED:
        sizes = (_SEVERAL, _ONE) if signature.has_batch_dimension else (_ONE,)
        examples = [_example(signature, settings.device, rows) for rows in sizes]
        return compile_program(program, examples, signature, path)
    if settings.mode == CUDA_GRAPH:
        return _graphed(program, signature, settings, path)
    return program


def _kind(path: Path) -> Kind:
    if path.suffix in (".py", ".json"):
        return "module"
    if path.suffix == ".pt2":
        return "machine code" if is_package(path) else "export"
    return "script"


def _require_known(path: Path, kind: Kind, settings: SessionSettings) -> None:
    if settings.mode not in _MODES[kind]:
        known = ", ".join(_MODES[kind][1:])
        raise UsageError(
            f"the runtime pytorch does not know {settings.label!r} for {path.name}",
            why=f"beside its ordinary way it knows {known}" if known else "it computes in one way",
        )
    if kind != "module" and settings.precision not in (None, "fp32"):
        raise UsageError(
            f"the runtime pytorch does not know {settings.label!r} for {path.name}",
            why="what is not a module is computed only as it is stored",
        )
    if settings.mode == CUDA_GRAPH and settings.device != "cuda":
        raise UsageError("CUDA graphs are recorded on a GPU", hint="take the device cuda, or another mode")


def _from_file(path: Path, kind: Kind, signature: Signature, settings: SessionSettings, *, trust: bool) -> Program:
    torch = load_torch()
    if kind == "machine code":
        program, told, _ = load_machine_code(path, settings.device, trust=trust)
        _require_same(told.signature, signature, path)
        return program
    if kind == "export":
        exported = load_export(path, trust=trust)
        _require_same(export_signature(exported, path), signature, path)
        if settings.device != "cpu":
            exported = torch.export.passes.move_to_device_pass(exported, settings.device)
        return call_export(exported, path)
    script = load_script(path, settings.device, trust=trust)
    stated = stated_beside(path)
    _require_same(Signature(inputs=stated.inputs, outputs=stated.outputs), signature, path)
    return frozen(torch, script) if settings.mode == FROZEN else script  # type: ignore[no-any-return]


def placed(torch: Any, module: Any, settings: SessionSettings) -> Any:
    """A module on the device and in the precision asked for; floats that go in become of the same precision."""
    module.to(settings.device)
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(settings.precision or "")
    if half is None:
        return module
    module.to(half)

    class Halved(torch.nn.Module):  # type: ignore[misc]  # its base is not known to the type checker
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, *tensors: Any) -> Any:
            return self.module(*(one.to(half) if one.is_floating_point() else one for one in tensors))

    return Halved().eval()


def frozen(torch: Any, script: Any) -> Any:
    """A TorchScript program whose weights are constants, its operations fused where TorchScript can."""
    with warnings.catch_warnings():
        # TorchScript says that it is deprecated.
        warnings.simplefilter("ignore")
        return torch.jit.optimize_for_inference(torch.jit.freeze(script))


def _graphed(program: Program, signature: Signature, settings: SessionSettings, path: Path) -> Program:
    if not can_be_recorded(signature):
        raise InputError(
            f"{path} cannot be recorded as CUDA graphs", why="something other than the number of rows varies in it"
        )
    try:
        return GraphedProgram(program, partial(_example, signature, settings.device), CudaRecorder())
    except RuntimeError as problem:
        raise InputError(f"{path} cannot be recorded as CUDA graphs", why=first_line(problem)[:300]) from problem


def _example(signature: Signature, device: str, rows: int) -> list[Any]:
    return [tensor.to(device) for tensor in example_tensors(signature, rows)]


def _require_same(found: Signature, wanted: Signature, path: Path) -> None:
    if found != wanted:
        raise InputError(f"{path} is not the model that was asked for", why="its signature is another one")
