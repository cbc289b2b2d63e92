"""What is made of a PyTorch model for PyTorch itself."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from modeldyno.api.artifacts.opening import ORIGINAL
from modeldyno.api.artifacts.recipe import BF16_FLAGS, LIMITS, Recipe, Situation, computed_in, opened_with
from modeldyno.models.torch.execution import COMPILED, CUDA_GRAPH, FROZEN
from modeldyno.models.torch.graphed import can_be_recorded
from modeldyno.models.torch.machine_code import compile_ahead
from modeldyno.records.artifact import Artifact
from modeldyno.records.deployment import SessionSettings
from modeldyno.torch_library import has_cuda

_LEAST_PARAMETERS = 1_000_000
"""Below that what PyTorch does around each operation costs more than its arithmetic."""
_MODULES = ("torch-module", "transformers")
"""Exported programs and TorchScript have their precision written into them."""
_COMPILABLE = (*_MODULES, "torch-export")
"""TorchScript has a compiler of its own."""
_AHEAD, _AHEAD_BF16 = "pytorch-aoti", "pytorch-aoti-bf16"


def _is_large(situation: Situation) -> bool:
    return bool(situation.asked) or (situation.model.parameters or 0) >= _LEAST_PARAMETERS


def _has_bf16(situation: Situation, parent: Artifact) -> bool:
    is_plain = parent.format in _MODULES and parent.precision == "fp32"
    return is_plain and _is_large(situation) and bool(BF16_FLAGS & set(situation.cpu_flags))


def _is_compilable(situation: Situation, parent: Artifact) -> bool:
    return parent.format in _COMPILABLE and _is_large(situation)


def _is_compilable_ahead(situation: Situation, parent: Artifact) -> bool:
    """Machine code is only opened where the user vouches for it, wherever it came from."""
    return _is_compilable(situation, parent) and situation.trust


def _is_compilable_ahead_in_bf16(situation: Situation, parent: Artifact) -> bool:
    return _has_bf16(situation, parent) and situation.trust


def _was_not_compiled_ahead(situation: Situation, parent: Artifact) -> bool:
    """Compiled at every opening it is no faster than compiled once, so that one of both is enough."""
    is_asked = "pytorch-compiled" in situation.asked
    return _is_compilable(situation, parent) and (is_asked or not (situation.folder / f"{_AHEAD}.pt2").is_file())


def _is_script(situation: Situation, parent: Artifact) -> bool:
    return parent.format == "torchscript" and _is_large(situation)


def _bf16(_situation: Situation, parent: Artifact, _place: Path) -> Artifact:
    return computed_in("bf16", parent)


def _ahead(precision: Literal["bf16"] | None, situation: Situation, parent: Artifact, place: Path) -> Artifact:
    made = compile_ahead(parent, situation.model, place.with_suffix(".pt2"), precision, LIMITS)
    return msgspec.structs.replace(made, cpu_flags=situation.cpu_flags)


def _in_mode(mode: str, words: str, _situation: Situation, parent: Artifact, _place: Path) -> Artifact:
    return opened_with(SessionSettings(mode=mode), words, parent)


def _on_gpu(settings: SessionSettings) -> Recipe:
    """A recipe for CUDA; it is tried wherever PyTorch finds a GPU."""
    formats = _MODULES if settings.precision else _COMPILABLE
    words = f"computed on the GPU{f' in {settings.precision}' if settings.precision else ''}"
    if settings.mode == CUDA_GRAPH:
        words += ", recorded as CUDA graphs"
    elif settings.mode:
        words += f", {settings.mode}"
    name = "-".join(part for part in ("pytorch-cuda", settings.precision, settings.mode.removeprefix("cuda-")) if part)

    def concerns(situation: Situation, parent: Artifact) -> bool:
        is_fit = parent.format in formats and parent.precision == "fp32" and _is_large(situation)
        is_recordable = settings.mode != CUDA_GRAPH or can_be_recorded(parent.signature)
        return is_fit and is_recordable and has_cuda()

    def make(_situation: Situation, parent: Artifact, _place: Path) -> Artifact:
        return opened_with(settings, words, parent)

    kinds = "a PyTorch module or a text encoder" if settings.precision else "a PyTorch model other than TorchScript"
    return Recipe(
        name=name,
        stage="convert",
        parents=(ORIGINAL,),
        concerns=concerns,
        make=make,
        does=f"{words}, by PyTorch itself",
        needs=f"{kinds} in fp32 with 1M parameters or more, and a GPU that PyTorch finds",
    )


def _recipe(
    name: str,
    concerns: Callable[[Situation, Artifact], bool],
    make: Callable[[Situation, Artifact, Path], Artifact],
    does: str,
    needs: str,
) -> Recipe:
    return Recipe(name=name, stage="convert", parents=(ORIGINAL,), concerns=concerns, make=make, does=does, needs=needs)


_ON_GPU: tuple[tuple[str, Literal["fp16", "bf16"] | None], ...] = (
    ("", None),
    ("", "fp16"),
    ("", "bf16"),
    (COMPILED, None),
    (COMPILED, "fp16"),
    (CUDA_GRAPH, None),
    (CUDA_GRAPH, "fp16"),
)
_NEEDS_BF16 = "a PyTorch module or a text encoder in fp32 with 1M parameters or more, and a processor with bfloat16"
_NEEDS_COMPILABLE = "a PyTorch model other than TorchScript with 1M parameters or more"

PYTORCH_RECIPES: tuple[Recipe, ...] = (
    _recipe(
        "pytorch-bf16", _has_bf16, _bf16, "weights and computing in bfloat16, by PyTorch itself", needs=_NEEDS_BF16
    ),
    _recipe(
        _AHEAD,
        _is_compilable_ahead,
        partial(_ahead, None),
        "compiled to machine code for this processor by PyTorch (AOTInductor)",
        needs=f"{_NEEDS_COMPILABLE}, and --trust",
    ),
    _recipe(
        _AHEAD_BF16,
        _is_compilable_ahead_in_bf16,
        partial(_ahead, "bf16"),
        "the same, weights and computing in bfloat16",
        needs=f"{_NEEDS_BF16}, and --trust",
    ),
    _recipe(
        "pytorch-compiled",
        _was_not_compiled_ahead,
        partial(_in_mode, COMPILED, "compiled at every opening"),
        "compiled by torch.compile whenever it is opened; tried where it cannot be compiled ahead",
        needs=_NEEDS_COMPILABLE,
    ),
    _recipe(
        "torchscript-frozen",
        _is_script,
        partial(_in_mode, FROZEN, "frozen, its operations fused at opening"),
        "weights as constants, operations fused where TorchScript can",
        needs="TorchScript with 1M parameters or more",
    ),
    *(_on_gpu(SessionSettings(device="cuda", precision=precision, mode=mode)) for mode, precision in _ON_GPU),
)
"""In the order in which they are tried."""
