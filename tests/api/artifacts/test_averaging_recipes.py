"""When answers are averaged over copies of rows, and what comes of it."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from skops.io import dump
from tests.models.onnx.averaging_models import bright_images, write_left_half

import modeldyno
from modeldyno.api.artifacts.recipes import recipes_for
from modeldyno.api.workshop.candidates import Maker
from modeldyno.data.files import open_dataset
from modeldyno.models.examine import examine
from modeldyno.protocols import Silent
from modeldyno.records.objective import parse_objectives
from modeldyno.records.search import Assessed, Refusal
from modeldyno.search.choose import passes_quality

MIRROR = "onnx-tta-mirror"
OFFERED = (MIRROR, "onnx-tta-shift", "onnx-tta-brightness", "onnx-tta-noise")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    pixels, labels = bright_images(1_000)
    np.savez(tmp_path / "images.npz", X=pixels, y=labels)
    return tmp_path / "images.npz"


def made(
    model: Path, data: Path, slo: str, *asked: str, recipes: tuple[str, ...] = ()
) -> tuple[list[Assessed], list[Refusal]]:
    examined = examine(model, trust=False)
    maker = Maker(
        model=examined,
        dataset=open_dataset(data, examined.signature),
        is_real_data=True,
        objectives=parse_objectives(slo),
        work=data.parent,
        trust=False,
        seed=1,
        progress=Silent(),
        recipes=recipes_for(asked or recipes) if asked or recipes else None,
        asked=asked,
    )
    return maker.make()


def names(assessed: list[Assessed]) -> list[str]:
    return [one.artifact.name for one in assessed if one.artifact.name.startswith("onnx-tta-")]


def test_a_search_averages_images_where_accuracy_is_not_clearly_reached(images: Path) -> None:
    model = write_left_half(images.with_name("left.onnx"))
    assessed, _ = made(model, images, "accuracy>=0.95", recipes=OFFERED)
    assert [MIRROR, "onnx-tta-shift", "onnx-tta-brightness"] == names(assessed)
    passing = [one for one in assessed if passes_quality(one)]
    assert [MIRROR] == [one.artifact.name for one in passing]
    (mirrored,) = passing
    assert (
        "each row answered 2 times (mirror 1, 1 copy), numbers averaged, label of the highest mean of probabilities"
        == mirrored.artifact.recipe
    )
    assert mirrored.artifact.parity is not None
    assert mirrored.artifact.parity.batch_consistent


@pytest.mark.parametrize("slo", ("accuracy>=0.8", "flip_rate<=1%", "accuracy_drop<=1%"))
def test_a_search_leaves_it_where_quality_is_there_or_only_must_not_be_lost(images: Path, slo: str) -> None:
    model = write_left_half(images.with_name("left.onnx"))
    assessed, refused = made(model, images, slo, recipes=OFFERED)
    assert ([], []) == (names(assessed), refused)


def test_rows_of_a_table_get_noise_and_only_where_it_is_asked_for_do_images(images: Path, tmp_path: Path) -> None:
    model = write_left_half(tmp_path / "left.onnx")
    assessed, _ = made(model, images, "flip_rate<=50%", "onnx-tta-noise")
    assert ["onnx-tta-noise"] == names(assessed)
    generator = np.random.default_rng(0)
    rows, labels = generator.normal(size=(300, 4)).astype(np.float32), np.tile([0, 1], 150)
    np.savez(tmp_path / "table.npz", X=rows, y=labels)
    dump(LogisticRegression().fit(rows, labels), tmp_path / "table.skops")
    assessed, refused = made(tmp_path / "table.skops", tmp_path / "table.npz", "flip_rate<=50%", MIRROR)
    assert [] == names(assessed)
    assert [MIRROR] == [one.name for one in refused]
    assert "with batches of images" in refused[0].reason
    assessed, _ = made(tmp_path / "table.skops", tmp_path / "table.npz", "accuracy>=0.9", recipes=("onnx-tta-noise",))
    (noisy,) = [one for one in assessed if one.artifact.name == "onnx-tta-noise"]
    assert "label of the highest mean of probabilities" in noisy.artifact.recipe
    assert noisy.change is not None
    assert noisy.change.flip_rate is not None
    assert noisy.change.flip_rate.value < 0.05  # noise and its opposite cancel out of what is nearly linear


def test_compress_says_that_the_averaged_model_is_good_enough_and_what_it_costs(images: Path, tmp_path: Path) -> None:
    from modeldyno.reports.terminal.derivation import compression_text

    model = write_left_half(tmp_path / "left.onnx")
    found = modeldyno.compress(
        model, data=images, slo="accuracy>=0.95", recipes=(MIRROR,), out=tmp_path / "small", budget_ns=8_000_000_000
    )
    told = " ".join(compression_text(found).split())
    assert f"best {MIRROR}: it meets every objective, which the model as it came does not" in told
    (mirrored,) = found.made
    assert "accuracy 9" in mirrored.why
    assert ": a gain; calibration error" in mirrored.why
    assert "× " in mirrored.why.rsplit("; ", 1)[1]
    assert mirrored.why.endswith("as fast as the model as it came with calls of 32 rows")


@pytest.mark.slow
def test_a_search_ends_with_the_averaged_model_where_only_that_is_good_enough(images: Path, tmp_path: Path) -> None:
    model = write_left_half(tmp_path / "left.onnx")
    search = modeldyno.tune(
        model, data=images, slo="accuracy>=0.95", budget_ns=40_000_000_000, out=tmp_path / "out", rate_per_s=50
    )
    assert search.winner is not None
    assert MIRROR == search.winner.artifact
    assert [("accuracy>=0.95", "pass")] == [(one.objective, one.verdict) for one in search.verdicts]
    assert any(one.startswith(f"{MIRROR}: accuracy 9") and ": a gain" in one for one in search.why)
    assert search.bundle is not None
    evaluation = modeldyno.evaluate(search.bundle, data=images)
    assert evaluation.recheck is not None
    assert "pass" == evaluation.recheck.verdict
