"""Operations in the graph of a model compute what they compute outside of it."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from modeldyno.errors import InputError, UsageError
from modeldyno.models.onnx.fusion import fuse_onnx
from modeldyno.models.onnx.graph import onnx_signature, read_onnx
from modeldyno.processing.operations import plan_operations
from modeldyno.records import processing as op
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.processing import Operation, Processing
from modeldyno.records.score_operations import Sigmoid
from modeldyno.records.signature import TensorSpec
from modeldyno.records.table_operations import Limit, OneHot, Project
from modeldyno.runtimes.onnx_runtime import OnnxRuntime

Arrays = dict[str, NDArray[Any]]
WEIGHTS = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
ROWS = np.random.default_rng(1).normal(size=(7, 4)).astype(np.float32)


def linear(folder: Path, *, opset: int = 17) -> Path:
    """`y = x @ WEIGHTS`, in a branch that names the input from within a subgraph."""
    value = helper.make_tensor_value_info
    branch = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weights"], ["inner"])], "then", [], [value("inner", TensorProto.FLOAT, None)]
    )
    graph = helper.make_graph(
        [helper.make_node("If", ["always"], ["y"], then_branch=branch, else_branch=branch)],
        "linear",
        [value("x", TensorProto.FLOAT, ["batch", 4])],
        [value("y", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(WEIGHTS, "weights"), numpy_helper.from_array(np.ones((), bool), "always")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, folder / "linear.onnx")
    return folder / "linear.onnx"


def run(path: Path, arrays: Arrays) -> Arrays:
    session = OnnxRuntime().open(path, onnx_signature(read_onnx(path), path), SessionSettings())
    try:
        return dict(session.run(arrays))
    finally:
        session.close()


def fused(folder: Path, arrays: Arrays, before: Processing | None = None, after: Processing | None = None) -> Arrays:
    fuse_onnx(linear(folder), folder / "fused.onnx", before=before, after=after)
    return run(folder / "fused.onnx", arrays)


def apart(folder: Path, arrays: Arrays, before: Processing | None = None, after: Processing | None = None) -> Arrays:
    if before is not None:
        specs = before.inputs or (TensorSpec(name="x", datatype="FP32", shape=("batch", 4)),)
        arrays = plan_operations(before.operations, {one.name: one for one in specs}, place="here").apply(arrays)
    answers = run(linear(folder), {"x": arrays["x"]})
    if after is None:
        return answers
    specs = (TensorSpec(name="y", datatype="FP32", shape=("batch", 3)),)
    return plan_operations(after.operations, {one.name: one for one in specs}, place="here").apply(answers)


def require_same(expected: Arrays, given: Arrays) -> None:
    assert list(expected) == list(given)
    for name, array in expected.items():
        assert array.dtype == given[name].dtype
        np.testing.assert_allclose(array, given[name], rtol=1e-5, atol=1e-6)


def gaps() -> NDArray[np.float32]:
    rows = ROWS.copy()
    rows[2, 1] = np.nan
    return rows


BEFORE: tuple[tuple[Operation, ...], ...] = (
    (op.Scale(tensor="x", multiply=(2.0,), add=(0.5, 1, 2, 3)),),
    (op.Normalise(tensor="x", mean=(0, 1, 2, 3), std=(1, 2, 3, 4)),),
    (op.Impute(tensor="x", values=(5.0, 6, 7, 8)), op.Clip(tensor="x", low=-0.5, high=0.5)),
    (op.Impute(tensor="x", values=(0.0,)), Limit(tensor="x", low=(-1, -0.5, 0, 0), high=(1, 1, 1, 0.5))),
    (op.Reshape(tensor="x", shape=("batch", 2, 2)), op.Transpose(tensor="x", order=(0, 2, 1)),
     op.Reshape(tensor="x", shape=("batch", 4))),
    (op.SplitColumns(tensor="x", outputs=("a", "b", "c", "d")),
     op.JoinColumns(tensors=("d", "a", "b", "c"), output="x")),
    (Project(tensor="x", mean=(1, 0, 0, 0), components=tuple(tuple(row) for row in np.eye(4)[::-1].tolist())),),
    (op.Scale(tensor="x", output="twice", multiply=(2,)), op.Concatenate(tensors=("x", "twice"), output="wide"),
     Project(tensor="wide", output="x", mean=(0,) * 8, components=tuple(tuple(row) for row in np.eye(8)[:4].tolist()))),
)  # fmt: skip
AFTER: tuple[tuple[Operation, ...], ...] = (
    (op.Softmax(tensor="y"), op.TopK(tensor="y", k=2), op.Select(tensors=("values", "indices"))),
    (op.ArgMax(tensor="y", output="label"), op.Cast(tensor="label", datatype="FP32")),
    (Sigmoid(tensor="y", output="p"), op.Threshold(tensor="p", at=0.5, output="yes"), op.Rename(names={"y": "scores"})),
    (op.Cast(tensor="y", datatype="FP64"), op.Clip(tensor="y", low=0)),
)


@pytest.mark.parametrize("operations", BEFORE)
def test_operations_before_a_model_become_its_graph(tmp_path: Path, operations: tuple[Operation, ...]) -> None:
    processing = Processing(operations=operations)
    require_same(apart(tmp_path, {"x": gaps()}, processing), fused(tmp_path, {"x": gaps()}, processing))


@pytest.mark.parametrize("operations", AFTER)
def test_operations_behind_a_model_become_its_graph(tmp_path: Path, operations: tuple[Operation, ...]) -> None:
    processing = Processing(operations=operations)
    require_same(apart(tmp_path, {"x": ROWS}, after=processing), fused(tmp_path, {"x": ROWS}, after=processing))


def test_what_comes_in_is_what_the_operations_declare(tmp_path: Path) -> None:
    spec = TensorSpec(name="raw", datatype="UINT8", shape=("batch", 2, 2))
    before = Processing(
        operations=(
            op.Cast(tensor="raw", datatype="FP32"),
            op.Normalise(tensor="raw", mean=(0,), std=(255,)),
            op.Reshape(tensor="raw", output="x", shape=("batch", 4)),
        ),
        inputs=(spec,),
    )
    after = Processing(operations=(op.Softmax(tensor="y"),))
    arrays: Arrays = {"raw": np.arange(20, dtype=np.uint8).reshape(5, 2, 2)}
    require_same(apart(tmp_path, arrays, before, after), fused(tmp_path, arrays, before, after))
    signature = onnx_signature(read_onnx(tmp_path / "fused.onnx"), tmp_path / "fused.onnx")
    assert (spec,) == signature.inputs
    assert (TensorSpec(name="y", datatype="FP32", shape=("batch", 3)),) == signature.outputs


def test_a_tensor_of_the_same_name_outside_and_inside_is_told_apart(tmp_path: Path) -> None:
    before = Processing(operations=(op.Scale(tensor="x", multiply=(-1,)),))
    np.testing.assert_allclose(-ROWS @ WEIGHTS, fused(tmp_path, {"x": ROWS}, before)["y"], rtol=1e-5)


@pytest.mark.parametrize(
    ("operation", "message"),
    (
        (op.Labels(tensor="label", labels=("a", "b", "c")), "labels cannot become a part"),
        (OneHot(tensor="label", categories=(0, 1)), "one_hot cannot become a part"),
        (op.Cast(tensor="y", datatype="INT32"), "a cast from FP32 to INT32"),
        (op.Cast(tensor="label", datatype="UINT8"), "a cast from INT64 to UINT8"),
    ),
)
def test_what_onnx_would_do_otherwise_is_refused_with_its_place(
    tmp_path: Path, operation: Operation, message: str
) -> None:
    after = Processing(operations=(op.ArgMax(tensor="y", output="label"), operation))
    with pytest.raises(UsageError, match=f"after the model, operation 1: {message}"):
        fuse_onnx(linear(tmp_path), tmp_path / "fused.onnx", before=None, after=after)
    assert not (tmp_path / "fused.onnx").exists()


def test_operations_that_do_not_give_what_the_model_takes_are_refused(tmp_path: Path) -> None:
    before = Processing(operations=(op.Cast(tensor="x", datatype="FP64"),))
    with pytest.raises(UsageError, match="FP64 is there"):
        fuse_onnx(linear(tmp_path), tmp_path / "fused.onnx", before=before, after=None)


def test_an_old_opset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="of opset 12"):
        fuse_onnx(linear(tmp_path, opset=12), tmp_path / "fused.onnx", before=None, after=None)
