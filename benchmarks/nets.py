"""The models that the servers are measured with: made on the spot, one input `x`, one output `y`, rows in front.

Their weights are random, but for those of the digits: how fast an answer comes does not depend on what it says.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.records.signature import Signature, TensorSpec

Array = NDArray[Any]
_OPSET, _IR_VERSION = 17, 9
_IMAGE = (3, 224, 224)
_TOKENS, _VOCABULARY, _HIDDEN, _HEADS, _LAYERS = 64, 8000, 384, 12, 6


class Net(NamedTuple):
    """A model on disk, and one row with the answer that ONNX Runtime gives to it in process."""

    name: str
    path: Path
    signature: Signature
    row: Array
    """Of float32 that JSON writes in a few digits, or of int64."""
    answer: Array


class _Graph:
    """Nodes and weights in the order they are added; names are made up."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output, whose name is returned."""
        from onnx import helper

        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def weight(self, array: Array) -> str:
        """A constant."""
        from onnx import numpy_helper

        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def normal(self, *shape: int, scale: float) -> str:
        """A constant of random float32."""
        return self.weight((self.random.standard_normal(shape) * scale).astype(np.float32))

    def dense(self, value: str, inputs: int, outputs: int) -> str:
        """Rows times a matrix, and a bias."""
        product = self.add("MatMul", value, self.normal(inputs, outputs, scale=inputs**-0.5))
        return self.add("Add", product, self.normal(outputs, scale=0.01))


def digits_net(directory: Path) -> Net:
    """A 64-128-10 perceptron, trained on scikit-learn's digits."""
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    rows, labels = load_digits(return_X_y=True)
    model = MLPClassifier((128,), max_iter=300, random_state=1).fit(rows / 16, labels)
    graph = _Graph(seed=0)
    value = "x"
    for layer, (matrix, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        if layer:
            value = graph.add("Relu", value)
        value = graph.add("Gemm", value, graph.weight(matrix.astype(np.float32)), graph.weight(bias.astype(np.float32)))
    value = graph.add("Softmax", value, axis=1)
    return _written("digits", directory, graph, value, (rows[:1] / 16).astype(np.float32))


def image_net(directory: Path) -> Net:
    """The mean of each channel of a 3×224×224 image: no model to speak of, so that what is left is its server."""
    graph = _Graph(seed=0)
    value = graph.add("Flatten", graph.add("GlobalAveragePool", "x"))
    return _written("image", directory, graph, value, _image_row())


def convolution_net(directory: Path) -> Net:
    """A residual network of 18 layers of half the usual width on a 3×224×224 image, its norms folded away."""
    graph = _Graph(seed=1)

    def convolved(value: str, inputs: int, outputs: int, size: int, stride: int) -> str:
        scale = (2 / (inputs * size * size)) ** 0.5
        weights = graph.normal(outputs, inputs, size, size, scale=scale)
        margin = size // 2
        return graph.add("Conv", value, weights, strides=[stride] * 2, pads=[margin] * 4)

    value = graph.add("Relu", convolved("x", 3, 32, 7, 2))
    value = graph.add("MaxPool", value, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    inputs = 32
    for outputs in (32, 32, 64, 64, 128, 128, 256, 256):
        stride = 1 if outputs == inputs else 2
        inner = graph.add("Relu", convolved(value, inputs, outputs, 3, stride))
        inner = convolved(inner, outputs, outputs, 3, 1)
        skipped = value if outputs == inputs else convolved(value, inputs, outputs, 1, stride)
        value, inputs = graph.add("Relu", graph.add("Add", inner, skipped)), outputs
    value = graph.dense(graph.add("Flatten", graph.add("GlobalAveragePool", value)), inputs, 100)
    return _written("convolution", directory, graph, value, _image_row())


def encoder_net(directory: Path) -> Net:
    """A text encoder in the shape of MiniLM (6 layers of 384, 12 heads) on 64 tokens, with their mean as the answer."""
    graph = _Graph(seed=2)
    value = graph.add("Gather", graph.normal(_VOCABULARY, _HIDDEN, scale=1.0), "x")
    value = graph.add("Add", value, graph.normal(_TOKENS, _HIDDEN, scale=0.1))
    for _ in range(_LAYERS):
        value = _normed(graph, graph.add("Add", value, _attended(graph, value)))
        inner = _gelu(graph, graph.dense(value, _HIDDEN, 4 * _HIDDEN))
        value = _normed(graph, graph.add("Add", value, graph.dense(inner, 4 * _HIDDEN, _HIDDEN)))
    value = graph.add("ReduceMean", value, axes=[1], keepdims=0)
    tokens = np.random.default_rng(3).integers(0, _VOCABULARY, (1, _TOKENS))
    return _written("encoder", directory, graph, value, tokens)


def _attended(graph: _Graph, value: str) -> str:
    width = _HIDDEN // _HEADS
    split = graph.weight(np.array([0, 0, _HEADS, width], np.int64))
    whole = graph.weight(np.array([0, 0, _HIDDEN], np.int64))

    def heads(order: list[int]) -> str:
        return graph.add("Transpose", graph.add("Reshape", graph.dense(value, _HIDDEN, _HIDDEN), split), perm=order)

    scores = graph.add("MatMul", heads([0, 2, 1, 3]), heads([0, 2, 3, 1]))
    scores = graph.add("Mul", scores, graph.weight(np.array(width**-0.5, np.float32)))
    mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), heads([0, 2, 1, 3]))
    joined = graph.add("Reshape", graph.add("Transpose", mixed, perm=[0, 2, 1, 3]), whole)
    return graph.dense(joined, _HIDDEN, _HIDDEN)


