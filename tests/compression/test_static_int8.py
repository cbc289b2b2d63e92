"""Static int8, and what it keeps where the naive way destroys the answers."""

import platform
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from modeldyno.api.artifacts.onnx_recipes import ONNX_RECIPES
from modeldyno.api.workshop.candidates import Maker
from modeldyno.children import ChildLimits
from modeldyno.compression.calibration import write_calibration
from modeldyno.compression.static_int8 import compress_static_int8, is_x86
from modeldyno.data.files import open_dataset
from modeldyno.errors import InputError, UsageError
from modeldyno.machine.environment import capture_environment
from modeldyno.models.examine import examine
from modeldyno.protocols import Silent
from modeldyno.records.artifact import Artifact
from modeldyno.records.objective import parse_objectives
from modeldyno.search.choose import quality_gate

LIMITS = ChildLimits(timeout_ns=60 * 10**9, memory_bytes=8 * 2**30)
VNNI = ("sse4_2", "avx2", "avx512_vnni")


def seen_digits() -> tuple[NDArray[np.float32], NDArray[Any]]:
    rows, labels = load_digits(return_X_y=True)
    return rows.astype(np.float32).reshape(-1, 1, 8, 8) / 16, labels


def write_depthwise(path: Path, *, loud: float) -> Path:
    """A classifier of digits whose depthwise convolution has one channel that is always silent, but `loud` weights.

    Folding a batch norm into a channel that never varies makes such weights (Nagel et al., "Data-Free Quantization
    Through Weight Equalization and Bias Correction", 2019): a scale for all channels together then rounds the others
    to zero.
    """
    images, labels = seen_digits()
    linear = LogisticRegression(max_iter=500).fit(images.reshape(len(images), -1), labels)
    hidden = 3000
    spread = np.random.default_rng(0).normal(size=(64, hidden)).astype(np.float32) / 8
    back = np.linalg.pinv(spread) @ linear.coef_.T
    kernels = np.zeros((4, 1, 3, 3), np.float32)
    kernels[:, 0, 1, 1] = [1, 1, 1, loud]
    weights = {
        "expand": np.array([1, 1, 1, -1], np.float32).reshape(4, 1, 1, 1),
        "offset": np.array([0, 0, 0, -1], np.float32),
        "kernels": kernels,
        "mix": np.array([1 / 3, 1 / 3, 1 / 3, 1], np.float32).reshape(1, 4, 1, 1),
        "spread": spread,
        "back": back.astype(np.float32),
        "bias": linear.intercept_.astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["image", "expand", "offset"], ["expanded"]),
        helper.make_node("Relu", ["expanded"], ["active"]),
        helper.make_node("Conv", ["active", "kernels"], ["filtered"], group=4, pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["filtered", "mix"], ["mixed"]),
        helper.make_node("Flatten", ["mixed"], ["flat"]),
        helper.make_node("MatMul", ["flat", "spread"], ["spreaded"]),
        helper.make_node("MatMul", ["spreaded", "back"], ["sums"]),
        helper.make_node("Add", ["sums", "bias"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "depthwise",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 10])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.fixture(autouse=True)
def _only_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modeldyno.api.artifacts.recipes.RECIPES", ONNX_RECIPES)


def maker_of(path: Path, folder: Path) -> Maker:
    images, labels = seen_digits()
    np.savez(folder / "digits.npz", image=images[:600], y=labels[:600])
    model = examine(path, trust=False, task="classification")
    return Maker(
        model=model,
        dataset=open_dataset(folder / "digits.npz", model.signature),
        is_real_data=True,
        objectives=parse_objectives("flip_rate<=3%"),
        work=folder / "work",
        trust=False,
        seed=0,
        progress=Silent(),
    )


def test_where_the_naive_way_destroys_the_answers_it_is_refused_and_static_int8_is_found(tmp_path: Path) -> None:
    assessed, refused = maker_of(write_depthwise(tmp_path / "net.onnx", loud=1000), tmp_path).make()
    admitted, gated = quality_gate(assessed)
    made = {one.artifact.name: one for one in assessed}
    naive, static = made["onnx-int8-dynamic"], made["onnx-int8-static"]
    assert naive.change is not None
    assert static.change is not None
    assert naive.change.flip_rate.value > 0.5
    assert static.change.flip_rate.value <= 0.01
    reasons = dict(gated)
    assert "fails: flip rate is" in reasons["onnx-int8-dynamic"]
    assert "onnx-int8-static" in [one.artifact.name for one in admitted]
    assert [] == [one for one in refused if one.name.startswith("onnx")]


def test_with_ordinary_weights_the_naive_way_is_admitted_too(tmp_path: Path) -> None:
    assessed, _ = maker_of(write_depthwise(tmp_path / "net.onnx", loud=1), tmp_path).make()
    assert {"onnx-int8-dynamic", "onnx-int8-static"} <= {one.artifact.name for one in quality_gate(assessed)[0]}


