"""An ensemble of trees as its ONNX graph states it (onnx.ai, ai.onnx.ml: TreeEnsembleClassifier and -Regressor)."""

from collections import defaultdict
from typing import Any, Literal, NamedTuple

import numpy as np

from modeldyno.errors import InputError

Comparing = Literal["<=", "<", ">=", ">"]
Finish = Literal["NONE", "LOGISTIC", "SOFTMAX"]

OPERATORS = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")
_COMPARING: dict[str, Comparing] = {"BRANCH_LEQ": "<=", "BRANCH_LT": "<", "BRANCH_GTE": ">=", "BRANCH_GT": ">"}
"""Equality asks for categories, of which missing ones are told apart in more than one way."""
_KEEPS_VALUES = ("Identity", "Cast", "Reshape", "Squeeze")


class Branch(NamedTuple):
    """One node that asks, by the numbers of the nodes it leads to."""

    feature: int
    comparing: Comparing
    threshold: float
    yes: int
    no: int
    missing_is_yes: bool
    """Where a row goes that lacks the feature (NaN)."""


class Tree(NamedTuple):
    """Nodes by their numbers."""

    root: int
    branches: dict[int, Branch]
    leaves: dict[int, tuple[tuple[int, float], ...]]
    """What a leaf adds to which sum."""


class Ensemble(NamedTuple):
    """All trees, and what is made of their sums."""

    trees: tuple[Tree, ...]
    base: tuple[float, ...]
    """Of each sum."""
    finish: Finish
    labels: tuple[int, ...]
    """Classes in the order of their scores; empty for a regression."""

    @property
    def sums(self) -> int:
        """How many values the trees add up."""
        return len(self.base)

    @property
    def scores(self) -> int:
        """How many values a row gets: two classes may share one sum."""
        return max(self.sums, len(self.labels))


def has_trees(model: Any) -> bool:
    """Whether an ONNX model is one ensemble, or holds one."""
    return any(node.op_type in OPERATORS for node in model.graph.node)


def read_ensemble(model: Any) -> Ensemble:
    """The ensemble that an ONNX model consists of.

    Args:
        model: an `onnx.ModelProto`.

    Raises:
        InputError: it does something else too, or something that is not known here; the operator is named.
    """
    from onnx import helper

    nodes = [node for node in model.graph.node if node.op_type in OPERATORS]
    inputs = {value.name for value in model.graph.input}
    if len(nodes) != 1 or nodes[0].input[0] not in inputs:
        raise _beyond("its rows do not go into one ensemble of trees as they come")
    for node in model.graph.node:
        if node is not nodes[0] and node.op_type not in _KEEPS_VALUES and not _is_times_one(node, model):
            raise _beyond(f"its operator {node.op_type} is none of trees")
    stated = {one.name: helper.get_attribute_value(one) for one in nodes[0].attribute}
    if stated.get("aggregate_function", b"SUM") != b"SUM":
        raise _beyond(f"its trees are put together by {stated['aggregate_function'].decode()}")
    return _classifier(stated) if nodes[0].op_type == OPERATORS[0] else _regressor(stated)


def _classifier(stated: dict[str, Any]) -> Ensemble:
    labels = tuple(stated.get("classlabels_int64s", ()))
    if not labels:
        raise _beyond("its classes are texts")
    used = set(stated["class_ids"])
    is_shared = len(labels) == 2 and len(used) == 1
    if is_shared and stated.get("post_transform", b"NONE") == b"NONE" and min(stated["class_weights"]) < 0:
        raise _beyond("two classes share a score that is no probability")
    ids = [0] * len(stated["class_ids"]) if is_shared else stated["class_ids"]
    trees = _trees(stated, stated["class_treeids"], stated["class_nodeids"], ids, stated["class_weights"])
    return _ensemble(stated, trees, 1 if is_shared else len(labels), labels)


def _regressor(stated: dict[str, Any]) -> Ensemble:
    ids = stated["target_ids"]
    trees = _trees(stated, stated["target_treeids"], stated["target_nodeids"], ids, stated["target_weights"])
    return _ensemble(stated, trees, stated.get("n_targets", 1), ())


def _ensemble(stated: dict[str, Any], trees: tuple[Tree, ...], sums: int, labels: tuple[int, ...]) -> Ensemble:
    base = tuple(stated.get("base_values", ())) or (0.0,) * sums
    finish = stated.get("post_transform", b"NONE").decode()
    if len(base) != sums:
        raise _beyond(f"{len(base)} base values for {sums} sums")
    if finish not in ("NONE", "LOGISTIC", "SOFTMAX") or (finish == "SOFTMAX" and sums == 1):
        raise _beyond(f"what it makes of {sums} sums is {finish}")
    return Ensemble(trees, base, finish, labels)


def _trees(stated: dict[str, Any], trees: Any, nodes: Any, ids: Any, weights: Any) -> tuple[Tree, ...]:
    leaves: dict[tuple[int, int], list[tuple[int, float]]] = defaultdict(list)
    for tree, node, target, weight in zip(trees, nodes, ids, weights, strict=True):
        leaves[tree, node].append((target, weight))
    count = len(stated["nodes_treeids"])
    tracks = stated.get("nodes_missing_value_tracks_true") or [0] * count
    found: dict[int, Tree] = {}
    for at, (tree, number) in enumerate(zip(stated["nodes_treeids"], stated["nodes_nodeids"], strict=True)):
        one = found.setdefault(tree, Tree(number, {}, {}))
        mode = stated["nodes_modes"][at].decode()
        if mode == "LEAF":
            one.leaves[number] = tuple(leaves[tree, number])
        elif mode in _COMPARING:
            one.branches[number] = Branch(
                stated["nodes_featureids"][at],
                _COMPARING[mode],
                stated["nodes_values"][at],
                stated["nodes_truenodeids"][at],
                stated["nodes_falsenodeids"][at],
                bool(tracks[at]),
            )
        else:
            raise _beyond(f"its nodes ask by {mode}")
    return tuple(found.values())


def _is_times_one(node: Any, model: Any) -> bool:
    """As onnxmltools writes it behind LightGBM."""
    from onnx import numpy_helper

    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    factors = [weights[name] for name in node.input if name in weights]
    return node.op_type == "Mul" and len(factors) == 1 and bool(np.all(numpy_helper.to_array(factors[0]) == 1))


def _beyond(why: str) -> InputError:
    return InputError("these trees cannot be compiled", why=why, hint="the model can still be measured as it is")
