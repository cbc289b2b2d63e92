"""The graph as ONNX Runtime optimises it: what is in it, and that no processor is in it."""

from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from modeldyno.api.artifacts.opening import artifact_of
from modeldyno.children import ChildLimits
from modeldyno.compression.optimised_graph import optimise_graph
from modeldyno.errors import ToolError, UsageError
from modeldyno.models.examine import examine
from modeldyno.records.artifact import Artifact

LIMITS = ChildLimits(timeout_ns=60 * 10**9, memory_bytes=8 * 2**30)


@pytest.fixture
def parent(tmp_path: Path) -> Artifact:
    """A convolution of 32 channels and a Relu, which are one operator after the optimisation."""
    kernels = np.random.default_rng(5).standard_normal((32, 3, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "kernels"], ["maps"]), helper.make_node("Relu", ["maps"], ["y"])],
        "pictures",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 32, 14, 14])],
        [numpy_helper.from_array(kernels, "kernels")],
    )
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return artifact_of(examine(path, trust=False))


def test_operators_are_one_and_the_answers_stay(parent: Artifact, tmp_path: Path) -> None:
    found = optimise_graph(parent, tmp_path / "o.onnx", limits=LIMITS)
    assert ["FusedConv"] == [node.op_type for node in onnx.load_model(found.path).graph.node]
    assert f"as it came; optimised by ONNX Runtime {onnxruntime.__version__}: 1 instead of 2 operators" == found.recipe
    assert ("onnx-optimised", "fp32", parent.digest) == (found.name, found.precision, found.parent_digest)
    rows = np.random.default_rng(0).random((3, 3, 16, 16), dtype=np.float32)
    before, after = (onnxruntime.InferenceSession(path).run(None, {"x": rows})[0] for path in (parent.path, found.path))
    np.testing.assert_allclose(before, after, rtol=1e-5, atol=1e-5)


def test_weights_stay_in_the_order_that_every_processor_reads(parent: Artifact, tmp_path: Path) -> None:
    """Beyond that level they are laid out in blocks, whose size is that of this processor's vectors."""
    found = optimise_graph(parent, tmp_path / "o.onnx", limits=LIMITS)
    model = onnx.load_model(found.path)
    assert [[32, 3, 3, 3]] == [list(one.dims) for one in model.graph.initializer]
    assert not any("nchwc" in node.domain for node in model.graph.node)


def test_what_cannot_be_read_and_other_formats_are_refused(parent: Artifact, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not ONNX"):
        optimise_graph(msgspec.structs.replace(parent, format="sklearn"), tmp_path / "o.onnx", limits=LIMITS)
    Path(parent.path).write_bytes(b"no graph")
    with pytest.raises(ToolError, match=r"optimising the graph of net\.onnx failed"):
        optimise_graph(parent, tmp_path / "o.onnx", limits=LIMITS)
    assert not (tmp_path / "o.onnx").exists()
