from pathlib import Path

import joblib
import pytest
from onnx import TensorProto

from modeldyno.errors import InputError, TrustError
from modeldyno.models.examine import examine
from modeldyno.models.scikit.estimator import save_skops
from modeldyno.testing import models as samples


def test_a_classifier_tells_its_classes_signature_and_size(mlp_file: Path) -> None:
    model = examine(mlp_file, trust=False)
    assert ("digits", "sklearn", "MLPClassifier", "classification") == (
        model.name,
        model.format,
        model.description,
        model.task,
    )
    assert tuple(range(10)) == model.classes
    assert [("input", "FP32", ("batch", 64))] == [(s.name, s.datatype, s.shape) for s in model.signature.inputs]
    assert [("label", "INT64", ("batch",)), ("probabilities", "FP32", ("batch", 10))] == [
        (s.name, s.datatype, s.shape) for s in model.signature.outputs
    ]
    assert 64 * 32 + 32 + 32 * 10 + 10 == model.parameters
    assert mlp_file.stat().st_size == model.size_bytes
    assert model.digest.startswith("sha256:")
    assert model.made_with.startswith("scikit-learn ")


def test_the_task_of_the_caller_wins(mlp_file: Path) -> None:
    assert "unknown" == examine(mlp_file, trust=False, task="unknown").task


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InputError, match=r"nowhere\.onnx") as caught:
        examine(Path("nowhere.onnx"), trust=False)
    assert "No such file or directory" == caught.value.why


def test_a_folder_is_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a directory, and not a model"):
        examine(tmp_path, trust=False)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.touch()
    with pytest.raises(InputError, match="is empty"):
        examine(path, trust=False)


def test_an_unknown_extension_lists_the_known_ones_and_what_the_content_looks_like(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    joblib.dump({}, path)
    with pytest.raises(InputError) as caught:
        examine(path, trust=False)
    assert ".onnx" in caught.value.why
    assert "pickle" in caught.value.why


def test_weights_without_their_network_are_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes((2).to_bytes(8, "little") + b'{"x":{}}')
    with pytest.raises(InputError) as caught:
        examine(path, trust=False)
    assert "weights, without the network" in caught.value.why


@pytest.mark.parametrize("ending", (".joblib", ".pkl", ".pickle"))
def test_a_pickle_is_not_loaded_without_trust(tmp_path: Path, ending: str) -> None:
    evidence = tmp_path / "ran"
    path = tmp_path / f"model{ending}"
    joblib.dump(_Trap(evidence), path)
    with pytest.raises(TrustError, match="is a pickle") as caught:
        examine(path, trust=False)
    assert not evidence.exists()
    assert "runs whatever code" in caught.value.why
    assert "--trust" in caught.value.hint
    assert "skops.io.dump" in caught.value.hint


def test_a_trusted_pickle_is_the_same_model_as_its_skops(tmp_path: Path, mlp_file: Path) -> None:
    path = tmp_path / "digits.joblib"
    joblib.dump(samples.digits_mlp(), path)
    trusted, skops = examine(path, trust=True), examine(mlp_file, trust=False)
    assert (skops.signature, skops.classes) == (trusted.signature, trusted.classes)


def test_a_trusted_pickle_that_is_damaged_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "digits.joblib"
    joblib.dump(samples.digits_mlp(), path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match="cannot be read as a pickle"):
        examine(path, trust=True)


@pytest.mark.parametrize("kept", (4, 100, 5000, -10))
def test_a_truncated_skops_is_an_input_error(tmp_path: Path, mlp_file: Path, kept: int) -> None:
    path = tmp_path / "cut.skops"
    path.write_bytes(mlp_file.read_bytes()[:kept])
    with pytest.raises(InputError, match="cannot be read as a skops file"):
        examine(path, trust=False)


def test_something_else_than_a_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "numbers.skops"
    save_skops({"a": 1}, path)
    with pytest.raises(InputError, match="holds a dict, which is not a model"):
        examine(path, trust=False)


@pytest.mark.parametrize("share", (0.01, 0.3, 0.7, 0.99))
def test_a_truncated_onnx_is_an_input_error(tmp_path: Path, share: float) -> None:
    content = samples.write_dense_onnx(tmp_path / "whole.onnx", width=16).read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match="is not a valid ONNX model"):
        examine(path, trust=False)


def test_text_with_an_onnx_name_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("<html>404 not found</html>")
    with pytest.raises(InputError, match="is not a valid ONNX model"):
        examine(path, trust=False)


def test_an_onnx_model_tells_what_it_is(tmp_path: Path) -> None:
    path = samples.write_two_inputs_onnx(tmp_path / "two.onnx")
    model = examine(path, trust=False)
    assert ("two", "onnx", "ONNX opset 17, 2 nodes", "unknown", "testing") == (
        model.name,
        model.format,
        model.description,
        model.task,
        model.made_with,
    )


def test_an_onnx_model_with_whole_number_answers_is_a_classifier(tmp_path: Path) -> None:
    path = samples.write_echo_onnx(tmp_path / "echo.onnx", TensorProto.INT64, ("batch",))
    assert "classification" == examine(path, trust=False).task


class _Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, evidence: Path) -> None:
        self.evidence = evidence

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.evidence,))
