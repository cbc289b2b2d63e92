"""What is known of an artifact before it is opened."""

from pathlib import Path

import onnx
import pytest
from msgspec.structs import replace

from modeldyno.api.artifacts.opening import artifact_of, bundled_form, is_intact, open_artifact
from modeldyno.errors import InputError, TrustError
from modeldyno.models.examine import examine
from modeldyno.models.scikit.estimator import save_skops
from modeldyno.records.artifact import Artifact, ModelFormat, is_code
from modeldyno.testing import models as samples
from modeldyno.testing.models import write_dense_onnx


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    """In two files, the weights in one of their own."""
    path = tmp_path / "net.onnx"
    model = onnx.load(str(write_dense_onnx(tmp_path / "whole.onnx", width=8, layers=1)))
    onnx.save(model, str(path), save_as_external_data=True, location="net.weights", size_threshold=0)
    return artifact_of(examine(path, trust=False))


def test_an_artifact_of_several_files_is_intact_as_long_as_each_is(artifact: Artifact) -> None:
    weights = Path(artifact.path).with_name("net.weights")
    assert ("net.weights",) == artifact.files
    assert is_intact(artifact)
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert not is_intact(artifact)
    weights.unlink()
    assert not is_intact(artifact)


@pytest.mark.parametrize(
    ("model_format", "name"),
    (
        ("python", "rule.py"),
        ("torch-module", "net.py"),
        ("torch-export", "net.pt2"),
        ("torch-aoti", "net.pt2"),
        ("torchscript", "net.pt"),
        ("compiled-trees", "trees.so"),
        ("sklearn", "digits.pkl"),
        ("sklearn", "digits.joblib"),
        ("sklearn", "digits.SKOPS"),
        ("onnx", "net.onnx"),
    ),
)
def test_what_is_code_is_what_is_not_opened_without_trust(
    artifact: Artifact, tmp_path: Path, model_format: ModelFormat, name: str
) -> None:
    if model_format.startswith("torch"):
        pytest.importorskip("torch")
    path = tmp_path / name
    path.write_bytes(b"{}")
    code = replace(artifact, format=model_format, path=str(path), entry="make" if path.suffix == ".py" else "")
    with pytest.raises(TrustError if is_code(model_format, path) else InputError):
        open_artifact(code, trust=False)


@pytest.mark.parametrize("name", ("ink.skops", "ink.SKOPS"))
def test_what_is_no_pickle_goes_into_a_bundle_as_it_came(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    save_skops(samples.ink_regressor(), path)
    assert str(path) == bundled_form(examine(path, trust=False), tmp_path / "made", trust=False).path
