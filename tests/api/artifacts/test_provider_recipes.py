"""Which execution providers a search tries, and how their artifacts are meant to be opened."""

from collections.abc import Callable
from pathlib import Path

import pytest

from modeldyno.api.artifacts.opening import artifact_of
from modeldyno.api.artifacts.provider_recipes import PROVIDER_RECIPES
from modeldyno.api.artifacts.recipe import Situation
from modeldyno.api.artifacts.recipes import RECIPES, make_artifacts
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.models.examine import examine
from modeldyno.protocols import Silent
from modeldyno.records.artifact import Artifact
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.search import Refusal
from modeldyno.runtimes import onnx_providers
from modeldyno.testing import models as samples

Made = tuple[list[Artifact], list[Refusal]]


@pytest.fixture
def follow(tmp_path: Path) -> Callable[..., Made]:
    def made(*asked: str) -> Made:
        model = examine(samples.write_dense_onnx(tmp_path / "dense.onnx"), trust=False)
        situation = Situation(
            model=model,
            dataset=synthetic_dataset(model.signature, rows=8, seed=0),
            folder=tmp_path,
            cpu_flags=(),
            trust=False,
            asked=asked,
        )
        return make_artifacts(
            artifact_of(model), situation, PROVIDER_RECIPES, progress=Silent(), is_time_up=lambda: False
        )

    return made


def test_a_search_follows_them() -> None:
    assert set(PROVIDER_RECIPES) <= set(RECIPES)


def test_nothing_is_proposed_for_a_provider_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, follow: Callable[..., Made]
) -> None:
    monkeypatch.setattr(onnx_providers, "execution_providers", lambda: {"CPU"})
    assert ([], []) == follow()


def test_one_that_was_asked_for_says_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, follow: Callable[..., Made]
) -> None:
    monkeypatch.setattr(onnx_providers, "execution_providers", lambda: {"CPU"})
    made, refused = follow("onnx-cuda")
    assert ([], ["onnx-cuda"]) == (made, [one.name for one in refused])
    assert "onnxruntime-gpu installed in place of onnxruntime" in refused[0].reason


def test_installed_providers_are_artifacts_of_the_same_file_that_are_opened_otherwise(
    monkeypatch: pytest.MonkeyPatch, follow: Callable[..., Made]
) -> None:
    monkeypatch.setattr(onnx_providers, "execution_providers", lambda: {"CPU", "CUDA", "OpenVINO"})
    made, _ = follow()
    assert [
        ("onnx-cuda", SessionSettings(device="cuda")),
        ("onnx-openvino", SessionSettings(mode="openvino")),
    ] == [(one.name, one.session) for one in made]
    assert 1 == len({one.path for one in made})
    assert "computed by the CUDA execution provider" in made[0].recipe
