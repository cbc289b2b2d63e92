"""What both quantisers of ONNX Runtime begin with, in their child processes."""

from collections.abc import Sequence
from pathlib import Path

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
    if not any(node.op_type in kinds for node in onnx.load_model(str(prepared)).graph.node):
        raise nothing_to_quantise(source)
    return prepared


def nothing_to_quantise(source: Path) -> InputError:
    """The error for a graph without products."""
    return InputError(
        f"{source.name} has nothing to quantise",
        why="none of its operators is a Conv, MatMul or Gemm with constant weights",
        hint="trees and linear models of a single operator are as small as they get",
    )
