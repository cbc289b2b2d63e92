"""ONNX files of every shape go from the file to a served bundle, held against ONNX Runtime's own answers."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from tests.formats import whole_way

import modeldyno
from modeldyno.api.served.sessions import open_sessions
from modeldyno.deployment.bundle import open_bundle
from modeldyno.deployment.contents import Contents
from modeldyno.errors import InputError
from modeldyno.testing import models as samples

Arrays = dict[str, NDArray[Any]]


def own_answers(path: Path, inputs: Arrays) -> Arrays:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def write_split_onnx(folder: Path) -> Path:
    """A model with its weights in a file beside it."""
    model = onnx.load(str(samples.write_dense_onnx(folder / "whole.onnx", width=48)))
    (folder / "whole.onnx").unlink()
    path = folder / "split.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="split.weights", size_threshold=0)
    return path


def write_sentences_onnx(path: Path) -> Path:
    """`value` is the sum of a row of `x`, whose length varies as the batch does."""
    graph = helper.make_graph(
        [helper.make_node("ReduceSum", ["x", "axes"], ["value"], name="sum", keepdims=0)],
        "sentences",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "length", 4])],
        [helper.make_tensor_value_info("value", TensorProto.FLOAT, ["batch"])],
        [helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


@pytest.mark.proves("ONNX with its weights in other files", files=".onnx and what it names")
def test_weights_in_another_file_go_all_the_way(tmp_path: Path) -> None:
    path = write_split_onnx(tmp_path)
    rows = np.random.default_rng(0).standard_normal((40, 48)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", X=rows)
    expected = own_answers(path, {"x": rows[:3]})["y"]
    assert ("split.weights",) == modeldyno.inspect(path).files
    search, bundle = whole_way.tune(path, tmp_path / "rows.npz", tmp_path / "out")
    # Every value of a dynamic int8 product is a little off, and of a model without classes that counts as a flip.
    assert search.winner is not None
    assert "original" == search.winner.artifact
    stored = bundle / "artifact" / "split.weights"
    assert (tmp_path / "split.weights").read_bytes() == stored.read_bytes()
    for count in (1, 3):
        outputs = whole_way.ask(bundle, {"x": rows[:count]})
        np.testing.assert_allclose(expected[:count], outputs["y"], rtol=1e-4, atol=1e-5)
    opened = open_bundle(bundle)
    with Contents(bundle, opened, in_memory=True) as contents:
        for session in open_sessions(opened, contents):
            found = np.asarray(session.run({"x": rows[:3]})["y"], np.float32)
            np.testing.assert_allclose(expected, found, rtol=1e-4, atol=1e-5)
    content = bytearray(stored.read_bytes())
    content[9] ^= 1
    stored.write_bytes(content)
    with pytest.raises(InputError, match="is not the file that was bundled"):
        open_bundle(bundle)


@pytest.mark.proves("ONNX with several inputs", files=".onnx")
def test_several_inputs_go_all_the_way(tmp_path: Path) -> None:
    path = samples.write_two_inputs_onnx(tmp_path / "two.onnx")
    generator = np.random.default_rng(1)
    rows: dict[str, Any] = {name: generator.random((30, 3), dtype=np.float32) for name in ("left", "right")}
    np.savez(tmp_path / "rows.npz", **rows)
    _, bundle = whole_way.tune(path, tmp_path / "rows.npz", tmp_path / "out")
    asked = {name: array[:3] for name, array in rows.items()}
    outputs = whole_way.ask(bundle, asked)
    for name, expected in own_answers(path, asked).items():
        np.testing.assert_allclose(expected, outputs[name], rtol=1e-6)


@pytest.mark.proves("ONNX over texts", files=".onnx")
def test_texts_go_all_the_way(tmp_path: Path) -> None:
    path = samples.write_echo_onnx(tmp_path / "echo.onnx", TensorProto.STRING, ("batch",))
    words = np.array([f"größe {number % 3}" for number in range(30)])
    np.savez(tmp_path / "rows.npz", X=words, y=words)
    _, bundle = whole_way.tune(path, tmp_path / "rows.npz", tmp_path / "out")
    asked = np.array([word.encode() for word in words[:4].tolist()], object)
    assert words[:4].tolist() == whole_way.ask(bundle, {"x": asked})["y"].tolist()


def test_a_length_that_varies_stays_so(tmp_path: Path) -> None:
    path = write_sentences_onnx(tmp_path / "sentences.onnx")
    rows = np.random.default_rng(2).random((20, 5, 4), dtype=np.float32)
    np.savez(tmp_path / "rows.npz", X=rows)
    _, bundle = whole_way.tune(path, tmp_path / "rows.npz", tmp_path / "out")
    assert ("batch", "length", 4) == open_bundle(bundle).signature.inputs[0].shape
    for length in (1, 7):
        asked = np.random.default_rng(3).random((2, length, 4), dtype=np.float32)
        np.testing.assert_allclose(asked.sum(axis=(1, 2)), whole_way.ask(bundle, {"x": asked})["value"], rtol=1e-5)


def test_a_frozen_batch_is_served_one_row_at_a_time(tmp_path: Path) -> None:
    path = samples.write_two_inputs_onnx(tmp_path / "one.onnx", rows=1)
    np.savez(tmp_path / "rows.npz", left=np.ones((8, 3), np.float32), right=np.ones((8, 3), np.float32))
    search, bundle = whole_way.tune(path, tmp_path / "rows.npz", tmp_path / "out")
    assert {1} == {point.batch_rows for point in search.points}
    ones = np.ones((1, 3), np.float32)
    assert [6.0] == whole_way.ask(bundle, {"left": ones, "right": ones})["total"].tolist()
