"""ONNX Runtime with tensors of BF16: as exact as Python's own arithmetic, and as careful as with all others."""

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, save

from modeldyno.bfloat16 import BF16, from_numbers, to_floats
from modeldyno.clock import SystemClock
from modeldyno.errors import InputError, ToolError
from modeldyno.models.examine import examine
from modeldyno.protocols import Session
from modeldyno.records.deployment import SessionSettings
from modeldyno.runtimes.onnx_runtime import OnnxRuntime
from modeldyno.testing import models as samples
from modeldyno.testing import runtime_kit as kit

ROWS = from_numbers(np.array([[1, -2.5], [3.140625, 1e30], [0, -0.0]], np.float32))


def opened(path: Path) -> Session:
    return OnnxRuntime().open(path, examine(path, trust=False).signature, SessionSettings())


def scaled(folder: Path, factor: float = 3.0) -> Session:
    return opened(
        samples.write_bfloat16_onnx(samples.write_scaled_onnx(folder / "fp32.onnx", factor), folder / "bf16.onnx")
    )


def write_mixed(path: Path, *, kinds: dict[str, int]) -> Path:
    """Each input `x…` of its type comes out as `y…`."""
    values = [
        [helper.make_tensor_value_info(f"{end}{name}", kind, ["batch", 2]) for name, kind in kinds.items()]
        for end in "xy"
    ]
    nodes = [helper.make_node("Identity", [f"x{name}"], [f"y{name}"]) for name in kinds]
    graph = helper.make_graph(nodes, "mixed", *values)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def test_the_signature_says_bf16(tmp_path: Path) -> None:
    signature = scaled(tmp_path).signature
    assert ["BF16", "BF16"] == [spec.datatype for spec in (*signature.inputs, *signature.outputs)]


def test_it_keeps_every_rule_of_the_kit(tmp_path: Path) -> None:
    source = samples.write_dense_onnx(tmp_path / "fp32.onnx", width=32, layers=2)
    path = samples.write_bfloat16_onnx(source, tmp_path / "bf16.onnx")
    rows = from_numbers(np.random.default_rng(1).standard_normal((13, 32)))
    kit.check_runtime(OnnxRuntime(), path, examine(path, trust=False).signature, {"x": rows}, tolerance=2.0**-6)


def test_it_releases_the_lock(tmp_path: Path) -> None:
    path = samples.write_bfloat16_onnx(samples.write_dense_onnx(tmp_path / "fp32.onnx"), tmp_path / "bf16.onnx")
    kit.check_lock_released(opened(path), {"x": from_numbers(np.ones((1, 256)))}, SystemClock())


def test_answers_are_rounded_once(tmp_path: Path) -> None:
    found = scaled(tmp_path).run({"x": ROWS})["y"]

    assert BF16 == found.dtype
    np.testing.assert_array_equal(from_numbers(to_floats(ROWS) * np.float32(3)), found)


def test_an_answer_stays_when_the_next_is_computed_and_the_session_is_gone(tmp_path: Path) -> None:
    session = scaled(tmp_path)
    first = session.run({"x": ROWS})["y"]
    kept = first.copy()
    for _ in range(20):
        session.run({"x": from_numbers(np.full((3, 2), 7.0))})
    session.close()
    del session
    gc.collect()

    np.testing.assert_array_equal(kept, first)


@pytest.mark.parametrize(
    "rows",
    (
        np.frombuffer(b"\0" + ROWS.tobytes(), BF16, offset=1).reshape(3, 2),  # not at a multiple of its size
        np.asfortranarray(ROWS),
        np.repeat(ROWS, 2, axis=1)[:, ::2],
        ROWS[1:],
        ROWS[:0],
    ),
    ids=("unaligned", "by columns", "with gaps", "a part", "no rows"),
)
def test_rows_are_taken_wherever_they_lie(tmp_path: Path, rows: NDArray[Any]) -> None:
    expected = from_numbers(to_floats(rows) * np.float32(3))
    np.testing.assert_array_equal(expected, scaled(tmp_path).run({"x": rows})["y"])


@pytest.mark.parametrize("kinds", ({"a": 16, "b": 1, "c": 7}, {"b": 1, "a": 16}, {"h": 10, "a": 16, "t": 9}))
def test_tensors_of_other_datatypes_go_with_it(tmp_path: Path, kinds: dict[str, int]) -> None:
    session = opened(write_mixed(tmp_path / "m.onnx", kinds=kinds))
    table = np.array([[1, 0], [1, 1], [0, 0]])
    values = {
        name: from_numbers(table) if kind == 16 else table.astype(helper.tensor_dtype_to_np_dtype(kind))
        for name, kind in kinds.items()
    }
    outputs = session.run({f"x{name}": array for name, array in values.items()})

    assert [f"y{name}" for name in kinds] == list(outputs)
    for name, array in values.items():
        assert array.dtype == outputs[f"y{name}"].dtype
        np.testing.assert_array_equal(array, outputs[f"y{name}"])


def test_texts_may_go_in_beside_it_and_come_out_beside_it(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT), helper.make_node("Identity", ["t"], ["u"])],
        "in",
        [
            helper.make_tensor_value_info("x", TensorProto.BFLOAT16, ["n"]),
            helper.make_tensor_value_info("t", TensorProto.STRING, ["n"]),
        ],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("u", TensorProto.STRING, ["n"]),
        ],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(tmp_path / "in.onnx"))
    outputs = opened(tmp_path / "in.onnx").run(
        {"x": from_numbers(np.array([1.5])), "t": np.array(["ü".encode()], object)}
    )
    assert ([1.5], ["ü".encode()]) == (outputs["y"].tolist(), outputs["u"].tolist())


def test_texts_in_and_bf16_out_are_refused_in_words(tmp_path: Path) -> None:
    path = write_mixed(tmp_path / "m.onnx", kinds={"a": 16, "t": 8})
    with pytest.raises(InputError, match=r"'xt' is BYTES and output 'ya' BF16") as caught:
        opened(path)
    assert "Cast" in caught.value.hint


@pytest.mark.parametrize("rows", (np.ones((2, 1), np.float32), ROWS[0], from_numbers(np.ones((1, 5)))))
def test_tensors_that_do_not_fit_are_an_error_in_words(tmp_path: Path, rows: NDArray[Any]) -> None:
    with pytest.raises(ToolError, match="could not compute") as caught:
        scaled(tmp_path).run({"x": rows})
    assert caught.value.why
