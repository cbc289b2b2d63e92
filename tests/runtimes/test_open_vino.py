"""The runtime OpenVINO keeps every rule, in the precision that it is told."""

import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from modeldyno.api.artifacts.opening import artifact_of
from modeldyno.children import ChildLimits
from modeldyno.clock import SystemClock
from modeldyno.errors import InputError, ToolError, UsageError
from modeldyno.models.examine import examine
from modeldyno.models.openvino.conversion import convert_to_openvino
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.runtimes.onnx_runtime import OnnxRuntime
from modeldyno.runtimes.open_vino import OpenVinoRuntime, OpenVinoSession
from modeldyno.testing import models as samples
from modeldyno.testing import runtime_kit as kit

pytestmark = pytest.mark.slow

LIMITS = ChildLimits(timeout_ns=120_000_000_000, memory_bytes=8 * 2**30)


def some_rows(count: int, width: int = 256) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((count, width)).astype(np.float32)


def opened(path: Path, **settings: object) -> OpenVinoSession:
    signature = examine(path, trust=False).signature
    return OpenVinoRuntime().open(path, signature, SessionSettings(**settings))  # type: ignore[arg-type]


def test_it_keeps_every_rule_with_onnx(tmp_path: Path) -> None:
    path = samples.write_two_inputs_onnx(tmp_path / "two.onnx")
    rows = {name: some_rows(7, 3) for name in ("left", "right")}
    kit.check_runtime(OpenVinoRuntime(), path, examine(path, trust=False).signature, rows)


def test_it_keeps_every_rule_with_its_own_format(tmp_path: Path) -> None:
    parent = artifact_of(examine(samples.write_dense_onnx(tmp_path / "dense.onnx"), trust=False))
    artifact = convert_to_openvino(parent, tmp_path / "dense.xml", limits=LIMITS)
    model = examine(tmp_path / "dense.xml", trust=False)
    assert (artifact.digest, artifact.signature) == (model.digest, model.signature)
    assert ("openvino", "fp32", ("dense.bin",)) == (model.format, model.precision, model.files)
    rows = {"x": some_rows(7)}
    kit.check_runtime(OpenVinoRuntime(), tmp_path / "dense.xml", model.signature, rows)
    expected = OnnxRuntime().open(Path(parent.path), parent.signature, SessionSettings()).run(rows)["y"]
    found = opened(tmp_path / "dense.xml").run(rows)["y"]
    np.testing.assert_allclose(np.asarray(expected, np.float32), np.asarray(found, np.float32), rtol=1e-4, atol=1e-4)


def test_it_lets_others_run_while_it_computes(tmp_path: Path) -> None:
    session = opened(samples.write_dense_onnx(tmp_path / "dense.onnx"))
    kit.check_lock_released(session, {"x": np.ones((1, 256), np.float32)}, SystemClock())


def test_answers_are_its_own_and_stay_as_they_are(tmp_path: Path) -> None:
    session = opened(samples.write_echo_onnx(tmp_path / "echo.onnx", TensorProto.FLOAT))
    first = np.ones((2, 2), np.float32)
    answer = session.run({"x": first})["y"]
    session.run({"x": np.zeros((2, 2), np.float32)})
    first[:] = 7
    assert [[1, 1], [1, 1]] == answer.tolist()


def test_rows_that_cannot_be_written_or_are_not_in_order_are_taken_as_they_are(tmp_path: Path) -> None:
    session = opened(samples.write_dense_onnx(tmp_path / "dense.onnx"))
    rows = some_rows(6)
    expected = session.run({"x": rows})["y"]
    from_a_request = np.frombuffer(rows.tobytes(), np.float32).reshape(6, 256)
    assert not from_a_request.flags.writeable
    np.testing.assert_array_equal(expected, session.run({"x": from_a_request})["y"])
    np.testing.assert_array_equal(expected[::-1], session.run({"x": rows[::-1]})["y"])


def test_it_computes_in_single_precision_unless_told_otherwise(tmp_path: Path) -> None:
    path = samples.write_dense_onnx(tmp_path / "dense.onnx")
    rows = {"x": some_rows(64)}
    session = OnnxRuntime().open(path, examine(path, trust=False).signature, SessionSettings())
    exact = np.asarray(session.run(rows)["y"], np.float32)

    def largest_error(precision: str | None) -> float:
        return float(np.abs(np.asarray(opened(path, precision=precision).run(rows)["y"], np.float32) - exact).max())

    assert max(largest_error(None), largest_error("fp32")) < 1e-4
    flags = Path("/proc/cpuinfo").read_text()
    if "avx512_bf16" not in flags:
        pytest.skip("this processor does not compute in bfloat16")
    assert 1e-3 < largest_error("bf16") < 0.2


