"""What is known of an artifact before it is opened."""

from pathlib import Path

import onnx
import pytest

from modeldyno.api.artifacts.opening import artifact_of, is_intact
from modeldyno.models.examine import examine
from modeldyno.records.artifact import Artifact
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
