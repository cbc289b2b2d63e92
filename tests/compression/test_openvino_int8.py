"""Int8 by NNCF: what is quantised, what is not, and which layers are put back."""

from pathlib import Path

import numpy as np
import pytest

from modeldyno.api.artifacts.opening import artifact_of
from modeldyno.children import ChildLimits
from modeldyno.compression.calibration import Calibration, write_calibration
from modeldyno.compression.openvino_int8 import quantise_int8, restore_layers
from modeldyno.compression.restoring_child import how_far_off
from modeldyno.compression.weight_only import compress_weights
from modeldyno.data.files import open_dataset
from modeldyno.errors import InputError, ToolError, UsageError
from modeldyno.models.examine import examine
from modeldyno.models.openvino.conversion import convert_to_openvino
from modeldyno.openvino_library import read_network
from modeldyno.records.artifact import Artifact
from modeldyno.records.deployment import SessionSettings
from modeldyno.runtimes.open_vino import OpenVinoRuntime
from modeldyno.testing import models as samples

from .networks import some_rows, write_convolution_onnx, write_turned_openvino, write_uneven_onnx

LIMITS = ChildLimits(timeout_ns=240_000_000_000, memory_bytes=8 * 2**30)
VNNI = ("avx2", "avx512_vnni")


def converted(onnx: Path) -> Artifact:
    return convert_to_openvino(artifact_of(examine(onnx, trust=False)), onnx.with_suffix(".xml"), limits=LIMITS)


def calibrated(parent: Artifact, rows: int = 64) -> Calibration:
    place = Path(parent.path).with_name("rows.npz")
    np.savez(place, X=some_rows(rows))
    dataset = open_dataset(place, parent.signature, label=None)
    return write_calibration(dataset, parent.signature, place.with_name("calibration.npz"))


def answers(artifact: Artifact) -> np.ndarray:
    session = OpenVinoRuntime().open(Path(artifact.path), artifact.signature, SessionSettings())
    return np.asarray(session.run({"x": some_rows(64)})["y"])


@pytest.mark.slow
def test_every_product_is_quantised_and_the_answers_stay_near(tmp_path: Path) -> None:
    parent = converted(write_uneven_onnx(tmp_path / "even.onnx", factor=1))
    made = quantise_int8(parent, tmp_path / "int8.xml", calibrated(parent), cpu_flags=VNNI, limits=LIMITS)
    assert "int8 (3 layers), calibrated on 64 rows (sha256:" in made.recipe
    assert ("int8", parent.digest, ("int8.bin",)) == (made.precision, made.parent_digest, made.files)
    assert examine(tmp_path / "int8.xml", trust=False).precision == "int8"
    assert 0.5 * parent.size_bytes > made.size_bytes
    expected, found = answers(parent), answers(made)
    assert 0 < np.abs(expected - found).mean() < 0.1 * np.abs(expected).mean()


@pytest.mark.slow
def test_kernels_that_are_turned_at_every_call_are_quantised_too(tmp_path: Path) -> None:
    parent = artifact_of(examine(write_turned_openvino(tmp_path / "turned.xml"), trust=False))
    np.savez(tmp_path / "rows.npz", X=np.random.default_rng(6).random((32, 16, 16, 3), dtype=np.float32))
    dataset = open_dataset(tmp_path / "rows.npz", parent.signature, label=None)
    rows = write_calibration(dataset, parent.signature, tmp_path / "calibration.npz")
    made = quantise_int8(parent, tmp_path / "int8.xml", rows, cpu_flags=VNNI, limits=LIMITS)
    assert "int8 (1 layer)" in made.recipe
    constants = [one for one in read_network(tmp_path / "int8.xml").get_ops() if one.get_type_name() == "Constant"]
    assert [3 * 3 * 3 * 32] == [
        one.get_data().size for one in constants if "i8" == one.get_element_type().get_type_name()
    ]


@pytest.mark.slow
def test_weights_keep_to_half_their_range_where_int8_saturates(tmp_path: Path) -> None:
    parent = converted(write_uneven_onnx(tmp_path / "even.onnx", factor=1))
    rows = calibrated(parent)
    whole = quantise_int8(parent, tmp_path / "whole.xml", rows, cpu_flags=VNNI, limits=LIMITS)
    halved = quantise_int8(parent, tmp_path / "halved.xml", rows, cpu_flags=("avx2",), limits=LIMITS)
    assert ("halved range" in halved.recipe, "halved range" in whole.recipe) == (True, False)

    def largest_weight(artifact: Artifact) -> int:
        constants = (one for one in read_network(Path(artifact.path)).get_ops() if one.get_type_name() == "Constant")
        weights = (one.get_data().astype(int) for one in constants if one.get_element_type().get_type_name() == "i8")
        return max(int(np.abs(one).max()) for one in weights)

    assert (127, 64) == (largest_weight(whole), largest_weight(halved))


