"""Pruning: which weights become zero, and that nothing else changes."""

from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tests.compression.networks import write_uneven_onnx

from modeldyno.api.artifacts.opening import artifact_of
from modeldyno.children import ChildLimits
from modeldyno.compression.pruning import prune
from modeldyno.compression.pruning_child import pruned
from modeldyno.errors import InputError, UsageError
from modeldyno.models.examine import examine

LIMITS = ChildLimits(timeout_ns=60 * 10**9, memory_bytes=8 * 2**30)
MATRICES = arrays.arrays(np.float32, (5, 8), elements=st.floats(-100, 100, width=32))


@given(weights=MATRICES, share=st.floats(0, 1))
def test_the_smallest_become_zero_and_the_others_stay(weights: NDArray[np.float32], share: float) -> None:
    found = pruned(weights, share)
    kept = found != 0
    assert np.array_equal(weights[kept], found[kept])
    assert round(share * weights.size) <= int((~kept).sum())
    dropped = np.abs(weights[~kept & (weights != 0)])
    assert not dropped.size or not kept.any() or dropped.max() <= np.abs(found[kept]).min()


@given(weights=MATRICES)
def test_nothing_is_changed_by_pruning_nothing(weights: NDArray[np.float32]) -> None:
    assert np.array_equal(weights, pruned(weights, 0.0))


def test_half_of_every_product_is_zero_and_it_is_said_how_well_that_packs(tmp_path: Path) -> None:
    parent = artifact_of(examine(write_uneven_onnx(tmp_path / "net.onnx", factor=1.0), trust=False))
    found = prune(parent, tmp_path / "pruned.onnx", share=0.5, limits=LIMITS)
    stored = [numpy_helper.to_array(one) for one in onnx.load_model(found.path).graph.initializer]
    assert [0.5] * 3 == [float((one == 0).mean()) for one in stored]
    assert "50% of 27,648 weights set to zero" in found.recipe
    packed = int(found.recipe.rsplit("take ", 1)[1].split("%", maxsplit=1)[0])
    assert 40 < packed < 80
    assert ("onnx-pruned-50", "fp32", parent.digest) == (found.name, found.precision, found.parent_digest)


def test_a_graph_without_products_and_other_formats_are_refused(tmp_path: Path) -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", values[:1], values[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "r.onnx")
    parent = artifact_of(examine(tmp_path / "r.onnx", trust=False))
    with pytest.raises(InputError, match="no weights that could be changed"):
        prune(parent, tmp_path / "p.onnx", share=0.5, limits=LIMITS)
    with pytest.raises(UsageError, match="is not ONNX"):
        prune(msgspec.structs.replace(parent, format="sklearn"), tmp_path / "p.onnx", share=0.5, limits=LIMITS)
    assert not (tmp_path / "p.onnx").exists()
