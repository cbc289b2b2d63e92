"""A TensorFlow SavedModel written by hand: TensorFlow itself is not needed, and not installed.

The messages are those of tensorflow/core/protobuf (saved_model.proto, meta_graph.proto) and tensorflow/core/framework
(graph.proto, node_def.proto, attr_value.proto, tensor.proto, tensor_shape.proto). The weights are constants of the
graph, as in a SavedModel that was frozen.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FLOAT = 1
"""tensorflow.DataType.DT_FLOAT."""
_ATTRIBUTES = {"b": 5, "type": 6, "shape": 7, "tensor": 8}
"""Fields of tensorflow.AttrValue."""


def write_saved_model(folder: Path, weights: NDArray[np.float32], *, operator: str = "Softmax") -> Path:
    """`scores = softmax(x weights)`, with an asset beside it that is part of the model.

    Args:
        folder: to write to.
        weights: [features, classes].
        operator: what is done last.
    """
    features, classes = weights.shape
    nodes = (
        _node("serving_default_x", "Placeholder", dtype={"type": _FLOAT}, shape={"shape": _shape(-1, features)}),
        _node("weights", "Const", dtype={"type": _FLOAT}, value={"tensor": _tensor(weights)}),
        _node(
            "product", "MatMul", "serving_default_x", "weights",
            T={"type": _FLOAT}, transpose_a={"b": 0}, transpose_b={"b": 0},
        ),
        _node("StatefulPartitionedCall", operator, "product", T={"type": _FLOAT}),
    )  # fmt: skip
    graph = _message(*((1, node) for node in nodes), (4, _message((1, 1395))))
    signature = _message(
        (1, _entry("x", _info("serving_default_x:0", -1, features))),
        (2, _entry("scores", _info("StatefulPartitionedCall:0", -1, classes))),
        (3, "tensorflow/serving/predict"),
    )
    meta = _message((1, _message((4, "serve"), (5, "2.17.0"))), (2, graph), (5, _entry("serving_default", signature)))
    (folder / "assets").mkdir(parents=True)
    (folder / "assets" / "labels.txt").write_text("a\nb\nc\n")
    (folder / "saved_model.pb").write_bytes(_message((1, 1), (2, meta)))
    return folder


def _node(name: str, operator: str, *inputs: str, **attributes: dict[str, Any]) -> bytes:
    listed = [
        (5, _entry(key, _message((_ATTRIBUTES[kind], value))))
        for key, one in attributes.items()
        for kind, value in one.items()
    ]
    return _message((1, name), (2, operator), *((3, one) for one in inputs), *listed)


def _tensor(array: NDArray[np.float32]) -> bytes:
    return _message((1, _FLOAT), (2, _shape(*array.shape)), (4, array.astype("<f4").tobytes()))


def _info(name: str, *sizes: int) -> bytes:
    return _message((1, name), (2, _FLOAT), (3, _shape(*sizes)))


def _shape(*sizes: int) -> bytes:
    return _message(*((2, _message((1, size))) for size in sizes))


def _entry(key: str, value: bytes) -> bytes:
    """Of a map."""
    return _message((1, key), (2, value))


def _message(*fields: tuple[int, int | str | bytes]) -> bytes:
    return b"".join(_field(number, value) for number, value in fields)


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value % 2**64)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    groups: Sequence[int] = [number >> 7 * place & 127 for place in range(max(1, -(-number.bit_length() // 7)))]
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])
