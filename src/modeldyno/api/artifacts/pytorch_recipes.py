"""What is made of a PyTorch model for PyTorch itself."""

from pathlib import Path

from modeldyno.api.artifacts.opening import ORIGINAL
from modeldyno.api.artifacts.recipe import BF16_FLAGS, Recipe, Situation, computed_in
from modeldyno.records.artifact import Artifact

_LEAST_PARAMETERS = 1_000_000
"""Below that what PyTorch does around each operation costs more than its arithmetic."""


def _has_bf16(situation: Situation, parent: Artifact) -> bool:
    """Exported programs and TorchScript have their precision written into them."""
    return (
        parent.format in ("torch-module", "transformers")
        and parent.precision == "fp32"
        and (situation.model.parameters or 0) >= _LEAST_PARAMETERS
        and bool(BF16_FLAGS & set(situation.cpu_flags))
    )


def _bf16(_situation: Situation, parent: Artifact, _place: Path) -> Artifact:
    return computed_in("bf16", parent)


PYTORCH_RECIPES: tuple[Recipe, ...] = (
    Recipe(
        name="pytorch-bf16",
        stage="convert",
        parents=(ORIGINAL,),
        concerns=_has_bf16,
        make=_bf16,
        does="weights and computing in bfloat16, by PyTorch itself",
        needs="a PyTorch module or a text encoder in fp32 with 1M parameters or more, and a processor with bfloat16",
    ),
)
"""In the order in which they are tried."""
