"""Small models made on the spot: no files to ship, every kind of signature."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
"""Text labels of the ten digits."""


@cache
def digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The UCI handwritten digits that scikit-learn ships: features [1797, 64] from 0 to 16, labels 0 to 9."""
    from sklearn.datasets import load_digits

    features, labels = load_digits(return_X_y=True)
    return features.astype(np.float32), labels.astype(np.int64)


@cache
def digits_mlp() -> Any:
    """An MLPClassifier on digits, 64 → 32 → 10, trained for a moment."""
    from sklearn.neural_network import MLPClassifier

    features, labels = digits()
    # So many iterations that it stops by itself: stopping at the limit is a warning.
    return MLPClassifier(hidden_layer_sizes=(32,), max_iter=400, tol=1e-2, random_state=0).fit(features, labels)


@cache
def digits_forest() -> Any:
    """A RandomForestClassifier of ten trees on digits."""
    from sklearn.ensemble import RandomForestClassifier

    features, labels = digits()
    return RandomForestClassifier(n_estimators=10, random_state=0, n_jobs=2).fit(features, labels)


@cache
def digit_words_pipeline() -> Any:
    """StandardScaler and LogisticRegression on digits, with text labels."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, labels = digits()
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(features, np.array(WORDS)[labels])


@cache
def ink_regressor() -> Any:
    """LinearRegression: the mean of the pixels from the pixels."""
    from sklearn.linear_model import LinearRegression

    features, _ = digits()
    return LinearRegression().fit(features, features.mean(axis=1))


@cache
def halves_regressor() -> Any:
    """LinearRegression with two targets: the mean of the upper and of the lower half of the pixels."""
    from sklearn.linear_model import LinearRegression

    features, _ = digits()
    return LinearRegression().fit(features, np.c_[features[:, :32].mean(axis=1), features[:, 32:].mean(axis=1)])


def write_two_inputs_onnx(path: Path, *, rows: int | str = "N", features: int = 3) -> Path:
    """An ONNX model `sum = left + right`, both FP32 [rows, features], and `total` [rows], their sums over a row."""
    from onnx import TensorProto, helper, save

    float_type = TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["left", "right"], ["sum"], name="add"),
            helper.make_node("ReduceSum", ["sum", "axes"], ["total"], name="total", keepdims=0),
        ],
        "two-inputs",
        [helper.make_tensor_value_info(name, float_type, [rows, features]) for name in ("left", "right")],
        [
            helper.make_tensor_value_info("sum", float_type, [rows, features]),
            helper.make_tensor_value_info("total", float_type, [rows]),
        ],
        [helper.make_tensor("axes", TensorProto.INT64, [1], [1])],
    )
    save(_model(graph), str(path))
    return path


def write_echo_onnx(path: Path, element_type: int, shape: tuple[int | str | None, ...] = ("batch", 2)) -> Path:
    """An ONNX model `y = x` of any element type (a number of onnx.TensorProto.DataType)."""
    from onnx import helper, save

    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"], name="echo")],
        "echo",
        [helper.make_tensor_value_info("x", element_type, shape)],
        [helper.make_tensor_value_info("y", element_type, shape)],
    )
    save(_model(graph), str(path))
    return path


def write_scaled_onnx(path: Path, factor: float) -> Path:
    """An ONNX model `y = factor x` of FP32 [batch, 2]."""
    from onnx import TensorProto, helper, save

    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "factor"], ["y"], name="scale")],
        "scaled",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor("factor", TensorProto.FLOAT, [], [factor])],
    )
    save(_model(graph), str(path))
    return path


def write_dense_onnx(path: Path, *, width: int = 256, layers: int = 4, seed: int = 0) -> Path:
    """An ONNX model of `layers` square MatMul and Relu of FP32 [batch, width]: work enough to be seen computing."""
    from onnx import TensorProto, helper, numpy_helper, save

    generator = np.random.default_rng(seed)
    nodes, weights, source = [], [], "x"
    for layer in range(layers):
        weight = (generator.standard_normal((width, width)) / np.sqrt(width)).astype(np.float32)
        weights.append(numpy_helper.from_array(weight, f"weight_{layer}"))
        target = "y" if layer == layers - 1 else f"hidden_{layer}"
        nodes.append(helper.make_node("MatMul", [source, f"weight_{layer}"], [f"product_{layer}"], name=f"m{layer}"))
        nodes.append(helper.make_node("Relu", [f"product_{layer}"], [target], name=f"r{layer}"))
        source = target
    graph = helper.make_graph(
        nodes,
        "dense",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", width])],
        weights,
    )
    save(_model(graph), str(path))
    return path


def write_bfloat16_onnx(source: Path, path: Path) -> Path:
    """The ONNX model at `source` with inputs and outputs of BF16 where it has FP32; inside it computes as before."""
    from onnx import TensorProto, helper, load_model, save

    model = load_model(str(source))
    graph = model.graph
    before: list[Any] = []
    after: list[Any] = []
    for value in (*graph.input, *graph.output):
        tensor = value.type.tensor_type
        if tensor.elem_type != TensorProto.FLOAT:
            continue
        tensor.elem_type = TensorProto.BFLOAT16
        inside, is_input = f"{value.name}_fp32", value in graph.input
        for node in graph.node:
            for names in (node.input, node.output):
                names[:] = [inside if name == value.name else name for name in names]
        ends, target = ([value.name], [inside]) if is_input else ([inside], [value.name])
        cast = helper.make_node("Cast", ends, target, to=TensorProto.FLOAT if is_input else TensorProto.BFLOAT16)
        (before if is_input else after).append(cast)
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
    save(model, str(path))
    return path


def _model(graph: Any) -> Any:
    from onnx import helper

    # An old opset and IR version: every ONNX Runtime that may be installed reads them.
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="testing")
