"""What is made of a model: an ordered table of recipes, artifact in, artifact out."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches

import msgspec

from modeldyno.api.artifacts.averaging_recipes import AVERAGING_RECIPES
from modeldyno.api.artifacts.onnx_recipes import ONNX_ON_REQUEST, ONNX_RECIPES
from modeldyno.api.artifacts.openvino_recipes import OPENVINO_RECIPES
from modeldyno.api.artifacts.pytorch_recipes import PYTORCH_RECIPES
from modeldyno.api.artifacts.recipe import Recipe, Situation
from modeldyno.api.artifacts.tree_recipes import TREE_RECIPES
from modeldyno.errors import DynoError, UsageError
from modeldyno.protocols import Progress
from modeldyno.records.artifact import Artifact
from modeldyno.records.search import Refusal

_CONVERTED, *_OF_ONNX = ONNX_RECIPES
RECIPES: tuple[Recipe, ...] = (
    _CONVERTED,
    *AVERAGING_RECIPES,
    *TREE_RECIPES,
    *_OF_ONNX,
    *PYTORCH_RECIPES,
    *OPENVINO_RECIPES,
)
"""What a search tries, in that order: a recipe comes after those it may start from.

Averaging comes early, for it is only tried where nothing else can bring the quality that is asked for.
"""

ON_REQUEST: tuple[Recipe, ...] = ONNX_ON_REQUEST
"""What is made only when it is asked for by name."""


def recipes_for(names: Sequence[str]) -> tuple[Recipe, ...]:
    """Recipes by their names, and those that they start from, in the order in which they are followed.

    Raises:
        UsageError: there is no recipe of such a name.
    """
    offered = (*RECIPES, *ON_REQUEST)
    by_name = {recipe.name: recipe for recipe in offered}
    wanted: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in by_name:
            near = get_close_matches(name, by_name, n=1)
            hint = f"did you mean {near[0]}?" if near else "see: dyno compress --list"
            raise UsageError(f"there is no recipe {name!r}", hint=hint)
        if name not in wanted:
            wanted.add(name)
            left += [one for one in (*by_name[name].parents, *by_name[name].after) if one in by_name]
    return tuple(recipe for recipe in offered if recipe.name in wanted)


def make_artifacts(
    original: Artifact,
    situation: Situation,
    recipes: Sequence[Recipe] | None = None,
    *,
    progress: Progress,
    is_time_up: Callable[[], bool],
) -> tuple[list[Artifact], list[Refusal]]:
    """Every artifact that could be made, the original not among them; and those that could not, with the reason.

    When `is_time_up`, nothing more is compressed; what is only converted still is, for it is the best of the rest.
    A recipe that does not concern the model is left out without a word, unless it was asked for by its name.
    """
    there = {original.name: original}
    made: list[Artifact] = []
    refused: list[Refusal] = []
    situation.folder.mkdir(parents=True, exist_ok=True)
    for recipe in RECIPES if recipes is None else recipes:
        parents = (there[name] for name in recipe.parents if name in there)
        parent = next((one for one in parents if recipe.concerns(situation, one)), None)
        if parent is None:
            if recipe.name in situation.asked:
                refused.append(Refusal(name=recipe.name, stage=recipe.stage, reason=f"it needs {recipe.needs}"))
            continue
        if recipe.stage == "compress" and is_time_up():
            refused.append(Refusal(name=recipe.name, stage=recipe.stage, reason="its share of the budget was spent"))
            continue
        progress.start(f"making {recipe.name}")
        try:
            artifact = recipe.make(situation, parent, situation.folder / recipe.name)
            there[recipe.name] = msgspec.structs.replace(artifact, name=recipe.name)
            made.append(there[recipe.name])
        except DynoError as problem:
            refused.append(Refusal(name=recipe.name, stage=recipe.stage, reason=problem.in_a_line))
        finally:
            progress.end()
    return made, refused