def parent_of(path: Path) -> Artifact:
    model = examine(path, trust=False)
    return Artifact(
        name="original",
        path=model.path,
        format=model.format,
        precision=model.precision,
        recipe="as it came",
        digest=model.digest,
        size_bytes=model.size_bytes,
        parent_digest=None,
        signature=model.signature,
    )


@pytest.mark.parametrize("method", ("min-max", "entropy", "percentile"))
def test_every_method_says_what_it_was_calibrated_on(method: Any, tmp_path: Path) -> None:
    parent = parent_of(write_depthwise(tmp_path / "net.onnx", loud=1))
    maker = maker_of(Path(parent.path), tmp_path)
    calibration = write_calibration(maker.dataset, parent.signature, tmp_path / "rows.npz", most=20)
    artifact = compress_static_int8(
        parent, tmp_path / "int8.onnx", calibration, method=method, cpu_flags=VNNI, limits=LIMITS
    )
    assert (
        f"static int8 per channel (5 nodes), {method}, calibrated on 20 rows ({calibration.digest[:19]})"
        == artifact.recipe
    )
    assert (calibration.digest, VNNI) == (artifact.calibration_digest, artifact.cpu_flags)
    assert artifact.size_bytes < parent.size_bytes / 3


@pytest.mark.parametrize(("flags", "datatype"), ((VNNI, np.uint8), (("asimddp",), np.int8)))
def test_activations_are_unsigned_where_kernels_multiply_unsigned_with_signed_bytes(
    flags: tuple[str, ...], datatype: Any, tmp_path: Path
) -> None:
    parent = parent_of(write_depthwise(tmp_path / "net.onnx", loud=1))
    calibration = write_calibration(
        maker_of(Path(parent.path), tmp_path).dataset, parent.signature, tmp_path / "r.npz", most=4
    )
    artifact = compress_static_int8(
        parent, tmp_path / "int8.onnx", calibration, method="min-max", cpu_flags=flags, limits=LIMITS
    )
    graph = onnx.load_model(artifact.path).graph
    stored = {one.name: numpy_helper.to_array(one).dtype for one in graph.initializer}
    points = {stored[node.input[2]] for node in graph.node if node.op_type == "QuantizeLinear"}
    assert {np.dtype(datatype)} == points


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="tells of x86 processors only")
def test_this_machine_is_known_for_what_it_is() -> None:
    assert is_x86(capture_environment().cpu_flags)


def test_processors_whose_products_saturate_get_narrower_weights(tmp_path: Path) -> None:
    parent = parent_of(write_depthwise(tmp_path / "net.onnx", loud=1))
    calibration = write_calibration(
        maker_of(Path(parent.path), tmp_path).dataset, parent.signature, tmp_path / "r.npz", most=4
    )
    artifact = compress_static_int8(
        parent, tmp_path / "int8.onnx", calibration, method="min-max", cpu_flags=("sse4_2", "avx2"), limits=LIMITS
    )
    assert "7-bit weights" in artifact.recipe
    weights = [numpy_helper.to_array(one) for one in onnx.load_model(artifact.path).graph.initializer]
    assert 64 >= max(int(np.abs(one.astype(int)).max()) for one in weights if one.dtype == np.int8 and one.ndim > 1)


def test_what_is_not_onnx_or_has_no_weights_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2]) for name in ("x", "y")]
    graph = helper.make_graph([node], "relu", values[:1], values[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "r.onnx")
    parent = parent_of(tmp_path / "r.onnx")
    np.savez(tmp_path / "x.npz", x=np.ones((4, 2), np.float32))
    dataset = open_dataset(tmp_path / "x.npz", parent.signature)
    calibration = write_calibration(dataset, parent.signature, tmp_path / "rows.npz")
    with pytest.raises(InputError, match="nothing to quantise"):
        compress_static_int8(parent, tmp_path / "q.onnx", calibration, method="min-max", cpu_flags=VNNI, limits=LIMITS)
    other = msgspec.structs.replace(parent, format="sklearn")
    with pytest.raises(UsageError, match="is not ONNX"):
        compress_static_int8(other, tmp_path / "q.onnx", calibration, method="min-max", cpu_flags=VNNI, limits=LIMITS)


def test_a_bias_that_is_a_row_of_a_matrix_is_quantised_too(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=(8, 16)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["p"]), helper.make_node("Add", ["p", "b"], ["y"])],
        "network of scikit-learn",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 16])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.ones((1, 16), np.float32), "b")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "n.onnx")
    parent = parent_of(tmp_path / "n.onnx")
    np.savez(tmp_path / "rows.npz", X=np.random.default_rng(1).normal(size=(20, 8)).astype(np.float32))
    dataset = open_dataset(tmp_path / "rows.npz", parent.signature, label=None)
    calibration = write_calibration(dataset, parent.signature, tmp_path / "calibration.npz")
    made = compress_static_int8(
        parent, tmp_path / "q.onnx", calibration, method="min-max", cpu_flags=VNNI, limits=LIMITS
    )
    assert "static int8 per channel (1 node)" in made.recipe