@pytest.mark.slow
def test_the_layer_that_int8_ruins_is_found_and_put_back(tmp_path: Path) -> None:
    parent = converted(write_uneven_onnx(tmp_path / "uneven.onnx", factor=3000))
    rows = calibrated(parent)
    quantised = quantise_int8(parent, tmp_path / "int8.xml", rows, cpu_flags=VNNI, limits=LIMITS)
    restored = restore_layers(
        parent,
        tmp_path / "restored.xml",
        rows,
        quantised=Path(quantised.path),
        task="regression",
        cpu_flags=VNNI,
        limits=LIMITS,
    )
    assert "2 of 3 layers restored: 100.00% of the values' size off before" in restored.recipe
    expected = answers(parent)
    assert 0.5 * np.abs(expected).mean() < np.abs(expected - answers(quantised)).mean()
    assert 0.01 * np.abs(expected).mean() > np.abs(expected - answers(restored)).mean()
    assert quantised.size_bytes < restored.size_bytes < parent.size_bytes


@pytest.mark.slow
def test_where_int8_answers_well_there_is_nothing_to_restore(tmp_path: Path) -> None:
    parent = converted(write_uneven_onnx(tmp_path / "even.onnx", factor=1))
    rows = calibrated(parent, rows=8)
    with pytest.raises(InputError, match="nothing to restore") as caught:
        restore_layers(
            parent,
            tmp_path / "restored.xml",
            rows,
            quantised=Path(parent.path),
            task="regression",
            cpu_flags=VNNI,
            limits=LIMITS,
        )
    assert "0.00% off" in caught.value.why
    assert not (tmp_path / "restored.xml").exists()


@pytest.mark.slow
def test_a_model_without_products_has_nothing_to_quantise(tmp_path: Path) -> None:
    parent = converted(samples.write_two_inputs_onnx(tmp_path / "two.onnx"))
    rows = Calibration(path=str(tmp_path / "r.npz"), rows=1, rows_per_call=1, digest="sha256:0")
    np.savez(rows.path, left=np.ones((1, 3), np.float32), right=np.ones((1, 3), np.float32))
    with pytest.raises(InputError, match="nothing to quantise"):
        quantise_int8(parent, tmp_path / "int8.xml", rows, cpu_flags=VNNI, limits=LIMITS)


@pytest.mark.slow
def test_a_quantiser_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    parent = converted(write_uneven_onnx(tmp_path / "even.onnx", factor=1))
    short = ChildLimits(timeout_ns=300_000_000, memory_bytes=LIMITS.memory_bytes)
    with pytest.raises(ToolError, match="took longer than 300 ms"):
        quantise_int8(parent, tmp_path / "int8.xml", calibrated(parent), cpu_flags=VNNI, limits=short)


@pytest.mark.slow
@pytest.mark.parametrize(("bits", "precision", "largest"), ((8, "int8", 0.4), (4, "int4", 0.35)))
def test_weights_alone_are_compressed_and_the_answers_stay_near(
    tmp_path: Path, bits: int, precision: str, largest: float
) -> None:
    parent = converted(write_uneven_onnx(tmp_path / "even.onnx", factor=1, layers=8))
    made = compress_weights(parent, tmp_path / "small.xml", bits=8 if bits == 8 else 4, limits=LIMITS)
    assert (precision, f"in {bits} bits") == (made.precision, made.recipe[-9:])
    assert largest * parent.size_bytes > made.size_bytes
    expected, found = answers(parent), answers(made)
    assert 0 < np.abs(expected - found).max() < 0.4 * np.abs(expected).max()


@pytest.mark.slow
def test_weights_of_convolutions_are_not_compressed_alone(tmp_path: Path) -> None:
    parent = converted(write_convolution_onnx(tmp_path / "pictures.onnx"))
    with pytest.raises(InputError, match="not worth compressing alone") as caught:
        compress_weights(parent, tmp_path / "small.xml", bits=8, limits=LIMITS)
    assert "arithmetic" in caught.value.why


def test_only_openvino_artifacts_are_quantised_here(tmp_path: Path) -> None:
    parent = artifact_of(examine(samples.write_dense_onnx(tmp_path / "dense.onnx", width=8), trust=False))
    rows = Calibration(path="r.npz", rows=1, rows_per_call=1, digest="sha256:0")
    with pytest.raises(UsageError, match="is not OpenVINO"):
        quantise_int8(parent, tmp_path / "int8.xml", rows, cpu_flags=VNNI, limits=LIMITS)
    with pytest.raises(UsageError, match="is not OpenVINO"):
        compress_weights(parent, tmp_path / "small.xml", bits=8, limits=LIMITS)


def test_how_far_answers_are_off_is_the_share_of_flips_or_the_error_of_the_values() -> None:
    wanted = [np.array([[0.0, 1.0], [1.0, 0.0], [3.0, 4.0], [4.0, 3.0]])]
    found = [np.array([[0.0, 1.0], [1.0, 0.0], [3.0, 4.0], [3.0, 4.0]])]
    assert 0.25 == how_far_off(wanted, found, "flips")
    assert 0 == how_far_off(wanted, wanted, "flips") == how_far_off(wanted, wanted, "error")
    assert (2 / 52) ** 0.5 == pytest.approx(how_far_off(wanted, found, "error"))
    assert 0.5 == pytest.approx(how_far_off([np.array([2.0])], [np.array([1.0])], "flips"))