def test_the_number_of_threads_is_that_of_the_settings_and_streams_are_one(tmp_path: Path) -> None:
    from modeldyno.runtimes.open_vino import compile_options

    options = compile_options(SessionSettings(threads=3))
    assert (3, 1, "f32") == tuple(
        options[name] for name in ("INFERENCE_NUM_THREADS", "NUM_STREAMS", "INFERENCE_PRECISION_HINT")
    )
    request = opened(samples.write_dense_onnx(tmp_path / "dense.onnx"), threads=2)._request
    compiled = request.get_compiled_model()
    assert (2, 1) == (compiled.get_property("INFERENCE_NUM_THREADS"), compiled.get_property("NUM_STREAMS"))


@pytest.mark.parametrize("settings", ({"device": "cuda"}, {"mode": "compiled"}))
def test_settings_that_it_does_not_know_are_refused(tmp_path: Path, settings: dict[str, str]) -> None:
    path = samples.write_dense_onnx(tmp_path / "dense.onnx", width=8)
    with pytest.raises(UsageError, match="does not know"):
        opened(path, **settings)


@pytest.mark.parametrize("rows", (np.ones((2, 5), np.float32), np.ones((2, 2), np.float64), np.ones((2,), np.float32)))
def test_tensors_that_do_not_fit_are_an_error_in_words(tmp_path: Path, rows: NDArray[np.generic]) -> None:
    session = opened(samples.write_echo_onnx(tmp_path / "echo.onnx", TensorProto.FLOAT))
    with pytest.raises(ToolError, match="could not compute") as caught:
        session.run({"x": rows})
    assert caught.value.why
    assert [[1, 1]] == session.run({"x": np.ones((1, 2), np.float32)})["y"].tolist()


def test_texts_are_refused_when_the_model_is_opened(tmp_path: Path) -> None:
    path = samples.write_echo_onnx(tmp_path / "echo.onnx", TensorProto.STRING)
    with pytest.raises(InputError, match="does not compute") as caught:
        opened(path)
    assert "texts" in caught.value.why


@pytest.mark.parametrize(
    ("kind", "dtype"),
    (
        (TensorProto.INT64, np.int64), (TensorProto.INT32, np.int32), (TensorProto.UINT8, np.uint8),
        (TensorProto.BOOL, np.bool_), (TensorProto.DOUBLE, np.float64), (TensorProto.FLOAT16, np.float16),
    ),
)  # fmt: skip
def test_numbers_of_every_kind_come_back_as_they_are(tmp_path: Path, kind: int, dtype: type[np.generic]) -> None:
    rows = np.array([[0, 1], [1, 0]]).astype(dtype)
    answer = opened(samples.write_echo_onnx(tmp_path / "echo.onnx", kind)).run({"x": rows})["y"]
    assert (np.dtype(dtype), rows.tolist()) == (answer.dtype, answer.tolist())


def test_an_operator_that_it_lacks_is_named(tmp_path: Path) -> None:
    path = samples.write_echo_onnx(tmp_path / "echo.onnx", TensorProto.FLOAT)
    signature = examine(path, trust=False).signature
    model = onnx.load(str(path))
    model.graph.node[0].domain, model.graph.node[0].op_type = "nowhere", "Unheard"
    model.opset_import.append(onnx.helper.make_opsetid("nowhere", 1))
    onnx.save(model, str(path))
    with pytest.raises(InputError, match="cannot read") as caught:
        OpenVinoRuntime().open(path, signature, SessionSettings())
    assert "nowhere.Unheard" in caught.value.why


def test_a_file_without_its_weights_is_refused(tmp_path: Path) -> None:
    parent = artifact_of(examine(samples.write_dense_onnx(tmp_path / "dense.onnx", width=32), trust=False))
    convert_to_openvino(parent, tmp_path / "dense.xml", limits=LIMITS)
    (tmp_path / "dense.bin").unlink()
    with pytest.raises(InputError) as caught:
        examine(tmp_path / "dense.xml", trust=False)
    assert ".bin" in caught.value.hint


def test_sessions_opened_in_many_threads_do_not_disturb_one_another(tmp_path: Path) -> None:
    path = samples.write_dense_onnx(tmp_path / "dense.onnx")
    rows = {"x": some_rows(3)}
    expected = opened(path).run(rows)["y"]
    found: list[bool] = []

    def work() -> None:
        session = opened(path)
        found.extend(np.array_equal(expected, session.run(rows)["y"]) for _ in range(20))
        session.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [True] * 80 == found


def test_a_width_that_the_signature_fixes_and_the_file_leaves_open_is_refused(tmp_path: Path) -> None:
    rows = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "width"]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "open", rows[:1], rows[1:])
    path = tmp_path / "open.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    specs = [TensorSpec(name=name, datatype="FP32", shape=("batch", 4)) for name in ("x", "y")]
    signature = Signature(inputs=tuple(specs[:1]), outputs=tuple(specs[1:]))
    session = OpenVinoRuntime().open(path, signature, SessionSettings())
    kit.check_widths(session, {"x": np.ones((2, 4), np.float32)})
    assert [[1, 1, 1, 1]] == session.run({"x": np.ones((1, 4), np.float32)})["y"].tolist()
