"""What is said of an artifact's answers, where they depend on the rows that are computed with them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modeldyno.api.artifacts.recipes import recipes_for
from modeldyno.api.workshop import candidates
from modeldyno.api.workshop.candidates import Maker
from modeldyno.data.files import open_dataset
from modeldyno.models.examine import examine
from modeldyno.protocols import Silent
from modeldyno.records.objective import parse_objectives
from modeldyno.records.quality import QualityChange

DYNAMIC = "onnx-int8-dynamic"
CLOSE, APART = (0.9985, 1.0), (1.2712, 0.0)
"""By themselves the numbers of CLOSE get the same of 255 steps, and the first class wins; with steps as wide as APART
asks for they get two."""


def write_larger_of_two(path: Path) -> Path:
    """A classifier: which of two numbers is the larger."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weights"], ["scores"])],
        "larger",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(np.eye(2, dtype=np.float32), "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def change_by_dynamic_int8(
    folder: Path, rows: list[tuple[float, float]], is_time_up: Callable[[], bool] = lambda: False
) -> QualityChange:
    model = examine(write_larger_of_two(folder / "net.onnx"), trust=False, task="classification")
    np.savez(folder / "rows.npz", x=np.array(rows, np.float32), y=np.argmax(rows, axis=1))
    maker = Maker(
        model=model,
        dataset=open_dataset(folder / "rows.npz", model.signature),
        is_real_data=True,
        objectives=parse_objectives("flip_rate<=1%"),
        work=folder / "work",
        trust=False,
        seed=0,
        progress=Silent(),
        is_time_up=is_time_up,
        recipes=recipes_for((DYNAMIC,)),
        asked=(DYNAMIC,),
    )
    assessed, refused = maker.make()
    assert [] == refused
    (change,) = [one.change for one in assessed if one.artifact.name == DYNAMIC]
    assert change is not None
    return change


def test_rows_that_are_answered_otherwise_alone_count(tmp_path: Path) -> None:
    change = change_by_dynamic_int8(tmp_path, [CLOSE, APART] * 20)
    assert (40, 20) == (change.rows, change.flips)


def test_rows_that_are_answered_otherwise_in_company_count(tmp_path: Path) -> None:
    loud = (1000.0, 0.0)
    change = change_by_dynamic_int8(tmp_path, [(0.5, 1.0), loud] * 20)
    assert (40, 20) == (change.rows, change.flips)


def test_only_so_many_rows_are_answered_alone_and_the_others_in_company(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "_MOST_ALONE", 10)
    change = change_by_dynamic_int8(tmp_path, [CLOSE, APART] * 20)
    assert (40, 5) == (change.rows, change.flips)


def test_no_row_is_answered_alone_when_the_time_was_up_with_the_making(tmp_path: Path) -> None:
    change = change_by_dynamic_int8(tmp_path, [CLOSE, APART] * 20, lambda: any((tmp_path / "work").rglob("*int8*")))
    assert 0 == change.flips
