"""What is made of a PyTorch model for PyTorch itself, and for whom."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from modeldyno.api.artifacts.opening import artifact_of
from modeldyno.api.artifacts.pytorch_recipes import PYTORCH_RECIPES
from modeldyno.api.artifacts.recipe import Situation
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.models.examine import examine
from modeldyno.records.artifact import Artifact
from modeldyno.records.deployment import SessionSettings
from modeldyno.testing import models as samples


@pytest.fixture
def original(tmp_path: Path) -> Artifact:
    model = examine(samples.write_dense_onnx(tmp_path / "dense.onnx"), trust=False)
    return msgspec.structs.replace(artifact_of(model), format="transformers", precision="fp32")


def concerns(original: Artifact, folder: Path, *, parameters: int = 2_000_000, flag: str = "amx_bf16") -> bool:
    model = examine(folder / "dense.onnx", trust=False)
    (recipe,) = PYTORCH_RECIPES
    situation = Situation(
        model=msgspec.structs.replace(model, parameters=parameters),
        dataset=synthetic_dataset(model.signature, 4, 0),
        folder=folder,
        cpu_flags=("avx2", flag),
        trust=False,
    )
    return recipe.concerns(situation, original)


@pytest.mark.parametrize("flag", ("amx_bf16", "avx512_bf16"))
def test_large_modules_are_tried_in_bfloat16_where_the_processor_has_it(
    original: Artifact, tmp_path: Path, flag: str
) -> None:
    assert concerns(original, tmp_path, flag=flag)
    assert concerns(msgspec.structs.replace(original, format="torch-module"), tmp_path, flag=flag)


@pytest.mark.parametrize(
    ("artifact", "situation"),
    (
        ({}, {"flag": "avx512_vnni"}),
        ({}, {"parameters": 20_000}),
        ({"format": "torch-export"}, {}),
        ({"format": "torchscript"}, {}),
        ({"precision": "bf16"}, {}),
    ),
)
def test_others_are_not(
    original: Artifact, tmp_path: Path, artifact: dict[str, Any], situation: dict[str, Any]
) -> None:
    assert not concerns(msgspec.structs.replace(original, **artifact), tmp_path, **situation)


def test_it_is_the_same_file_opened_otherwise(original: Artifact, tmp_path: Path) -> None:
    model = examine(tmp_path / "dense.onnx", trust=False)
    dataset = synthetic_dataset(model.signature, 4, 0)
    situation = Situation(model=model, dataset=dataset, folder=tmp_path, cpu_flags=(), trust=False)
    made = PYTORCH_RECIPES[0].make(situation, original, tmp_path / "pytorch-bf16")
    assert (original.path, original.digest) == (made.path, made.parent_digest)
    assert ("bf16", SessionSettings(precision="bf16")) == (made.precision, made.session)
