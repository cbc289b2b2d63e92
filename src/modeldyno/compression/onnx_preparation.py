"""What both quantisers of ONNX Runtime begin with, in their child processes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization.shape_inference import quant_pre_process

from modeldyno.errors import InputError


def prepared_onnx(source: Path, folder: Path, kinds: Sequence[str]) -> Path:
    """The graph with constants folded and norms made part of weights, so that weights are seen as weights.

    Args:
        source: the .onnx file.
        folder: where the prepared one is written.
        kinds: the operators that are to be quantised.

    Raises:
        InputError: there are none. The quantisers stop with errors of their own on such a graph.
    """
    prepared = folder / "prepared.onnx"
    # Symbolic shape inference needs sympy, and tells nothing that is used here.
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    model = onnx.load_model(str(prepared))
    if not any(node.op_type in kinds for node in model.graph.node):
        raise nothing_to_quantise(source)
    _forget_shapes_of_weights(model.graph)
    _flatten_biases(model.graph)
    onnx.save_model(model, str(prepared))
    return prepared


def _forget_shapes_of_weights(graph: Any) -> None:
    """torch.onnx states them twice, and the dynamic quantiser stops at what it has itself transposed in one place."""
    weights = {one.name for one in graph.initializer}
    stated = [value for value in graph.value_info if value.name not in weights]
    del graph.value_info[:]
    graph.value_info.extend(stated)


def _flatten_biases(graph: Any) -> None:
    """Of scikit-learn's networks they are rows of a matrix, and the static quantiser takes one scale for all of it."""
    taken = [name for node in graph.node for name in node.input]
    biases = {node.input[2] for node in graph.node if node.op_type == "Gemm" and len(node.input) > 2}
    for one in graph.initializer:
        if one.name in biases and taken.count(one.name) == 1 and len(one.dims) == 2 and one.dims[0] == 1:
            del one.dims[0]


def nothing_to_quantise(source: Path) -> InputError:
    """The error for a graph without products."""
    return InputError(
        f"{source.name} has nothing to quantise",
        why="none of its operators is a Conv, MatMul or Gemm with constant weights",
        hint="trees and linear models of a single operator are as small as they get",
    )
