"""Small networks that int8 suits, and one that it does not."""

from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WIDTH = 96


def write_uneven_onnx(path: Path, *, factor: float, layers: int = 3) -> Path:
    """Square layers of FP32 [batch, 96] with Relu; in the middle one hidden value is `factor` times the others.

    The next layer divides by the same, so that the answers are those of an even network. One scale for all values of
    that layer leaves none of the others: it must be seen which layer it is.
    """
    from onnx import TensorProto, helper, numpy_helper, save

    generator = np.random.default_rng(3)
    nodes, weights, source = [], [], "x"
    for layer in range(layers):
        weight = (generator.standard_normal((WIDTH, WIDTH)) / np.sqrt(WIDTH)).astype(np.float32)
        if layer == 1:
            weight[:, 0] = np.abs(weight[:, 0]) * factor
        if layer == 2:
            weight[0] /= factor
        weights.append(numpy_helper.from_array(weight, f"weight_{layer}"))
        target = "y" if layer == layers - 1 else f"hidden_{layer}"
        product = target if layer == layers - 1 else f"product_{layer}"
        nodes.append(helper.make_node("MatMul", [source, f"weight_{layer}"], [product], name=f"layer_{layer}"))
        if product != target:
            nodes.append(helper.make_node("Relu", [product], [target], name=f"relu_{layer}"))
        source = target
    graph = helper.make_graph(
        nodes,
        "uneven",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", WIDTH])],
        weights,
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def some_rows(count: int) -> NDArray[np.float32]:
    """Rows for it."""
    return np.random.default_rng(4).random((count, WIDTH), dtype=np.float32)


def write_convolution_onnx(path: Path) -> Path:
    """A convolution of FP32 [batch, 3, 16, 16], and the mean of each of its 32 channels."""
    from onnx import TensorProto, helper, numpy_helper, save

    kernels = np.random.default_rng(5).standard_normal((32, 3, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "kernels"], ["maps"], name="convolution"),
            helper.make_node("GlobalAveragePool", ["maps"], ["y"], name="means"),
        ],
        "pictures",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 32, 1, 1])],
        [numpy_helper.from_array(kernels, "kernels")],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def write_turned_openvino(path: Path) -> Path:
    """A convolution of FP32 [batch, 16, 16, 3] whose kernels are turned at every call, as Keras 3 exports it."""
    from modeldyno.openvino_library import load_openvino

    openvino = load_openvino()
    operators = import_module("openvino.opset13")
    rows = operators.parameter(openvino.PartialShape([-1, 16, 16, 3]), np.float32, name="x")
    rows.output(0).set_names({"x"})
    kernels = operators.constant(np.random.default_rng(5).standard_normal((3, 3, 3, 32)).astype(np.float32))
    maps = operators.convolution(
        operators.transpose(rows, [0, 3, 1, 2]), operators.transpose(kernels, [3, 2, 0, 1]), [1, 1], [0, 0], [0, 0],
        [1, 1],
    )  # fmt: skip
    means = operators.reduce_mean(maps, np.array([2, 3]), keep_dims=False)
    means.output(0).set_names({"y"})
    openvino.save_model(openvino.Model([means], [rows], "turned"), str(path), compress_to_fp16=False)
    return path
