from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from modeldyno.models.onnx.graph_costs import graph_cost, graph_operations
from modeldyno.records.anatomy import Tensor
from modeldyno.testing.models import write_dense_onnx


def test_a_dense_graph_costs_its_products_and_its_relus(tmp_path: Path) -> None:
    model = onnx.load(write_dense_onnx(tmp_path / "dense.onnx", width=8, layers=2))
    found = graph_cost(model, {"x": (3, 8)})
    assert 2 * (2 * 3 * 8 * 8 + 3 * 8) == found.operations
    assert 2 * 4 * (8 * 8 + 2 * 3 * 8 + 2 * 3 * 8) == found.bytes_moved
    assert 2 * 8 * 8 * 4 == found.weight_bytes
    assert {} == found.uncounted


def test_costs_are_those_of_the_rows_that_are_asked(tmp_path: Path) -> None:
    model = onnx.load(write_dense_onnx(tmp_path / "dense.onnx", width=8, layers=2))
    one, ten = (graph_cost(model, {"x": (rows, 8)}) for rows in (1, 10))
    assert 10 * one.operations == ten.operations


def test_shapes_that_depend_on_the_graphs_own_numbers_are_followed() -> None:
    model = graph(
        [
            helper.make_node("Shape", ["x"], ["shape"]),
            helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
            helper.make_node("Add", ["x", "zeros"], ["y"], name="add"),
        ]
    )
    add = graph_operations(model, {"x": (5, 4)})[-1]
    assert add.is_known
    assert (Tensor(datatype="float32", shape=(5, 4)),) == add.outputs


def test_operators_that_nobody_can_count_are_named() -> None:
    scores = helper.make_node("NonMaxSuppression", ["x", "x"], ["y"])
    assert {"NonMaxSuppression": 1} == graph_cost(graph([scores]), {"x": (5, 4)}).uncounted


def graph(nodes: list[Any]) -> Any:
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
