"""Weights in 8 or 4 bits: held against what ONNX Runtime makes of them."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tests.compression.networks import some_rows, write_convolution_onnx, write_uneven_onnx

from modeldyno.api.artifacts.opening import artifact_of
from modeldyno.children import ChildLimits
from modeldyno.compression.narrow_weights import Bits, narrow_weights
from modeldyno.compression.narrow_weights_child import GROUP, packed_weights
from modeldyno.errors import InputError
from modeldyno.models.examine import examine

LIMITS = ChildLimits(timeout_ns=60 * 10**9, memory_bytes=8 * 2**30)
WIDTHS = ((8, 1 / 254), (4, 1 / 14))
"""Bits, and the largest error of a weight as a share of the largest of its group: half a step."""


def answers(path: str | Path, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = onnxruntime.InferenceSession(str(path)).run(None, {"x": rows})[0]
    return found


def widened(packed: NDArray[np.uint8], scales: NDArray[np.float32], bits: Bits, rows: int) -> NDArray[np.float32]:
    """What the specification of the operator says of such numbers."""
    whole = packed if bits == 8 else np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:2], GROUP)
    values = (whole.astype(np.float32) - 2 ** (bits - 1)) * scales[:, :, np.newaxis]
    whole_groups: NDArray[np.float32] = values.reshape(len(packed), -1)
    return whole_groups[:, :rows].T


@pytest.mark.parametrize(("bits", "step"), WIDTHS)
@given(weights=arrays.arrays(np.float32, (40, 3), elements=st.floats(-1000, 1000, width=32)))
def test_no_weight_moves_by_more_than_half_a_step(weights: NDArray[np.float32], bits: Bits, step: float) -> None:
    again = widened(*packed_weights(weights, bits), bits, len(weights))
    largest = np.vstack([np.abs(weights[:GROUP]).max(axis=0)] * GROUP + [np.abs(weights[GROUP:]).max(axis=0)] * 8)
    assert (np.abs(again - weights) <= largest * step * 1.001 + 1e-30).all()


@pytest.mark.parametrize("bits", (8, 4))
def test_onnx_runtime_reads_them_as_they_are_meant(bits: Bits, tmp_path: Path) -> None:
    """With 40 rows, which are no whole number of groups, and weights that are exact in so few bits."""
    middle = 2 ** (bits - 1)
    weights = np.random.default_rng(0).integers(1 - middle, middle, (40, 5)).astype(np.float32)
    weights[0] = weights[GROUP] = middle - 1  # so that the scale of every group is 1
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 40])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 5])],
        [numpy_helper.from_array(weights, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "m.onnx")
    parent = artifact_of(examine(tmp_path / "m.onnx", trust=False))
    found = narrow_weights(parent, tmp_path / "n.onnx", bits=bits, limits=LIMITS)
    rows = np.random.default_rng(1).random((7, 40), dtype=np.float32)
    np.testing.assert_allclose(rows @ weights, answers(found.path, rows), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(("bits", "precision"), ((8, "int8"), (4, "int4")))
def test_a_network_gets_smaller_and_answers_nearly_the_same(bits: Bits, precision: str, tmp_path: Path) -> None:
    parent = artifact_of(examine(write_uneven_onnx(tmp_path / "net.onnx", factor=1.0), trust=False))
    found = narrow_weights(parent, tmp_path / "n.onnx", bits=bits, limits=LIMITS)
    assert (f"onnx-int{bits}-weights", precision) == (found.name, found.precision)
    assert f"MatMulNBits (3 nodes), 100% of the weights in {bits} bits" == found.recipe
    assert found.size_bytes < parent.size_bytes * (bits + 2) / 32
    expected, given_ = answers(parent.path, some_rows(20)), answers(found.path, some_rows(20))
    error = np.abs(expected - given_).max() / np.abs(expected).max()
    assert 0 < error < (0.02 if bits == 8 else 0.3)


def test_a_network_of_convolutions_is_refused(tmp_path: Path) -> None:
    parent = artifact_of(examine(write_convolution_onnx(tmp_path / "net.onnx"), trust=False))
    with pytest.raises(InputError, match="no weights that could be changed"):
        narrow_weights(parent, tmp_path / "n.onnx", bits=8, limits=LIMITS)
    assert not (tmp_path / "n.onnx").exists()
