from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, load

from modeldyno.errors import InputError, ToolError
from modeldyno.models.examine import examine
from modeldyno.records.deployment import SessionSettings
from modeldyno.runtimes.onnx_runtime import OnnxRuntime, OnnxSession, session_options
from modeldyno.testing import models as samples


def open_echo(tmp_path: Path, element_type: int) -> OnnxSession:
    path = samples.write_echo_onnx(tmp_path / "echo.onnx", element_type)
    return OnnxRuntime().open(path, examine(path, trust=False).signature, SessionSettings())


def test_texts_are_bytes_outside(tmp_path: Path) -> None:
    texts = np.array([[b"a", "größe".encode()], [b"", b"c"]], dtype=object)
    echoed = open_echo(tmp_path, TensorProto.STRING).run({"x": texts})["y"]
    assert texts.tolist() == echoed.tolist()


def test_bytes_that_are_not_text_are_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="not UTF-8"):
        open_echo(tmp_path, TensorProto.STRING).run({"x": np.array([[b"\xff", b"a"]], dtype=object)})


def test_two_inputs_are_taken_by_name(tmp_path: Path) -> None:
    path = samples.write_two_inputs_onnx(tmp_path / "two.onnx")
    session = OnnxRuntime().open(path, examine(path, trust=False).signature, SessionSettings())
    ones, twos = np.ones((4, 3), np.float32), np.full((4, 3), 2, np.float32)
    outputs = session.run({"right": twos, "left": ones})
    assert [9.0] * 4 == outputs["total"].tolist()


@pytest.mark.parametrize(
    "rows", (np.ones((2, 5), np.float32), np.ones((2, 2), np.float64), np.array([[b"a", b"b"]], dtype=object))
)
def test_tensors_that_do_not_fit_are_an_error_in_words(tmp_path: Path, rows: np.ndarray) -> None:
    with pytest.raises(ToolError, match="could not compute") as caught:
        open_echo(tmp_path, TensorProto.FLOAT).run({"x": rows})
    assert caught.value.why


def test_what_memory_does_not_suffice_for_is_a_memory_error(tmp_path: Path) -> None:
    session = open_echo(tmp_path, TensorProto.FLOAT)

    def fail(*_: object) -> None:
        raise RuntimeError("Status Message: bad allocation\nmore")

    session._compute = fail
    with pytest.raises(MemoryError, match="bad allocation"):
        session.run({"x": np.ones((2, 2), np.float32)})


def test_a_corrupt_file_is_an_input_error(tmp_path: Path) -> None:
    path = samples.write_echo_onnx(tmp_path / "echo.onnx", TensorProto.FLOAT)
    signature = examine(path, trust=False).signature
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match="ONNX Runtime cannot load"):
        OnnxRuntime().open(path, signature, SessionSettings())


def test_an_operator_that_the_runtime_lacks_is_an_input_error(tmp_path: Path) -> None:
    import onnx

    path = samples.write_echo_onnx(tmp_path / "echo.onnx", TensorProto.FLOAT)
    signature = examine(path, trust=False).signature
    model = onnx.load(str(path))
    model.graph.node[0].domain, model.graph.node[0].op_type = "nowhere", "Unheard"
    model.opset_import.append(onnx.helper.make_opsetid("nowhere", 1))
    onnx.save(model, str(path))
    with pytest.raises(InputError, match="cannot load") as caught:
        OnnxRuntime().open(path, signature, SessionSettings())
    assert "Unheard" in caught.value.why


def test_threads_are_those_of_the_settings() -> None:
    options = session_options(3)
    assert (3, 1) == (options.intra_op_num_threads, options.inter_op_num_threads)
    assert "0" == options.get_session_config_entry("session.intra_op.allow_spinning")


def test_a_file_that_is_newer_than_the_library_says_so(tmp_path: Path) -> None:
    path = samples.write_echo_onnx(tmp_path / "echo.onnx", TensorProto.FLOAT)
    signature = examine(path, trust=False).signature
    model = load(path)
    model.ir_version = 99
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="newer than ONNX Runtime") as caught:
        OnnxRuntime().open(path, signature, SessionSettings())
    assert "IR version: 99" in caught.value.why
    assert "pip install --upgrade onnxruntime" in caught.value.hint
