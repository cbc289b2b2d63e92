from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modeldyno.api.fusing import fuse
from modeldyno.cli.main import main
from modeldyno.errors import OutputError, UsageError
from modeldyno.records.files import write_record
from modeldyno.records.processing import ArgMax, Impute, Labels, Normalise, Processing, Softmax


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weights"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "model.onnx")
    before = (Impute(tensor="x", values=(0.0,)), Normalise(tensor="x", mean=(1,), std=(2,)))
    write_record(tmp_path / "before.json", Processing(operations=before))
    write_record(tmp_path / "after.json", Processing(operations=(Softmax(tensor="y"), ArgMax(tensor="y", output="l"))))
    return [tmp_path / "before.json", tmp_path / "model.onnx", tmp_path / "after.json"]


def test_the_answers_are_compared_and_the_times_of_both_are_told(parts: list[Path], tmp_path: Path) -> None:
    fusion = fuse(parts, out=tmp_path / "fused.onnx")
    assert (4, 256) == (fusion.operations, fusion.rows)
    assert fusion.largest_difference < 1e-5
    assert ["y", "l"] == [spec.name for spec in fusion.signature.outputs]
    assert (1, 32) == tuple(speed.rows for speed in fusion.speed)
    assert all(speed.apart_ns.value > 0 and speed.fused_ns.value > 0 and speed.ratio.low for speed in fusion.speed)


def test_data_are_what_the_operations_take(parts: list[Path], tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", X=np.ones((9, 4), np.float32))
    fusion = fuse(parts[:2], out=tmp_path / "fused.onnx", data=tmp_path / "rows.npz")
    assert fusion.data.startswith("rows.npz: 9 rows")
    assert [1] == [speed.rows for speed in fusion.speed]


def test_a_model_that_answers_otherwise_is_not_left_behind(
    parts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modeldyno.errors import ToolError
    from modeldyno.models.onnx import operations as onnx_operations

    def forget(_operation: object, _parts: object, value: str, _spec: object) -> str:
        return value

    changed: dict[Any, Any] = {**onnx_operations._SINGLE, Normalise: forget}
    monkeypatch.setattr(onnx_operations, "_SINGLE", changed)
    with pytest.raises(ToolError, match="gives another 'y' than its parts"):
        fuse(parts, out=tmp_path / "fused.onnx")
    assert not (tmp_path / "fused.onnx").exists()


@pytest.mark.parametrize("order", ((0, 2), (1,), (0, 1, 2, 2), (1, 2, 2), (0, 0, 1)))
def test_parts_that_are_others_are_refused(parts: list[Path], tmp_path: Path, order: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="cannot be fused"):
        fuse([parts[place] for place in order], out=tmp_path / "fused.onnx")


def test_nothing_is_replaced_unasked(parts: list[Path], tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is there already"):
        fuse(parts, out=parts[1])


def test_the_verb_says_what_was_gained(parts: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "fused.onnx"
    assert 0 == main(["fuse", *map(str, parts), "--out", str(out)])
    printed = " ".join(capsys.readouterr().out.split())  # lines break where a path is long
    assert "4 operations" in printed
    assert "the same on 256 rows of synthetic data" in printed
    assert "calls of 1 row:" in printed
    assert "calls of 32 rows:" in printed


def test_what_cannot_be_fused_ends_with_two_and_its_reason(
    parts: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_record(parts[2], Processing(operations=(ArgMax(tensor="y"), Labels(tensor="y", labels=("a", "b", "c")))))
    assert 2 == main(["fuse", *map(str, parts), "--out", str(tmp_path / "fused.onnx")])
    assert "after the model, operation 1: labels cannot become a part" in capsys.readouterr().err
