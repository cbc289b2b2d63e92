"""The child process of `narrow_weights`.

ONNX Runtime's own tool for this needs a further library (onnx_ir); the layout is that of its operator's specification:
docs/ContribOperators.md of microsoft/onnxruntime, "com.microsoft.MatMulNBits".
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from modeldyno.children import answer
from modeldyno.compression.narrow_weights import Bits, NarrowingResult, NarrowingTask
from modeldyno.compression.onnx_products import weights_of
from modeldyno.records.files import write_atomically

GROUP = 32
_DOMAIN = "com.microsoft"


def narrow(task: NarrowingTask) -> NarrowingResult:
    """Replace the nodes, check and write.

    Raises:
        InputError: there is no MatMul with constant weights.
    """
    model = onnx.load_model(task.source)
    graph = model.graph
    weights = {name: one for name, one in weights_of(graph, ("MatMul",)).items() if len(one.dims) == 2}
    floats = [one for one in graph.initializer if one.data_type == onnx.TensorProto.FLOAT]
    total = sum(math.prod(one.dims) for one in floats)
    share = sum(math.prod(one.dims) for one in weights.values()) / max(total, 1)
    nodes = 0
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            _replace(node, weights[node.input[1]], task.bits)
            nodes += 1
    for weight in weights.values():
        packed, scales = packed_weights(onnx.numpy_helper.to_array(weight), task.bits)
        graph.initializer.append(onnx.numpy_helper.from_array(packed, f"{weight.name}_packed"))
        graph.initializer.append(onnx.numpy_helper.from_array(scales, f"{weight.name}_scales"))
        if not any(weight.name in node.input for node in graph.node):
            graph.initializer.remove(weight)
    if all(one.domain != _DOMAIN for one in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(_DOMAIN, 1))
    onnx.checker.check_model(model)
    write_atomically(Path(task.destination), model.SerializeToString())
    return NarrowingResult(nodes=nodes, share=share)


def _replace(node: Any, weight: Any, bits: Bits) -> None:
    """Make a MatMul a MatMulNBits, in its place."""
    rows, columns = weight.dims
    values = {"K": rows, "N": columns, "bits": bits, "block_size": GROUP}
    new = onnx.helper.make_node(
        "MatMulNBits",
        [node.input[0], f"{weight.name}_packed", f"{weight.name}_scales"],
        list(node.output),
        name=node.name,
        domain=_DOMAIN,
        **values,
    )
    node.CopyFrom(new)


def packed_weights(weights: NDArray[np.float32], bits: Bits) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A matrix [K, N] as unsigned integers around the middle of their range, and their scales.

    Returns:
        [N, groups, bytes of a group], the first weight of two in the lower half of a byte; and [N, groups].
    """
    middle = 2 ** (bits - 1)
    rows, columns = weights.shape
    groups = math.ceil(rows / GROUP)
    padded = np.zeros((columns, groups * GROUP), np.float32)
    padded[:, :rows] = weights.T
    blocks = padded.reshape(columns, groups, GROUP)
    scales = (np.abs(blocks).max(axis=2) / (middle - 1)).astype(np.float32)
    steps = np.where(scales == 0, np.float32(1), scales)[:, :, np.newaxis]
    whole = (np.clip(np.round(blocks / steps), -middle, middle - 1) + middle).astype(np.uint8)
    if bits == 8:
        return whole, scales
    return (whole[:, :, ::2] | (whole[:, :, 1::2] << 4)).astype(np.uint8), scales


if __name__ == "__main__":
    answer(narrow, NarrowingTask)
