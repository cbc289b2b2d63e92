"""What is made of trees."""

from pathlib import Path

from modeldyno.api.artifacts.opening import ORIGINAL
from modeldyno.api.artifacts.recipe import LIMITS, ONNX_FP32, Recipe, Situation
from modeldyno.models.trees.compiling import compile_trees
from modeldyno.models.trees.ensemble import has_trees
from modeldyno.records.artifact import Artifact

TREES_COMPILED = "trees-compiled"
_LARGEST_BYTES = 64 * 2**20
"""Of a graph that is looked at: larger ones of trees would take the compiler too long, and others are networks."""


def _is_of_trees(situation: Situation, parent: Artifact) -> bool:
    """Machine code is served only with the user's word, so without it there is no use in making it."""
    if parent.format != "onnx" or parent.size_bytes > _LARGEST_BYTES or not situation.trust:
        return False
    import onnx

    return has_trees(onnx.load(parent.path, load_external_data=False))


def _compile(_situation: Situation, parent: Artifact, place: Path) -> Artifact:
    return compile_trees(parent, place.with_suffix(".so"), limits=LIMITS)


TREE_RECIPES: tuple[Recipe, ...] = (
    Recipe(
        name=TREES_COMPILED,
        stage="convert",
        parents=(ONNX_FP32, ORIGINAL),
        concerns=_is_of_trees,
        make=_compile,
        does="trees as machine code, by way of ONNX and a C compiler",
        needs="trees in ONNX or converted to it, and --trust: a bundle of machine code is served only with it",
    ),
)
"""In the order in which they are tried."""
