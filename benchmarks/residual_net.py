"""A ResNet-18-like network on 3×224×224 images, its norms folded into the convolutions, and images for it.

Nobody trained it, but its norms are those of the images that it is made with, as training would leave them, and its
last layer is fitted to their classes: the direction of the waves in them. So its answers have margins, and another
class is a real mistake.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
SIZE, CLASSES = 224, 10
_STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))
_NORM_IMAGES = 12
"""That the norms are taken from: a channel has thousands of values in each."""
_RIDGE = 1e-2


class _Graph:
    """Nodes and weights in the order they are added, and what each gives for some images."""

    def __init__(self, images: Array, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.weights: dict[str, Array] = {}
        self.values: dict[str, Array] = {"x": images}

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output, whose name is returned."""
        from onnx import helper

        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=f"{kind}_{len(self.nodes)}", **attributes))
        own = {one: self.values[one] for one in inputs if one in self.values}
        weights = {one: self.weights[one] for one in inputs if one in self.weights}
        self.values[name] = computed(_model([self.nodes[-1]], own, name, weights), own)
        return name

    def weight(self, array: NDArray[Any]) -> str:
        """A constant."""
        name = f"w{len(self.weights)}"
        self.weights[name] = array.astype(np.float32)
        return name

    def convolved(self, value: str, outputs: int, size: int, stride: int = 1) -> str:
        """A convolution whose channels have mean 0 and deviation 1 over the images."""
        inputs = self.values[value].shape[1]
        kernels = self.weight(self.random.standard_normal((outputs, inputs, size, size)))
        options = {"strides": [stride] * 2, "pads": [size // 2] * 4}
        rough = self.values[self.add("Conv", value, kernels, **options)]
        self.nodes.pop()
        mean, deviation = rough.mean(axis=(0, 2, 3)), rough.std(axis=(0, 2, 3)) + 1e-6
        self.weights[kernels] /= deviation[:, None, None, None]
        return self.add("Conv", value, kernels, self.weight(-mean / deviation), **options)


def write_residual_net(path: Path, images: Array, labels: NDArray[np.int64], *, seed: int = 1) -> Path:
    """Write the network, FP32 [batch, 3, 224, 224] to scores [batch, 10]."""
    graph = _Graph(images[:_NORM_IMAGES], seed)
    value = graph.add("Relu", graph.convolved("x", 64, 7, 2))
    value = graph.add("MaxPool", value, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    inputs = 64
    for outputs, first_stride in _STAGES:
        for stride in (first_stride, 1):
            inner = graph.add("Relu", graph.convolved(value, outputs, 3, stride))
            inner = graph.convolved(inner, outputs, 3)
            skipped = value if inputs == outputs else graph.convolved(value, outputs, 1, stride)
            value, inputs = graph.add("Relu", graph.add("Add", inner, skipped)), outputs
    value = graph.add("Flatten", graph.add("GlobalAveragePool", value))
    features = _model(graph.nodes, {"x": images}, value, graph.weights)
    found = np.concatenate([computed(features, {"x": image[None]}) for image in images])
    matrix, bias = _fitted(found, labels)
    graph.add("Gemm", value, graph.weight(matrix), graph.weight(bias))
    graph.nodes[-1].output[0] = "y"
    path.write_bytes(_model(graph.nodes, {"x": images}, "y", graph.weights))
    return path


def patterns(count: int, *, seed: int) -> tuple[Array, NDArray[np.int64]]:
    """Images [count, 3, 224, 224] from 0 to 1, waves in one of ten directions, and the direction of each."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE
    labels = generator.integers(0, CLASSES, count)
    images = np.zeros((count, 3, SIZE, SIZE), np.float32)
    for number, label in enumerate(labels):
        angle = np.pi * (label + generator.uniform(-0.3, 0.3)) / CLASSES
        along = x * np.cos(angle) + y * np.sin(angle)
        for channel in range(3):
            length, phase = generator.uniform(30, 80), generator.uniform(0, 2 * np.pi)
            images[number, channel] = 0.5 + generator.uniform(0.1, 0.4) * np.sin(length * along + phase)
    images += generator.normal(0, 0.05, images.shape).astype(np.float32)
    return images, labels


def computed(model: bytes, inputs: dict[str, Array]) -> Array:
    """The only output of a model."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    found: Array = session.run(None, inputs)[0]
    return found


def _fitted(features: Array, labels: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Ridge regression of the classes: a matrix and a bias."""
    mean = features.mean(axis=0)
    centred = (features - mean).astype(np.float64)
    wanted = np.eye(CLASSES)[labels] - 1 / CLASSES
    strength = _RIDGE * float((centred**2).sum(axis=1).mean())
    matrix = centred.T @ np.linalg.solve(centred @ centred.T + strength * np.eye(len(centred)), wanted)
    return matrix, -mean @ matrix


def _model(nodes: list[Any], inputs: dict[str, Array], output: str, weights: dict[str, Array]) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    made = helper.make_graph(
        nodes,
        "residual",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *array.shape[1:]])
            for name, array in inputs.items()
        ],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", CLASSES] if output == "y" else None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opset = helper.make_opsetid("", 17)
    content: bytes = helper.make_model(made, opset_imports=[opset], ir_version=9).SerializeToString()
    return content
