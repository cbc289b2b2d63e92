"""Both runtimes pass the kit, and the kit can fail."""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from modeldyno.clock import SystemClock
from modeldyno.errors import ToolError
from modeldyno.models.scikit.estimator import load_scikit
from modeldyno.protocols import Runtime, Tensors
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.runtimes.onnx_runtime import OnnxRuntime
from modeldyno.runtimes.scikit import ScikitRuntime
from modeldyno.testing import models as samples
from modeldyno.testing import runtime_kit as kit

from .conftest import KINDS, Saved

Array = NDArray[Any]


def load(path: Path) -> object:
    return load_scikit(path, trust=False)


def some_digits(count: int = 13) -> dict[str, Array]:
    return {"input": samples.digits()[0][:count]}


@pytest.mark.parametrize("kind", tuple(KINDS))
def test_scikit_learn_keeps_every_rule(saved: Callable[[str], Saved], kind: str) -> None:
    path, _, signature = saved(kind)
    kit.check_runtime(ScikitRuntime(load), path, signature, some_digits())


@pytest.mark.parametrize("kind", tuple(KINDS))
def test_onnx_runtime_keeps_every_rule(saved: Callable[[str], Saved], kind: str) -> None:
    _, path, signature = saved(kind)
    kit.check_runtime(OnnxRuntime(), path, signature, some_digits())


def test_onnx_runtime_releases_the_lock(tmp_path: Path) -> None:
    path = samples.write_dense_onnx(tmp_path / "dense.onnx")
    spec = TensorSpec(name="x", datatype="FP32", shape=("batch", 256))
    signature = Signature(inputs=(spec,), outputs=(TensorSpec(name="y", datatype="FP32", shape=("batch", 256)),))
    session = OnnxRuntime().open(path, signature, SessionSettings())
    kit.check_lock_released(session, {"x": np.ones((1, 256), np.float32)}, SystemClock())


@pytest.mark.parametrize("kind", ("mlp", "forest"))
def test_scikit_learn_releases_the_lock(saved: Callable[[str], Saved], kind: str) -> None:
    path, _, signature = saved(kind)
    session = ScikitRuntime(load).open(path, signature, SessionSettings())
    kit.check_lock_released(session, some_digits(1), SystemClock())


def sum_of_two(rows: Array) -> Array:
    if rows.shape[1:] != (2,):
        raise ToolError(f"rows of {rows.shape[1:]} are no rows")
    return np.asarray(rows.sum(axis=1))


class Broken:
    """A runtime whose sessions add up rows, except for one fault."""

    name = "broken"
    formats = frozenset({"onnx"})
    signature = Signature(
        inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 2)),),
        outputs=(TensorSpec(name="y", datatype="FP32", shape=("batch",)),),
    )

    def __init__(self, compute: Callable[[Array], Array], *, opens_anything: bool = True) -> None:
        self._compute = compute
        self._opens_anything = opens_anything

    def open(self, path: Path, signature: Signature, settings: SessionSettings) -> "Broken":
        return self

    def run(self, inputs: Tensors) -> dict[str, Array]:
        return {"y": self._compute(np.asarray(inputs["x"]))}

    def close(self) -> None:
        """Forgets to close."""


@pytest.mark.parametrize(
    ("compute", "complaint"),
    (
        (lambda x: x.sum(axis=1).astype(np.float64), "not FP32"),
        (lambda x: x, "the signature says"),
        (lambda x: (x - x.mean(axis=0)).sum(axis=1), "differs between one batch"),
        (lambda x: x.sum(axis=1), r"computed with the shape \(7, 3\)"),
        (lambda x: x[:, :2].sum(axis=1), r"computed with the shape \(7, 3\)"),
        (sum_of_two, "raised no InputError"),
    ),
)
def test_the_kit_finds_a_broken_runtime(compute: Callable[[Array], Array], complaint: str) -> None:
    runtime: Runtime = Broken(compute)
    rows = {"x": np.arange(14, dtype=np.float32).reshape(7, 2)}
    with pytest.raises(AssertionError, match=complaint):
        kit.check_runtime(runtime, Path("model.onnx"), Broken.signature, rows)


def test_the_kit_finds_a_session_that_does_not_close() -> None:
    with pytest.raises(AssertionError, match="still answers"):
        kit.check_close(Broken(lambda x: x.sum(axis=1)), {"x": np.ones((4, 2), np.float32)})


def test_the_kit_finds_a_session_that_holds_the_lock() -> None:
    # PyDLL, unlike CDLL, keeps the interpreter lock during the call.
    holding = ctypes.PyDLL(None)

    def compute(x: Array) -> Array:
        holding.usleep(100_000)
        return np.asarray(x.sum(axis=1))

    with pytest.raises(AssertionError, match="holds the interpreter lock"):
        kit.check_lock_released(Broken(compute), {"x": np.ones((1, 2), np.float32)}, SystemClock(), attempts=2)
