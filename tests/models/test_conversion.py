from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime
import pytest
import skops.io
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression, RidgeClassifier
from sklearn.svm import SVC

from modeldyno.errors import InputError, ToolError, UsageError
from modeldyno.models.conversion import convert_to_onnx
from modeldyno.models.examine import examine
from modeldyno.models.scikit.estimator import save_skops
from modeldyno.testing import models as samples

from .conftest import Convert

MINUTE_NS = 60 * 10**9
MEMORY_BYTES = 4 * 10**9


def test_a_conversion_in_a_child_gives_an_artifact_with_the_same_signature(tmp_path: Path, mlp_file: Path) -> None:
    model = examine(mlp_file, trust=False)
    artifact = convert_to_onnx(model, tmp_path / "m.onnx", trust=False, timeout_ns=MINUTE_NS, memory_bytes=MEMORY_BYTES)
    written = examine(tmp_path / "m.onnx", trust=False)
    assert model.signature == artifact.signature == written.signature
    assert (written.digest, written.size_bytes) == (artifact.digest, artifact.size_bytes)
    assert (model.digest, "onnx", "fp32") == (artifact.parent_digest, artifact.format, artifact.precision)
    assert artifact.recipe.startswith("skl2onnx ")
    assert model.classes == written.classes


def test_too_little_memory_is_an_error_with_a_way_out(tmp_path: Path, mlp_file: Path) -> None:
    model = examine(mlp_file, trust=False)
    with pytest.raises(ToolError, match=r"converting digits\.skops to ONNX failed"):
        convert_to_onnx(model, tmp_path / "m.onnx", trust=False, timeout_ns=MINUTE_NS, memory_bytes=300_000_000)
    assert not (tmp_path / "m.onnx").exists()


def test_too_little_time_is_an_error(tmp_path: Path, mlp_file: Path) -> None:
    model = examine(mlp_file, trust=False)
    with pytest.raises(ToolError, match=r"took longer than 1\.00 ms"):
        convert_to_onnx(model, tmp_path / "m.onnx", trust=False, timeout_ns=10**6, memory_bytes=MEMORY_BYTES)


def test_an_onnx_model_is_not_converted_again(tmp_path: Path) -> None:
    model = examine(samples.write_two_inputs_onnx(tmp_path / "two.onnx"), trust=False)
    with pytest.raises(UsageError, match="is not converted to ONNX") as caught:
        convert_to_onnx(model, tmp_path / "m.onnx", trust=False, timeout_ns=MINUTE_NS, memory_bytes=MEMORY_BYTES)
    assert "it is ONNX already" == caught.value.why


class Unheard(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor that no converter knows."""

    def __init__(self) -> None:
        self.n_features_in_ = 3

    def predict(self, features: Any) -> Any:
        return np.asarray(features)[:, 0]


def test_a_model_without_a_converter_is_refused_in_words(tmp_path: Path) -> None:
    from modeldyno.models.conversion import ConversionTask
    from modeldyno.models.scikit.conversion import convert

    path = tmp_path / "unheard.skops"
    skops.io.dump(Unheard(), path)
    model = examine(path, trust=True)
    task = ConversionTask(source=str(path), destination=str(tmp_path / "m.onnx"), trust=True, signature=model.signature)
    with pytest.raises(InputError, match=r"unheard\.skops cannot be converted to ONNX"):
        convert(task)


@pytest.mark.parametrize(
    ("name", "make"),
    (
        ("mlp", samples.digits_mlp),
        ("forest", samples.digits_forest),
        ("words", samples.digit_words_pipeline),
        ("ink", samples.ink_regressor),
        ("halves", samples.halves_regressor),
    ),
)
def test_every_kind_converts_to_its_own_signature_and_answers(convert: Convert, name: str, make: Any) -> None:
    model, path = convert(make(), name)
    assert model.signature == examine(path, trust=False).signature
    features, _ = samples.digits()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [spec.name for spec in model.signature.outputs]
    found = dict(zip(names, session.run(names, {"input": features[:50]}), strict=True))
    expected = make().predict(features[:50])
    if "value" in found:
        np.testing.assert_allclose(expected, found["value"], rtol=1e-4, atol=1e-4)
    else:
        assert expected.tolist() == found["label"].tolist()
        np.testing.assert_allclose(make().predict_proba(features[:50]), found["probabilities"], atol=1e-4)


def test_scores_that_are_no_probabilities_are_left_out(convert: Convert) -> None:
    features, labels = samples.digits()
    model, path = convert(RidgeClassifier().fit(features, labels), "ridge")
    assert ["label"] == [spec.name for spec in examine(path, trust=False).signature.outputs]
    assert model.signature == examine(path, trust=False).signature


def test_an_inner_tensor_with_the_name_of_an_output_is_moved_aside(convert: Convert) -> None:
    features, labels = samples.digits()
    model, path = convert(SVC().fit(features[:300], labels[:300]), "svc")
    assert model.signature == examine(path, trust=False).signature
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(["label"], {"input": features[300:350]})
    expected = SVC().fit(features[:300], labels[:300]).predict(features[300:350])
    assert expected.tolist() == found.tolist()


def test_fewer_outputs_than_asked_for_are_an_error(tmp_path: Path) -> None:
    from modeldyno.models.conversion import ConversionTask
    from modeldyno.models.scikit.conversion import convert

    path = tmp_path / "line.skops"
    save_skops(LinearRegression().fit(np.eye(3), np.arange(3.0)), path)
    signature = examine(path, trust=False).signature
    more = msgspec.structs.replace(signature, outputs=(*signature.outputs, *signature.outputs))
    with pytest.raises(ToolError, match="has 1 outputs, the original 2"):
        convert(ConversionTask(source=str(path), destination=str(tmp_path / "b"), trust=False, signature=more))
