"""Compiled trees against ONNX Runtime, on ensembles drawn at random and on those of the libraries."""

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper

from modeldyno.errors import InputError
from modeldyno.models.trees.ensemble import Branch, Ensemble, Tree, read_ensemble
from modeldyno.models.trees.program import ENTRY, program_of

COMPILER = shutil.which("cc")
FEATURES = 3
VALUES = (-1.5, -0.0, 0.1, 1.0, 2.5)
"""Thresholds and features are drawn from the same few, so that rows meet them exactly."""
MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")


def graph(operator: str, attributes: dict[str, Any], *more: Any, outputs: int) -> Any:
    """A model of one ensemble over `x`, and what follows it."""
    names = ["label", "scores"][-outputs:]
    node = helper.make_node(operator, ["x"], names, domain="ai.onnx.ml", **attributes)
    kinds = [onnx.TensorProto.INT64, onnx.TensorProto.FLOAT][-outputs:]
    given = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", FEATURES])
    wanted = [helper.make_tensor_value_info(name, kind, None) for name, kind in zip(names, kinds, strict=True)]
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    made = helper.make_graph([node, *more], "trees", [given], wanted)
    return helper.make_model(made, opset_imports=sets, ir_version=8)


@st.composite
def ensembles(draw: st.DrawFn) -> Any:
    """A classifier or a regressor whose trees are drawn."""
    mode = draw(st.sampled_from(MODES))
    sums = draw(st.integers(1, 3))
    is_classifier = draw(st.booleans())
    nodes: dict[str, list[Any]] = {
        f"nodes_{name}": []
        for name in (
            "treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids",
            "missing_value_tracks_true",
        )
    }  # fmt: skip
    leaves: list[tuple[int, int, int, float]] = []

    def add(tree: int, number: int, *row: Any) -> None:
        for name, value in zip(nodes, (tree, number, *row), strict=True):
            nodes[name].append(value)

    def grow(tree: int, number: int, depth: int) -> int:
        """The tree's next free number."""
        if depth == 0 or draw(st.booleans()):
            add(tree, number, 0, "LEAF", 0.0, 0, 0, 0)
            # Each leaf adds to all: ONNX Runtime gives no base to what no tree of a row has added to.
            leaves.extend((tree, number, target, draw(st.sampled_from((-2.0, 0.25, 1.0)))) for target in range(sums))
            return number + 1
        at = len(nodes["nodes_treeids"])
        asked = (draw(st.integers(0, FEATURES - 1)), mode, draw(st.sampled_from(VALUES)))
        add(tree, number, *asked, number + 1, 0, draw(st.integers(0, 1)))
        other = grow(tree, number + 1, depth - 1)
        nodes["nodes_falsenodeids"][at] = other
        return grow(tree, other, depth - 1)

    for tree in range(draw(st.integers(1, 4))):
        grow(tree, 0, 3)
    trees, numbers, ids, weights = (list(column) for column in zip(*leaves, strict=True))
    base = draw(st.lists(st.sampled_from((0.0, 0.5)), min_size=sums, max_size=sums))
    if not is_classifier:
        stated = {f"target_{key}": value for key, value in zip(
            ("treeids", "nodeids", "ids", "weights"), (trees, numbers, ids, weights), strict=True)}  # fmt: skip
        return graph("TreeEnsembleRegressor", {**nodes, **stated, "n_targets": sums, "base_values": base}, outputs=1)
    classes = max(2, sums)
    finish = draw(st.sampled_from(("NONE", "LOGISTIC") if sums != 3 else ("NONE", "LOGISTIC", "SOFTMAX")))
    if sums == 1 and finish == "NONE":  # the share of the second class, as forests have it
        weights = [abs(weight) for weight in weights]
    stated = {f"class_{key}": value for key, value in zip(
        ("treeids", "nodeids", "ids", "weights"), (trees, numbers, ids, weights), strict=True)}  # fmt: skip
    labels = {"classlabels_int64s": list(range(5, 5 + classes)), "post_transform": finish}
    if sums != 2:
        labels["base_values"] = base
    return graph("TreeEnsembleClassifier", {**nodes, **stated, **labels}, outputs=2)


