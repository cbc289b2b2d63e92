"""Graphs with one attention, in the forms in which exporters write it."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, checker, helper, numpy_helper, save

WIDTH, HEADS = 32, 4
EACH = WIDTH // HEADS
_LEAST = float(np.finfo(np.float32).min)


class Drawing:
    """A graph that is drawn operator by operator."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._generator = np.random.default_rng(seed)

    def keep(self, values: Any) -> str:
        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def dense(self, value: str) -> str:
        weight = self._generator.standard_normal((WIDTH, WIDTH)) / WIDTH**0.25
        return self.add("MatMul", value, self.keep(weight.astype(np.float32)))


def write_attention(
    path: Path, *, form: str = "simple", masked: str = "finite", heads_of: str = "count", opset: int = 18
) -> Path:
    """Of FP32 x [batch, tokens, 32] and, where it is masked, INT64 mask [batch, tokens]; y has the shape of x.

    Args:
        path: the file to write.
        form: `simple`, `graph` (torch.onnx by graph: both factors before the product, K swapped flat) or `trace`
            (the factor divides the scores, K swapped for itself).
        masked: `none`, `finite`, or `infinite` with a guard behind.
        heads_of: whether the Reshape states the `count` of the heads or the width of `each`.
        opset: of the graph.
    """
    graph = Drawing(seed=7)
    split = graph.keep(np.array([0, -1, HEADS, EACH] if heads_of == "count" else [0, 0, -1, EACH], np.int64))

    def heads(order: list[int]) -> str:
        return graph.add("Transpose", graph.add("Reshape", graph.dense("x"), split), perm=order)

    scores = _scores(graph, heads, form)
    if masked != "none":
        scores = graph.add("Add", scores, _mask(graph, _LEAST if masked == "finite" else -np.inf))
    shares = graph.add("Softmax", scores, axis=-1)
    if masked == "infinite":
        shares = graph.add("Where", graph.add("IsNaN", shares), graph.keep(np.float32(0)), shares)
    mixed = graph.add("Transpose", graph.add("MatMul", shares, heads([0, 2, 1, 3])), perm=[0, 2, 1, 3])
    joined = graph.add("Reshape", mixed, graph.keep(np.array([0, 0, WIDTH], np.int64)))
    graph.nodes.append(helper.make_node("MatMul", [joined, graph.keep(np.eye(WIDTH, dtype=np.float32))], ["y"]))
    return _written(graph, path, is_masked=masked != "none", opset=opset)


def _scores(graph: Drawing, heads: Any, form: str) -> str:
    scale = graph.keep(np.float32(EACH**-0.5))
    if form == "simple":
        return graph.add("Mul", graph.add("MatMul", heads([0, 2, 1, 3]), heads([0, 2, 3, 1])), scale)
    if form == "trace":
        keys = graph.add("Transpose", heads([0, 2, 1, 3]), perm=[0, 1, 3, 2])
        return graph.add("Div", graph.add("MatMul", heads([0, 2, 1, 3]), keys), graph.keep(np.float32(EACH**0.5)))
    root = graph.keep(np.float32(EACH**-0.25))
    keys = heads([0, 2, 1, 3])
    shape = graph.add("Shape", keys)
    first, tokens, each = (
        graph.add("Gather", shape, graph.keep(np.array(place, np.int64))) for place in ([0, 1], [2], [3])
    )
    flat = graph.add("Reshape", keys, graph.add("Concat", graph.keep(np.array([-1])), tokens, each, axis=0))
    turned = graph.add("Transpose", flat, perm=[0, 2, 1])
    keys = graph.add("Reshape", turned, graph.add("Concat", first, each, tokens, axis=0))
    queries = graph.add("Mul", heads([0, 2, 1, 3]), root)
    return graph.add("MatMul", queries, graph.add("Mul", keys, root))


def _mask(graph: Drawing, least: float) -> str:
    places = graph.keep(np.array([1, 2], np.int64))
    seen = graph.add("Unsqueeze", graph.add("Cast", "mask", to=TensorProto.BOOL), places)
    return graph.add("Where", seen, graph.keep(np.float32(0)), graph.keep(np.float32(least)))


def _written(graph: Drawing, path: Path, *, is_masked: bool, opset: int) -> Path:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "tokens", WIDTH])]
    if is_masked:
        inputs.append(helper.make_tensor_value_info("mask", TensorProto.INT64, ["batch", "tokens"]))
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "tokens", WIDTH])]
    made = helper.make_graph(graph.nodes, "attention", inputs, outputs, graph.weights)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    checker.check_model(model, full_check=True)
    save(model, str(path))
    return path


def some_tokens(rows: int, tokens: int, *, is_masked: bool) -> dict[str, NDArray[Any]]:
    """Rows of unlike lengths."""
    generator = np.random.default_rng(1)
    given: dict[str, NDArray[Any]] = {"x": generator.standard_normal((rows, tokens, WIDTH)).astype(np.float32)}
    if is_masked:
        lengths = generator.integers(1, tokens + 1, rows)
        given["mask"] = (np.arange(tokens) < lengths[:, np.newaxis]).astype(np.int64)
    return given
