"""What a recipe is: one way of making an artifact, and what it may look at."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from modeldyno.children import ChildLimits
from modeldyno.protocols import Dataset
from modeldyno.records.artifact import Artifact, Model
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.search import RefusalStage

LIMITS = ChildLimits(timeout_ns=120_000_000_000, memory_bytes=8 * 2**30)
"""Of each recipe."""
ONNX_FP32 = "onnx-fp32"
BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
FP16_FLAGS = frozenset({"avx512_fp16", "amx_fp16"})
"""As /proc/cpuinfo calls what computes in these, rather than only stores them."""


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
    asked: tuple[str, ...] = ()
    """Recipes that were asked for by name: they are followed even where they hardly pay."""
    is_short_of_quality: bool = False
    """Whether the model as it came does not clearly meet an absolute limit on its quality."""


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
    does: str
    """What it does to a model, in a few words."""
    needs: str
    """What makes it concern a model, in words."""
    after: tuple[str, ...] = ()
    """Recipes whose files it looks at, beside its parent."""


def computed_in(precision: Literal["bf16", "fp16"], parent: Artifact) -> Artifact:
    """The same file with another precision of computing."""
    return opened_with(SessionSettings(precision=precision), f"computed in {precision}", parent)


def opened_with(settings: SessionSettings, words: str, parent: Artifact) -> Artifact:
    """The same file, opened in another way, which `words` tell: the answers differ, so it is judged by itself."""
    return msgspec.structs.replace(
        parent,
        precision=settings.precision or parent.precision,
        recipe=f"{parent.recipe}; {words}",
        parent_digest=parent.digest,
        session=settings,
    )
