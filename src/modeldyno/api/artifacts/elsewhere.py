"""A conversion in an environment of its own: the model is read, converted and compared with the libraries there."""

from pathlib import Path
from typing import Literal

import msgspec

from modeldyno.children import ChildLimits, run_child
from modeldyno.environments import Requirements, environment_for, requirements_in, requirements_of_extra
from modeldyno.errors import UsageError
from modeldyno.models.recognition import recognise
from modeldyno.protocols import Progress
from modeldyno.records.artifact import ModelFormat, Task
from modeldyno.records.base import Record
from modeldyno.records.derivation import Derivation

_EXTRAS: dict[ModelFormat, str] = {
    "xgboost": "trees",
    "lightgbm": "trees",
    "keras": "keras",
    "saved-model": "openvino",
    "openvino": "openvino",
    "torch-export": "torch",
    "torchscript": "torch",
    "torch-module": "torch",
    "transformers": "hf",
}
"""What formats need beyond what every installation has."""
_MEMORY_BYTES = 32 * 2**30
"""Address space. The converters in it keep to their own limits, which are lower."""
_CONVERTING_NS = 600_000_000_000
"""Beyond the budget for the speed: reading, converting and comparing."""


class ElsewhereTask(Record, frozen=True, kw_only=True):
    """The arguments of `convert`."""

    model: str
    to: Literal["onnx", "openvino"]
    out: str
    data: str | None
    label: str | None
    budget_ns: int
    trust: bool
    force: bool
    task: Task | None
    seed: int


def convert_elsewhere(task: ElsewhereTask, *, requirements: Path | None, progress: Progress) -> Derivation:
    """Do what `convert` does, in an environment of its own.

    Args:
        task: what to convert.
        requirements: what that environment holds; None: what the format needs.
        progress: where to report.

    Raises:
        DynoError: see `convert`; `environment_for` for what can go wrong with the environment.
    """
    held = requirements_in(requirements) if requirements else _needed(task)
    python = environment_for(held, progress=progress)
    progress.start("converting and comparing in an environment of its own")
    try:
        found = run_child(
            "modeldyno.api.artifacts.elsewhere_child",
            task,
            Derivation,
            doing=f"converting {Path(task.model).name} in an environment of its own",
            limits=ChildLimits(timeout_ns=_CONVERTING_NS + task.budget_ns, memory_bytes=_MEMORY_BYTES),
            python=python,
        )
    finally:
        progress.end()
    what = ", ".join(held.names) or Path(held.file).name
    note = f"read, converted and compared in an environment of its own with {what}"
    return msgspec.structs.replace(found, notes=(*found.notes, note))


def _needed(task: ElsewhereTask) -> Requirements:
    found = recognise(Path(task.model)).format
    extra = _EXTRAS.get(found, "openvino" if task.to == "openvino" else "")
    if not extra:
        raise UsageError(
            f"an environment for {found} would hold nothing of its own",
            why="what this format needs comes with Modeldyno",
            hint="say what it should hold instead: --requirements FILE",
        )
    return requirements_of_extra(extra)
