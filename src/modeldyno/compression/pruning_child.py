"""The child process of `pruning`."""

import zlib
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from modeldyno.children import answer
from modeldyno.compression.onnx_products import weights_of
from modeldyno.compression.pruning import PruningResult, PruningTask
from modeldyno.records.files import write_atomically

_KINDS = ("Conv", "MatMul", "Gemm")
_FAST = 1
"""How hard zlib tries: enough to see zeros."""


def prune_graph(task: PruningTask) -> PruningResult:
    """Prune, check and write.

    Raises:
        InputError: there are no weights to prune.
    """
    model = onnx.load_model(task.source)
    counted = zeros = packed = packed_before = 0
    for weight in weights_of(model.graph, _KINDS).values():
        before = onnx.numpy_helper.to_array(weight)
        after = pruned(before, task.share)
        weight.CopyFrom(onnx.numpy_helper.from_array(after, weight.name))
        counted += after.size
        zeros += int(after.size - np.count_nonzero(after))
        packed += len(zlib.compress(after.tobytes(), _FAST))
        packed_before += len(zlib.compress(before.tobytes(), _FAST))
    onnx.checker.check_model(model)
    write_atomically(Path(task.destination), model.SerializeToString())
    return PruningResult(weights=counted, zeros=zeros, packed=packed / packed_before)


def pruned(weights: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """The same with so large a share of zeros: the smallest by their magnitude."""
    flat = weights.reshape(-1).copy()
    smallest = np.argsort(np.abs(flat), kind="stable")[: round(share * flat.size)]
    flat[smallest] = 0
    return flat.reshape(weights.shape)


if __name__ == "__main__":
    answer(prune_graph, PruningTask)
