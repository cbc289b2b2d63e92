"""Small image and table models that the tests of averaging make, and rows that they are good and bad at."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

WEIGHTS = np.concatenate([np.full((8, 4), 0.25), np.zeros((8, 4))], axis=1).astype(np.float32)
"""Of an image of 8 × 8: only its left half is looked at."""


def write_left_half(
    path: Path,
    *,
    shape: Sequence[int | str] = ("batch", 1, 8, 8),
    opset: int = 17,
    outputs: str = "label probabilities",
) -> Path:
    """A classifier of two classes by the brightness of the left half of images."""
    nodes = [
        helper.make_node("Reshape", ["image", "flat"], ["row"]),
        helper.make_node("MatMul", ["row", "weights"], ["sums"]),
        helper.make_node("Softmax", ["sums"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["sums"], ["label"], axis=1, keepdims=0),
    ]
    values = {
        "probabilities": helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2]),
        "label": helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
    }
    graph = helper.make_graph(
        nodes,
        "left_half",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, list(shape))],
        [values[name] for name in outputs.split()],
        [
            numpy_helper.from_array(np.array([-1, 64], np.int64), "flat"),
            numpy_helper.from_array(np.stack([-WEIGHTS.ravel(), WEIGHTS.ravel()], axis=1), "weights"),
        ],
    )
    return save(graph, path, opset)


def write_rounding(path: Path, *, datatype: int = TensorProto.FLOAT, label: int = TensorProto.INT64) -> Path:
    """A model of tables with three columns that answers the rounded first one as a label, and the sum as `value`."""
    nodes = [
        helper.make_node("Cast", ["x"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Slice", ["numbers", "zero", "one", "one"], ["first"]),
        helper.make_node("Round", ["first"], ["rounded"]),
        helper.make_node("Cast", ["rounded"], ["label"], to=label),
        helper.make_node("ReduceSum", ["numbers", "one"], ["value"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "rounding",
        [helper.make_tensor_value_info("x", datatype, ["batch", 3])],
        [
            helper.make_tensor_value_info("label", label, ["batch", 1]),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, ["batch"]),
        ],
        [numpy_helper.from_array(np.array([number], np.int64), name) for number, name in ((0, "zero"), (1, "one"))],
    )
    return save(graph, path, 17)


def save(graph: Any, path: Path, opset: int) -> Path:
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9), path)
    return path


def bright_images(rows: int, *, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Images [rows, 1, 8, 8] that are a little brighter where the label is 1, in both halves alike."""
    labels = np.tile([0, 1], rows // 2)
    noise = np.random.default_rng(seed).normal(size=(rows, 1, 8, 8))
    images = noise + np.where(labels, 0.24, -0.24)[:, np.newaxis, np.newaxis, np.newaxis]
    return images.astype(np.float32), labels
