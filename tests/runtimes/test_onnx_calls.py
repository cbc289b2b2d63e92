from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from modeldyno.errors import InputError
from modeldyno.models.examine import examine
from modeldyno.records.deployment import SessionSettings
from modeldyno.runtimes.onnx_calls import onnx_calls
from modeldyno.testing.models import write_dense_onnx, write_echo_onnx, write_two_inputs_onnx


def test_each_way_of_calling_can_be_called_again_and_again(tmp_path: Path) -> None:
    path = write_two_inputs_onnx(tmp_path / "two.onnx")
    batch = {name: np.ones((2, 3), np.float32) for name in ("left", "right")}
    ways = onnx_calls(path, examine(path, trust=False).signature, SessionSettings(), batch)
    assert ["session", "direct", "bound", "empty"] == list(ways)
    for way in ways.values():
        way()
        way()


def test_our_session_and_the_runtime_alone_give_the_same_answers(tmp_path: Path) -> None:
    path = write_dense_onnx(tmp_path / "dense.onnx", width=8)
    batch = {"x": np.ones((2, 8), np.float32)}
    ways = onnx_calls(path, examine(path, trust=False).signature, SessionSettings(), batch)
    ours, alone = ways["session"](), ways["direct"]()
    assert isinstance(ours, dict)
    assert isinstance(alone, list)
    assert np.array_equal(ours["y"], alone[0])


def test_texts_cannot_be_bound(tmp_path: Path) -> None:
    path = write_echo_onnx(tmp_path / "echo.onnx", TensorProto.STRING)
    texts = np.array([[b"a", b"b"]], object)
    with pytest.raises(InputError, match="BYTES"):
        onnx_calls(path, examine(path, trust=False).signature, SessionSettings(), {"x": texts})
