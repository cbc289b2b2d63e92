"""Directories as MLflow 3.17 writes them."""

import shutil
import sys
from pathlib import Path

import pytest

from modeldyno.errors import InputError, TrustError, UsageError
from modeldyno.models.examine import examine
from modeldyno.models.mlflow_folder import model_in
from modeldyno.testing import models as samples

MANIFEST = """flavors:
  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.{flavour}
    python_version: 3.11.7
  {flavour}:
    code: null
    {field}: {file}
mlflow_version: 3.17.2
model_id: null
utc_time_created: '2026-11-22 08:22:01.404671'
"""


def folder_of(path: Path, flavour: str, field: str, file: str) -> Path:
    path.mkdir(exist_ok=True)
    (path / "MLmodel").write_text(MANIFEST.format(flavour=flavour, field=field, file=file))
    return path


def test_the_model_of_its_library_is_found(mlp_file: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "model", "sklearn", "pickled_model", "model.skops")
    shutil.copy(mlp_file, folder / "model.skops")
    assert examine(mlp_file, trust=False).digest == examine(folder, trust=False).digest


def test_a_pickle_in_it_needs_trust_as_any_other(tmp_path: Path) -> None:
    import joblib

    folder = folder_of(tmp_path / "model", "sklearn", "pickled_model", "model.pkl")
    joblib.dump(samples.digits_mlp(), folder / "model.pkl")
    with pytest.raises(TrustError):
        examine(folder, trust=False)
    assert "sklearn" == examine(folder, trust=True).format


def test_onnx_is_found_too(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "model", "onnx", "data", "model.onnx")
    samples.write_two_inputs_onnx(folder / "model.onnx")
    assert "onnx" == examine(folder, trust=False).format


def test_keras_has_its_file_in_a_folder(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "model", "keras", "data", "data")
    (folder / "data").mkdir()
    (folder / "data" / "model.keras").write_bytes(b"x")
    assert folder / "data" / "model.keras" == model_in(folder / "MLmodel")


@pytest.mark.parametrize(
    ("manifest", "said"),
    (
        ("flavors: [", "cannot read"),
        ("mlflow_version: 3", "has no `flavors`"),
        ("- 1", "has no `flavors`"),
        ("flavors:\n  python_function:\n    loader_module: mine", "it has python_function"),
        (MANIFEST.format(flavour="onnx", field="data", file="model.onnx"), "model.onnx is missing"),
        (MANIFEST.format(flavour="onnx", field="data", file="../model.onnx"), "model.onnx is missing"),
        (MANIFEST.format(flavour="onnx", field="data", file="/etc/passwd"), "passwd is missing"),
        (MANIFEST.format(flavour="onnx", field="data", file="."), "is missing"),
    ),
)
def test_what_cannot_be_opened_is_said(manifest: str, said: str, tmp_path: Path) -> None:
    samples.write_two_inputs_onnx(tmp_path / "model.onnx")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text(manifest)
    with pytest.raises(InputError) as caught:
        examine(tmp_path / "model", trust=False)
    assert said in f"{caught.value.what}; {caught.value.why}"


def test_without_the_library_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path / "model", "onnx", "data", "model.onnx")
    monkeypatch.delitem(sys.modules, "yaml", raising=False)
    monkeypatch.setattr("modeldyno.models.mlflow_folder.find_spec", lambda _: None)
    with pytest.raises(UsageError) as caught:
        examine(folder, trust=False)
    assert "pip install 'modeldyno[mlflow]'" == caught.value.hint
