from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from modeldyno.compression.dynamic_int8 import QuantisationTask
from modeldyno.compression.dynamic_int8_child import quantise
from modeldyno.errors import InputError, ToolError
from modeldyno.models.onnx.graph_costs import graph_cost
from modeldyno.models.onnx.operator_costs import operator_cost
from modeldyno.records.anatomy import Tensor, Trace
from modeldyno.records.deployment import SessionSettings
from modeldyno.runtimes.onnx_profile import OnnxProfile, read_profile
from modeldyno.testing.models import write_dense_onnx

CALLS, SKIPPED = 5, 2


def profiled(path: Path, inputs: Mapping[str, np.ndarray]) -> Trace:
    with OnnxProfile(path, SessionSettings(threads=1)) as profile:
        for _ in range(CALLS):
            profile.run(inputs)
        return profile.end(skip=SKIPPED)


def test_every_operator_of_every_call_has_a_time_and_its_shapes(tmp_path: Path) -> None:
    found = profiled(write_dense_onnx(tmp_path / "dense.onnx", width=32, layers=2), {"x": np.ones((3, 32), np.float32)})
    assert ["MatMul", "Relu", "MatMul", "Relu"] == [one.kind for one in found.operations]
    assert CALLS - SKIPPED == len(found.times_ns)
    assert all(len(row) == 4 and min(row) >= 0 for row in found.times_ns)
    assert (Tensor(datatype="float32", shape=(3, 32)),) == found.operations[1].outputs


def test_a_weight_that_the_kernel_packed_away_is_found_in_the_graph(tmp_path: Path) -> None:
    found = profiled(write_dense_onnx(tmp_path / "dense.onnx", width=32, layers=1), {"x": np.ones((3, 32), np.float32)})
    assert Tensor(datatype="float32", shape=(32, 32)) == found.operations[0].inputs[1]


def test_what_is_executed_costs_what_the_graph_says(tmp_path: Path) -> None:
    path = write_dense_onnx(tmp_path / "dense.onnx", width=32, layers=3)
    executed = [operator_cost(one) for one in profiled(path, {"x": np.ones((5, 32), np.float32)}).operations]
    assert graph_cost(onnx.load(path), {"x": (5, 32)}).operations == sum(one.operations for one in executed if one)
    assert None not in executed


def test_operators_without_names_and_operators_of_the_runtime_are_counted(tmp_path: Path) -> None:
    dense = write_dense_onnx(tmp_path / "dense.onnx", width=32, layers=2)
    path = tmp_path / "int8.onnx"
    quantise(QuantisationTask(source=str(dense), destination=str(path), reduce_range=False))
    model = onnx.load(path)
    for node in model.graph.node:
        node.name = ""
    onnx.save(model, path)
    found = profiled(path, {"x": np.ones((3, 32), np.float32)})
    products = [operator_cost(one) for one in found.operations if "MatMul" in one.kind]
    assert [2 * 3 * 32 * 32] * 2 == [one.operations for one in products if one is not None]


def test_the_allocator_tells_what_it_holds(tmp_path: Path) -> None:
    found = profiled(write_dense_onnx(tmp_path / "dense.onnx", width=256), {"x": np.ones((3, 256), np.float32)})
    assert found.arena_bytes is not None
    assert found.peak_in_use_bytes is not None
    assert found.arena_bytes >= found.peak_in_use_bytes > 4 * 256 * 256 * 4


def test_the_profilers_files_are_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    profiled(write_dense_onnx(tmp_path / "dense.onnx", width=8), {"x": np.ones((1, 8), np.float32)})
    assert [] == list(scratch.iterdir())


def test_a_file_that_cannot_be_loaded_and_a_batch_that_does_not_fit_are_errors(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"nothing")
    with pytest.raises(InputError, match="profiler"), OnnxProfile(broken, SessionSettings()):
        pass
    dense = write_dense_onnx(tmp_path / "dense.onnx", width=8)
    with OnnxProfile(dense, SessionSettings()) as profile, pytest.raises(ToolError, match="batch"):
        profile.run({"x": np.ones((1, 9), np.float32)})


def test_a_graph_that_branches_has_no_mean(tmp_path: Path) -> None:
    runs = [events(("A", 3), ("B", 4)), events(("A", 3))]
    with pytest.raises(ToolError, match="same operators"):
        read_profile([*runs[0], *runs[1]], [], {}, calls=2, skip=0)


def test_a_profile_that_lost_calls_is_an_error() -> None:
    with pytest.raises(ToolError, match="1 of 2 calls"):
        read_profile(events(("A", 3)), [], {}, calls=2, skip=0)


def test_nodes_that_do_not_line_up_are_found_by_name_or_said_to_be_unknown() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"], name="first"), helper.make_node("Relu", ["y"], ["z"], name="r")]
    found = read_profile(events(("r", 3), ("other", 4)), nodes, {}, calls=1, skip=0)
    assert [True, False] == [one.is_known for one in found.operations]


def test_an_input_that_is_left_out_and_a_weight_that_is_shown_keep_their_places() -> None:
    node = helper.make_node("Fused", ["x", "w", "", "b", "z"], ["y"], name="f")
    weights = {"w": Tensor(datatype="float32", shape=(2, 2)), "b": Tensor(datatype="float32", shape=(4,))}
    shown = [{"float": [4, 2]}, {"float": [4]}, {"float": [4, 2]}]
    found = read_profile(events(("f", 3), shapes=shown, kind="Fused"), [node], weights, calls=1, skip=0)
    placed = [None if one is None else one.shape for one in found.operations[0].inputs]
    assert [(4, 2), (2, 2), None, (4,), (4, 2)] == placed


def events(
    *named: tuple[str, int], shapes: Sequence[Mapping[str, list[int]]] = ({"float": [2, 2]},), kind: str = "Relu"
) -> list[dict[str, Any]]:
    """One call as the profiler writes it."""
    inside = [
        {
            "cat": "Node",
            "name": f"{name}_kernel_time",
            "dur": took,
            "args": {"op_name": kind, "input_type_shape": shapes, "output_type_shape": [{"float": [2, 2]}]},
        }
        for name, took in named
    ]
    return [*inside, {"cat": "Session", "name": "model_run", "dur": 9, "args": {}}]


def test_the_element_types_of_the_profiler_are_numpys(tmp_path: Path) -> None:
    from modeldyno.testing.models import write_echo_onnx

    found = profiled(write_echo_onnx(tmp_path / "echo.onnx", TensorProto.DOUBLE), {"x": np.ones((1, 2))})
    assert (Tensor(datatype="float64", shape=(1, 2)),) == found.operations[0].outputs