def _gelu(graph: _Graph, value: str) -> str:
    inner = graph.add("Erf", graph.add("Div", value, graph.weight(np.array(2**0.5, np.float32))))
    doubled = graph.add("Mul", value, graph.add("Add", inner, graph.weight(np.array(1, np.float32))))
    return graph.add("Mul", doubled, graph.weight(np.array(0.5, np.float32)))


def _normed(graph: _Graph, value: str) -> str:
    scale, shift = np.ones(_HIDDEN, np.float32), np.zeros(_HIDDEN, np.float32)
    return graph.add("LayerNormalization", value, graph.weight(scale), graph.weight(shift))


def _image_row() -> Array:
    return np.random.default_rng(4).random((1, *_IMAGE)).round(3).astype(np.float32)


def _written(name: str, directory: Path, graph: _Graph, output: str, row: Array) -> Net:
    from onnx import TensorProto, helper, save_model

    kind = TensorProto.INT64 if row.dtype == np.int64 else TensorProto.FLOAT
    graph.nodes.append(helper.make_node("Identity", [output], ["y"]))
    made = helper.make_graph(
        graph.nodes,
        name,
        [helper.make_tensor_value_info("x", kind, ["batch", *row.shape[1:]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        graph.weights,
    )
    path = directory / f"{name}.onnx"
    opset = helper.make_opsetid("", _OPSET)
    save_model(helper.make_model(made, opset_imports=[opset], ir_version=_IR_VERSION), str(path))
    answer = _computed(path, row)
    signature = Signature(
        inputs=(TensorSpec(name="x", datatype=_datatype(row), shape=("batch", *row.shape[1:])),),
        outputs=(TensorSpec(name="y", datatype=_datatype(answer), shape=("batch", *answer.shape[1:])),),
    )
    return Net(name, path, signature, row, answer)


def _datatype(array: Array) -> str:
    return "INT64" if array.dtype == np.int64 else "FP32"


def _computed(path: Path, row: Array) -> Array:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    answer: Array = session.run(["y"], {"x": row})[0]
    return answer


NETS: dict[str, Callable[[Path], Net]] = {
    "digits": digits_net,
    "image": image_net,
    "convolution": convolution_net,
    "encoder": encoder_net,
}
"""How each is made in a directory."""
