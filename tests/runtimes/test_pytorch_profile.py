"""PyTorch's own profiler: what ran, how long, and in which shapes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modeldyno.errors import ToolError
from modeldyno.models.onnx.operator_costs import operator_cost
from modeldyno.protocols import Tensors
from modeldyno.records.anatomy import Trace
from modeldyno.records.signature import Signature
from modeldyno.runtimes.pytorch_profile import PyTorchProfile

torch: Any = pytest.importorskip("torch")
pytestmark = pytest.mark.slow


class Calling:
    """A session that calls a module with one tensor."""

    signature = Signature(inputs=(), outputs=())

    def __init__(self, program: Callable[[Any], Any]) -> None:
        self.program = program
        self.is_open = True

    def run(self, inputs: Tensors) -> dict[str, Any]:
        with torch.inference_mode():
            return {"y": self.program(torch.from_numpy(inputs["x"])).numpy()}

    def close(self) -> None:
        self.is_open = False


def profiled(program: Callable[[Any], Any], rows: np.ndarray, calls: int = 5) -> Trace:
    session = Calling(program)
    with PyTorchProfile(lambda: session) as profile:
        for _ in range(calls):
            profile.run({"x": rows})
        assert profile.operators is not None
        trace = profile.end(skip=2)
    assert not session.is_open
    assert (calls - 2, len(trace.operations)) == (len(trace.times_ns), len(trace.times_ns[0]))
    assert min(took for call in trace.times_ns for took in call) >= 0
    return trace


def operations(trace: Trace, kind: str) -> list[int | None]:
    costs = [operator_cost(one) for one in trace.operations if one.kind == kind]
    return [None if one is None else one.operations for one in costs]


def test_products_are_counted_as_onnx_runtimes_are() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(32, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4, bias=False)).eval()
    trace = profiled(net, np.ones((3, 32), np.float32))
    assert [2 * 3 * 32 * 16 + 3 * 16, 2 * 3 * 16 * 4] == operations(trace, "Gemm")
    assert [3 * 16] == operations(trace, "Relu")


@pytest.mark.parametrize(("groups", "stride", "padding", "side"), ((1, 1, 0, 14), (4, 2, 1, 8)))
def test_convolutions_are_counted_with_groups_and_strides(groups: int, stride: int, padding: int, side: int) -> None:
    net = torch.nn.Conv2d(8, 8, 3, stride=stride, padding=padding, groups=groups).eval()
    trace = profiled(net, np.ones((2, 8, 16, 16), np.float32))
    assert [2 * 2 * 8 * side * side * (8 // groups) * 9] == operations(trace, "Conv")


def test_an_operator_that_hides_products_is_taken_apart() -> None:
    net = torch.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True).eval()
    trace = profiled(net, np.ones((2, 7, 32), np.float32))
    counted = sum(one or 0 for kind in ("Gemm", "MatMul") for one in operations(trace, kind))
    projections = 2 * 2 * 7 * 32 * (3 * 32 + 32 + 64 + 64)
    assert counted >= projections


def test_half_precision_is_told_by_its_elements() -> None:
    net = torch.nn.Linear(32, 16).to(torch.bfloat16).eval()
    trace = profiled(lambda rows: net(rows.to(torch.bfloat16)).float(), np.ones((3, 32), np.float32))
    (product,) = (one for one in trace.operations if one.kind == "Gemm")
    assert {"bfloat16"} == {one.datatype for one in product.inputs if one is not None}
    assert ["Cast", "Gemm", "Cast"] == [one.kind for one in trace.operations if one.kind != "Reshape"]


def test_what_is_not_known_by_its_shapes_is_timed_and_not_counted() -> None:
    trace = profiled(lambda rows: torch.cumsum(rows, 1), np.ones((3, 32), np.float32))
    (sums,) = (one for one in trace.operations if one.kind == "cumsum")
    assert operator_cost(sums) is None


def test_a_program_that_branches_has_no_mean() -> None:
    turn = iter(range(100))
    session = Calling(lambda rows: torch.relu(rows) if next(turn) % 2 else torch.tanh(rows))
    with PyTorchProfile(lambda: session) as profile:
        for _ in range(6):
            profile.run({"x": np.ones((1, 4), np.float32)})
        with pytest.raises(ToolError, match="do not run the same operators"):
            profile.end(skip=2)


def test_without_calls_there_is_no_profile() -> None:
    with PyTorchProfile(lambda: Calling(torch.relu)) as profile, pytest.raises(ToolError, match="0 calls"):
        profile.end(skip=0)


def test_an_error_of_the_session_is_the_same_with_the_profiler_on() -> None:
    with PyTorchProfile(lambda: Calling(torch.relu)) as profile:
        with pytest.raises(KeyError):
            profile.run({})
        profile.run({"x": np.ones((1, 4), np.float32)})
        assert [4] == operations(profile.end(skip=0), "Relu")
