"""What is made of ONNX graphs with attention, from what, and what only on request."""

from pathlib import Path

from tests.compression.attentions import write_attention
from tests.compression.networks import write_uneven_onnx

from modeldyno.api.artifacts.opening import artifact_of
from modeldyno.api.artifacts.recipe import Situation
from modeldyno.api.artifacts.recipes import RECIPES, make_artifacts, recipes_for
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.models.examine import examine
from modeldyno.protocols import Silent
from modeldyno.records.artifact import Artifact
from modeldyno.records.search import Refusal


def follow(source: Path, *names: str) -> tuple[dict[str, Artifact], list[Refusal]]:
    model = examine(source, trust=False)
    situation = Situation(
        model=model,
        dataset=synthetic_dataset(model.signature, rows=8, seed=0),
        folder=source.parent / "made",
        cpu_flags=("avx512_vnni", "sse4_2"),
        trust=False,
        asked=names,
    )
    made, refused = make_artifacts(
        artifact_of(model), situation, recipes_for(names), progress=Silent(), is_time_up=lambda: False
    )
    return {one.name: one for one in made}, refused


def test_int8_is_made_of_the_graph_with_fused_attention(tmp_path: Path) -> None:
    made, refused = follow(write_attention(tmp_path / "a.onnx", masked="none"), "onnx-int8-dynamic")
    assert (["onnx-fused", "onnx-int8-dynamic"], []) == (list(made), refused)
    assert made["onnx-fused"].digest == made["onnx-int8-dynamic"].parent_digest


def test_without_attention_int8_is_made_of_the_graph_as_it_is_without_a_word(tmp_path: Path) -> None:
    source = write_uneven_onnx(tmp_path / "b.onnx", factor=1.0)
    made, refused = follow(source, "onnx-int8-dynamic")
    assert (["onnx-int8-dynamic"], []) == (list(made), refused)
    assert examine(source, trust=False).digest == made["onnx-int8-dynamic"].parent_digest


def test_attention_that_is_not_there_is_said_to_be_needed_where_it_was_asked_for(tmp_path: Path) -> None:
    made, refused = follow(write_uneven_onnx(tmp_path / "b.onnx", factor=1.0), "onnx-fused")
    assert ({}, ["onnx-fused"]) == (made, [one.name for one in refused])
    assert "that has attention" in refused[0].reason


def test_the_optimised_graph_is_made_only_when_it_is_asked_for(tmp_path: Path) -> None:
    made, _ = follow(write_uneven_onnx(tmp_path / "b.onnx", factor=1.0), "onnx-optimised")
    assert ["onnx-optimised"] == list(made)
    assert "onnx-optimised" not in [recipe.name for recipe in RECIPES]