def computed(ensemble: Ensemble, rows: NDArray[np.float32], folder: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scores and labels of the compiled program."""
    assert COMPILER is not None
    number = len(list(folder.iterdir()))
    source, library = folder / f"{number}.c", folder / f"{number}.so"
    source.write_text(program_of(ensemble, rows.shape[1]))
    warnings = ("-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter")
    subprocess.run([COMPILER, "-O1", "-shared", "-fPIC", *warnings, "-o", library, source, "-lm"], check=True)
    function = ctypes.CDLL(str(library))[ENTRY]
    function.argtypes = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
    scores, labels = np.empty((len(rows), ensemble.scores), np.float32), np.zeros(len(rows), np.int64)
    function(rows.ctypes.data, len(rows), scores.ctypes.data, labels.ctypes.data)
    return scores, labels


@needs_compiler
@given(model=ensembles(), data=st.data())
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_trees_answer_as_onnx_runtime_does(model: Any, data: st.DataObject, tmp_path: Path) -> None:
    pool = st.sampled_from((*VALUES, float("nan"), float("inf")))
    drawn = data.draw(st.lists(st.tuples(*[pool] * FEATURES), min_size=1, max_size=5))
    rows = np.array(drawn * 20, np.float32)  # more than one block
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(["scores"], {"x": rows})[0]
    scores, labels = computed(read_ensemble(model), rows, tmp_path)
    np.testing.assert_allclose(expected.reshape(scores.shape), scores, rtol=1e-5, atol=1e-6)
    if scores.shape[1] > 1 and read_ensemble(model).labels:
        np.testing.assert_array_equal(np.array(read_ensemble(model).labels)[scores.argmax(axis=1)], labels)


def leaf(weight: float = 1.0, target: int = 0) -> tuple[tuple[int, float], ...]:
    return ((target, weight),)


def one_tree(branch: Branch, *, target: int = 0) -> Ensemble:
    return Ensemble((Tree(0, {0: branch}, {1: leaf(), 2: leaf(2.0, target)}),), (0.0,), "NONE", ())


@pytest.mark.parametrize(
    "ensemble",
    (
        one_tree(Branch(FEATURES, "<=", 0.0, 1, 2, missing_is_yes=False)),
        one_tree(Branch(-1, "<=", 0.0, 1, 2, missing_is_yes=False)),
        one_tree(Branch(0, "<=", 0.0, 1, 9, missing_is_yes=False)),
        one_tree(Branch(0, "<=", 0.0, 1, 0, missing_is_yes=False)),
        one_tree(Branch(0, "<=", 0.0, 1, 2, missing_is_yes=False), target=1),
    ),
)
def test_a_tree_that_would_read_or_write_beside_its_rows_is_no_program(ensemble: Ensemble) -> None:
    with pytest.raises(ValueError, match="node"):
        program_of(ensemble, FEATURES)


def stump(**changes: Any) -> Any:
    attributes: dict[str, Any] = {
        "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [0, 0, 0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"], "nodes_values": [0.5, 0.0, 0.0],
        "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0],
        "target_treeids": [0, 0], "target_nodeids": [1, 2], "target_ids": [0, 0], "target_weights": [1.0, 2.0],
        "n_targets": 1, **changes,
    }  # fmt: skip
    return graph("TreeEnsembleRegressor", attributes, outputs=1)


def followed_by(operator: str) -> Any:
    model = stump()
    model.graph.node.append(helper.make_node(operator, ["scores"], ["after"]))
    return model


@pytest.mark.parametrize(
    ("model", "why"),
    (
        (followed_by("Exp"), "Exp is none of trees"),
        (stump(aggregate_function="AVERAGE"), "put together by AVERAGE"),
        (stump(post_transform="PROBIT"), "PROBIT"),
        (stump(base_values=[1.0, 2.0]), "2 base values for 1 sums"),
        (stump(nodes_modes=["BRANCH_EQ", "LEAF", "LEAF"]), "BRANCH_EQ"),
    ),
)
def test_what_is_more_than_trees_is_named(model: Any, why: str) -> None:
    with pytest.raises(InputError, match="cannot be compiled") as caught:
        read_ensemble(model)
    assert why in caught.value.why


def test_what_keeps_the_values_does_not_matter() -> None:
    assert read_ensemble(stump()) == read_ensemble(followed_by("Identity"))
