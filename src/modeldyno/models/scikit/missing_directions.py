"""Which way a row without a number goes at each branch of a forest, which skl2onnx leaves out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx

_DIRECTIONS = "nodes_missing_value_tracks_true"


def keep_missing_directions(model: Any, estimator: Any) -> None:
    """Say in the graph at which branches NaN goes left, as the trees of scikit-learn have learnt it.

    Trees and forests at the end of a pipeline have this in `missing_go_to_left`; of other models, whose graph has
    another number of branches, nothing is changed.

    Args:
        model: the converted `onnx.ModelProto`.
        estimator: what it was converted from.
    """
    trees = _trees_of(estimator)
    ensembles = [node for node in model.graph.node if node.op_type.startswith("TreeEnsemble")]
    if not trees or len(ensembles) != 1:
        return
    attributes = {one.name: one for one in ensembles[0].attribute}
    if "nodes_nodeids" not in attributes or _DIRECTIONS not in attributes:
        return
    places = [(tree, node) for tree, one in enumerate(trees) for node in range(one.node_count)]
    stored = zip(attributes["nodes_treeids"].ints, attributes["nodes_nodeids"].ints, strict=True)
    if places == list(stored):
        directions = [int(trees[tree].missing_go_to_left[node]) for tree, node in places]
        attributes[_DIRECTIONS].CopyFrom(onnx.helper.make_attribute(_DIRECTIONS, directions))


def _trees_of(estimator: Any) -> list[Any]:
    """The trees of a tree or forest at the end of (nested) pipelines."""
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[-1][1]
    members = [estimator] if hasattr(estimator, "tree_") else list(getattr(estimator, "estimators_", []))
    found = [getattr(one, "tree_", None) for one in members]
    return found if all(hasattr(one, "missing_go_to_left") for one in found) else []


@contextmanager
def booleans_as_numbers() -> Iterator[None]:
    """Let attributes of whole numbers be given as booleans while a model is converted.

    skl2onnx gives the directions of HistGradientBoosting so, and newer protobuf takes no boolean for a number.
    """
    usual = onnx.helper.make_attribute

    def make_attribute(key: str, value: Any, *others: Any, **named: Any) -> Any:
        if isinstance(value, list) and any(isinstance(one, (bool, np.bool_)) for one in value):
            value = [int(one) for one in value]
        return usual(key, value, *others, **named)

    onnx.helper.make_attribute = make_attribute
    try:
        yield
    finally:
        onnx.helper.make_attribute = usual
