"""What is made of a model before a search: an ordered table of recipes, artifact in, artifact out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from modeldyno.api.artifacts import ORIGINAL
from modeldyno.children import ChildLimits
from modeldyno.compression.dynamic_int8 import compress_dynamic_int8
from modeldyno.errors import DynoError
from modeldyno.models.conversion import convert_to_onnx
from modeldyno.protocols import Dataset, Progress
from modeldyno.records.artifact import Artifact, Model
from modeldyno.records.search import Refusal, RefusalStage

LIMITS = ChildLimits(timeout_ns=120_000_000_000, memory_bytes=8 * 2**30)
"""Of each recipe."""
ONNX_FP32 = "onnx-fp32"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What recipes may look at."""

    model: Model
    dataset: Dataset
    """Rows for calibration among them; made-up ones when there are no others."""
    folder: Path
    """Where artifacts are written."""
    cpu_flags: tuple[str, ...]
    """Of the machine that will serve."""
    trust: bool
    """Whether the user vouches for the model."""


class Recipe(NamedTuple):
    """One way of making an artifact."""

    name: str
    """Of the artifact."""
    stage: RefusalStage
    parents: tuple[str, ...]
    """Names of artifacts it may start from; the first that is there and that it concerns is taken."""
    concerns: Callable[[Situation, Artifact], bool]
    """Whether it makes sense for such a parent at all; else it is left out without a word."""
    make: Callable[[Situation, Artifact, Path], Artifact]
    """Given the parent and a path without an ending; raises a `DynoError` that says why it cannot."""


def _is_sklearn(_situation: Situation, parent: Artifact) -> bool:
    return parent.format == "sklearn"


def _is_plain_onnx(_situation: Situation, parent: Artifact) -> bool:
    return parent.format == "onnx" and parent.precision in ("fp32", "mixed")


def _to_onnx(situation: Situation, _parent: Artifact, place: Path) -> Artifact:
    return convert_to_onnx(
        situation.model,
        place.with_suffix(".onnx"),
        trust=situation.trust,
        timeout_ns=LIMITS.timeout_ns,
        memory_bytes=LIMITS.memory_bytes,
    )


def _dynamic_int8(situation: Situation, parent: Artifact, place: Path) -> Artifact:
    return compress_dynamic_int8(
        parent,
        place.with_suffix(".onnx"),
        cpu_flags=situation.cpu_flags,
        timeout_ns=LIMITS.timeout_ns,
        memory_bytes=LIMITS.memory_bytes,
    )


RECIPES: tuple[Recipe, ...] = (
    Recipe(ONNX_FP32, "convert", (ORIGINAL,), _is_sklearn, _to_onnx),
    Recipe("onnx-int8-dynamic", "compress", (ONNX_FP32, ORIGINAL), _is_plain_onnx, _dynamic_int8),
)
"""In the order in which they are tried: a recipe comes after those it may start from."""


def make_artifacts(
    original: Artifact, situation: Situation, *, progress: Progress
) -> tuple[list[Artifact], list[Refusal]]:
    """Every artifact that could be made, the original not among them; and those that could not, with the reason."""
    there = {original.name: original}
    made: list[Artifact] = []
    refused: list[Refusal] = []
    situation.folder.mkdir(parents=True, exist_ok=True)
    for recipe in RECIPES:
        parents = (there[name] for name in recipe.parents if name in there)
        parent = next((one for one in parents if recipe.concerns(situation, one)), None)
        if parent is None:
            continue
        progress.start(f"making {recipe.name}")
        try:
            artifact = recipe.make(situation, parent, situation.folder / recipe.name)
            there[recipe.name] = msgspec.structs.replace(artifact, name=recipe.name)
            made.append(there[recipe.name])
        except DynoError as problem:
            reason = f"{problem.what}: {problem.why}" if problem.why else problem.what
            refused.append(Refusal(name=recipe.name, stage=recipe.stage, reason=reason))
        finally:
            progress.end()
    return made, refused
