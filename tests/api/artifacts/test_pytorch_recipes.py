"""What is made of a PyTorch model for PyTorch itself, and for whom."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from modeldyno.api.artifacts import pytorch_recipes
from modeldyno.api.artifacts.opening import artifact_of
from modeldyno.api.artifacts.pytorch_recipes import PYTORCH_RECIPES
from modeldyno.api.artifacts.recipe import Situation
from modeldyno.api.artifacts.recipes import make_artifacts
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.models.examine import examine
from modeldyno.protocols import Silent
from modeldyno.records.artifact import Artifact
from modeldyno.records.deployment import SessionSettings
from modeldyno.testing import models as samples

RECIPES = {recipe.name: recipe for recipe in PYTORCH_RECIPES}


@pytest.fixture
def original(tmp_path: Path) -> Artifact:
    model = examine(samples.write_dense_onnx(tmp_path / "dense.onnx"), trust=False)
    return msgspec.structs.replace(artifact_of(model), format="transformers", precision="fp32")


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytorch_recipes, "has_cuda", lambda: False)


def situation(
    folder: Path, *, parameters: int = 2_000_000, flag: str = "amx_bf16", trust: bool = False, asked: str = ""
) -> Situation:
    model = examine(folder / "dense.onnx", trust=False)
    return Situation(
        model=msgspec.structs.replace(model, parameters=parameters),
        dataset=synthetic_dataset(model.signature, 4, 0),
        folder=folder,
        cpu_flags=("avx2", flag),
        trust=trust,
        asked=(asked,) if asked else (),
    )


def concerned(original: Artifact, folder: Path, **given: Any) -> set[str]:
    return {name for name, recipe in RECIPES.items() if recipe.concerns(situation(folder, **given), original)}


@pytest.mark.parametrize("flag", ("amx_bf16", "avx512_bf16"))
def test_large_modules_are_tried_in_bfloat16_where_the_processor_has_it(
    original: Artifact, tmp_path: Path, flag: str
) -> None:
    assert "pytorch-bf16" in concerned(original, tmp_path, flag=flag)
    module = msgspec.structs.replace(original, format="torch-module")
    assert "pytorch-bf16" in concerned(module, tmp_path, flag=flag)


@pytest.mark.parametrize(
    ("artifact", "given"),
    (
        ({}, {"flag": "avx512_vnni"}),
        ({}, {"parameters": 20_000}),
        ({"format": "torch-export"}, {}),
        ({"format": "torchscript"}, {}),
        ({"precision": "bf16"}, {}),
    ),
)
def test_others_are_not(original: Artifact, tmp_path: Path, artifact: dict[str, Any], given: dict[str, Any]) -> None:
    assert "pytorch-bf16" not in concerned(msgspec.structs.replace(original, **artifact), tmp_path, **given)


def test_it_is_the_same_file_opened_otherwise(original: Artifact, tmp_path: Path) -> None:
    made = RECIPES["pytorch-bf16"].make(situation(tmp_path), original, tmp_path / "pytorch-bf16")
    assert (original.path, original.digest) == (made.path, made.parent_digest)
    assert ("bf16", SessionSettings(precision="bf16")) == (made.precision, made.session)
    compiled = RECIPES["pytorch-compiled"].make(situation(tmp_path), original, tmp_path / "pytorch-compiled")
    assert (original.path, original.digest) == (compiled.path, compiled.parent_digest)
    assert ("fp32", SessionSettings(mode="compiled")) == (compiled.precision, compiled.session)


def test_what_can_be_compiled_ahead_is_not_compiled_at_every_opening_too(original: Artifact, tmp_path: Path) -> None:
    without_trust = concerned(original, tmp_path)
    assert {"pytorch-bf16", "pytorch-compiled"} == without_trust
    trusted = concerned(original, tmp_path, trust=True)
    assert {"pytorch-bf16", "pytorch-aoti", "pytorch-aoti-bf16", "pytorch-compiled"} == trusted
    (tmp_path / "pytorch-aoti.pt2").touch()  # as the recipe before it leaves it
    assert "pytorch-compiled" not in concerned(original, tmp_path, trust=True)
    assert "pytorch-compiled" in concerned(original, tmp_path, trust=True, asked="pytorch-compiled")


def test_small_models_are_compiled_when_that_is_asked_for(original: Artifact, tmp_path: Path) -> None:
    assert set() == concerned(original, tmp_path, parameters=5_000, trust=True)
    assert "pytorch-compiled" in concerned(original, tmp_path, parameters=5_000, asked="pytorch-compiled")


def test_torchscript_is_frozen_and_nothing_else(original: Artifact, tmp_path: Path) -> None:
    script = msgspec.structs.replace(original, format="torchscript")
    assert {"torchscript-frozen"} == concerned(script, tmp_path, trust=True)
    made = RECIPES["torchscript-frozen"].make(situation(tmp_path), script, tmp_path / "torchscript-frozen")
    assert SessionSettings(mode="frozen") == made.session


def test_recipes_for_a_gpu_concern_models_where_there_is_one(
    original: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pytorch_recipes, "has_cuda", lambda: True)
    found = {name for name in concerned(original, tmp_path) if "cuda" in name}
    assert {
        f"pytorch-cuda{rest}" for rest in ("", "-fp16", "-bf16", "-compiled", "-fp16-compiled", "-graph", "-fp16-graph")
    } == found
    made = RECIPES["pytorch-cuda-fp16-graph"].make(situation(tmp_path), original, tmp_path / "x")
    assert ("fp16", SessionSettings(device="cuda", precision="fp16", mode="cuda-graph")) == (
        made.precision,
        made.session,
    )
    exported = msgspec.structs.replace(original, format="torch-export")
    found = {name for name in concerned(exported, tmp_path) if "cuda" in name}
    assert {"pytorch-cuda", "pytorch-cuda-compiled", "pytorch-cuda-graph"} == found


def test_asked_for_by_name_without_a_gpu_it_is_said_what_is_missing(original: Artifact, tmp_path: Path) -> None:
    made, refused = make_artifacts(
        original,
        situation(tmp_path, asked="pytorch-cuda-graph"),
        [RECIPES["pytorch-cuda-graph"]],
        progress=Silent(),
        is_time_up=lambda: False,
    )
    assert [] == made
    assert ["pytorch-cuda-graph"] == [one.name for one in refused]
    assert "a GPU that PyTorch finds" in refused[0].reason
