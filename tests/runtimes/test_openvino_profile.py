"""OpenVINO's own profiler: what ran, how long, and in which shapes."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modeldyno.errors import InputError, ToolError
from modeldyno.models.onnx.operator_costs import operator_cost
from modeldyno.records.anatomy import Trace
from modeldyno.records.deployment import SessionSettings
from modeldyno.runtimes.openvino_profile import OpenVinoProfile
from modeldyno.testing.models import write_dense_onnx

pytestmark = pytest.mark.slow


def profiled(path: Path, inputs: dict[str, np.ndarray], calls: int = 5) -> Trace:
    with OpenVinoProfile(path, SessionSettings(threads=1)) as profile:
        for _ in range(calls):
            profile.run(inputs)
        return profile.end(skip=2)


def test_products_are_counted_as_onnx_runtimes_are(tmp_path: Path) -> None:
    path = write_dense_onnx(tmp_path / "dense.onnx", width=32, layers=2)
    found = profiled(path, {"x": np.ones((3, 32), np.float32)})
    products = [operator_cost(one) for one in found.operations if one.kind == "MatMul"]
    assert [2 * 3 * 32 * 32] * 2 == [one.operations for one in products if one is not None]
    assert (3, len(found.operations)) == (len(found.times_ns), len(found.times_ns[0]))


@pytest.mark.parametrize("groups", (1, 4))
def test_convolutions_are_counted_with_and_without_groups(groups: int, tmp_path: Path) -> None:
    weights = np.ones((8, 8 // groups, 3, 3), np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], group=groups)],
        "convolution",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 8, 14, 14])],
        [numpy_helper.from_array(weights, "w")],
    )
    path = tmp_path / "convolution.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    found = profiled(path, {"x": np.ones((2, 8, 16, 16), np.float32)})
    costs = [operator_cost(one) for one in found.operations if "Conv" in one.kind]
    assert [2 * 2 * 8 * 14 * 14 * (8 // groups) * 9] == [one.operations for one in costs if one is not None]


def test_a_file_that_cannot_be_read_and_an_input_that_is_not_there_are_errors(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"nothing")
    with pytest.raises(InputError, match="broken"), OpenVinoProfile(broken, SessionSettings()):
        pass
    dense = write_dense_onnx(tmp_path / "dense.onnx", width=8)
    with OpenVinoProfile(dense, SessionSettings()) as profile, pytest.raises(ToolError, match="batch"):
        profile.run({"other": np.ones((1, 8), np.float32)})


def test_without_calls_there_is_no_profile(tmp_path: Path) -> None:
    dense = write_dense_onnx(tmp_path / "dense.onnx", width=8)
    with OpenVinoProfile(dense, SessionSettings()) as profile, pytest.raises(ToolError, match="0 calls"):
        profile.end(skip=0)
