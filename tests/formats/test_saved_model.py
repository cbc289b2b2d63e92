"""A TensorFlow SavedModel goes from its directory to a served bundle; OpenVINO reads it."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax
from tests.formats import whole_way
from tests.formats.saved_models import write_saved_model

import modeldyno
from modeldyno.errors import InputError

pytestmark = pytest.mark.slow

WEIGHTS = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
ROWS = np.random.default_rng(1).standard_normal((200, 6)).astype(np.float32)


def expected(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = softmax(rows @ WEIGHTS, axis=1)
    return found


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    np.savez(tmp_path / "rows.npz", X=ROWS, y=expected(ROWS).argmax(axis=1))
    return write_saved_model(tmp_path / "flowers", WEIGHTS)


def test_it_is_described_by_its_directory_or_its_file(flowers: Path) -> None:
    model = modeldyno.inspect(flowers)
    assert ("flowers", "saved-model", "fp32") == (model.name, model.format, model.precision)
    assert [("x", ("batch", 6))] == [(spec.name, spec.shape) for spec in model.signature.inputs]
    assert [("scores", ("batch", 3))] == [(spec.name, spec.shape) for spec in model.signature.outputs]
    assert ("assets/labels.txt",) == model.files
    assert 18 <= (model.parameters or 0)


def test_it_answers_as_its_formula_in_any_batch(flowers: Path) -> None:
    evaluation = modeldyno.evaluate(flowers, data=flowers.parent / "rows.npz", task="classification")
    assert evaluation.quality is not None
    assert 1.0 == evaluation.quality.metrics["accuracy"].value


@pytest.mark.proves("TensorFlow SavedModel", files="directory with saved_model.pb", extra="openvino")
def test_it_goes_all_the_way(flowers: Path, tmp_path: Path) -> None:
    search, bundle = whole_way.tune(flowers, tmp_path / "rows.npz", tmp_path / "out")
    assert "openvino" == search.points[0].deployment.runtime
    assert (bundle / "artifact" / "assets" / "labels.txt").is_file()
    for count in (1, 3):
        outputs = whole_way.ask(bundle, {"x": ROWS[:count]})
        np.testing.assert_allclose(expected(ROWS[:count]), outputs["scores"], rtol=1e-4, atol=1e-6)


def test_an_operator_that_openvino_lacks_is_named(tmp_path: Path) -> None:
    write_saved_model(tmp_path / "m", WEIGHTS, operator="NobodyKnowsThis")
    with pytest.raises(InputError) as caught:
        modeldyno.inspect(tmp_path / "m")
    assert "NobodyKnowsThis" in f"{caught.value.what} {caught.value.why}"


def test_a_saved_model_that_is_cut_short_is_refused(flowers: Path) -> None:
    whole = (flowers / "saved_model.pb").read_bytes()
    (flowers / "saved_model.pb").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="OpenVINO cannot read"):
        modeldyno.inspect(flowers)
