"""Robustness of several models served as one: rows are changed before the first of them."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

import modeldyno
from modeldyno.api.judging.changed_rows import Changes
from modeldyno.augmentation.perturbing import parse_perturbations
from modeldyno.records.files import write_record
from modeldyno.records.processing import Impute, Processing
from modeldyno.records.signature import TensorSpec
from modeldyno.testing.scikit_bundles import write_scikit_bundle

CHANGES = Changes(
    perturb=parse_perturbations("noise=0.01:2,missing=0.3"), augment=parse_perturbations("noise=0.1")[0], copies=2
)


def rows_and_labels() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    generator = np.random.default_rng(0)
    rows, labels = generator.normal(size=(400, 2)).astype(np.float32), np.tile([0, 1], 200)
    rows[:, 0] += np.where(labels, 2, -2)
    return rows, labels


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_scikit_bundle(tmp_path / "model.bundle", LogisticRegression().fit(*rows_and_labels()))
    return tmp_path / "model.bundle"


@pytest.mark.parametrize("kind", ("cascade", "ensemble"))
def test_models_beside_and_behind_one_another_lose_accuracy_with_the_noise(
    bundle: Path, tmp_path: Path, kind: Literal["cascade", "ensemble"]
) -> None:
    rows, labels = rows_and_labels()
    np.savez(tmp_path / "rows.npz", X=rows, y=labels)
    other = tmp_path / "other.bundle"
    write_scikit_bundle(other, LogisticRegression(C=0.01).fit(rows, labels))
    rule = modeldyno.JoinRule(thresholds=(0.9,)) if kind == "cascade" else modeldyno.JoinRule(vote="label")
    whole = tmp_path / "whole"
    modeldyno.combine(kind, [bundle, other], out=whole, rule=rule)
    found = modeldyno.evaluate(whole, data=tmp_path / "rows.npz", changes=CHANGES)
    assert found.robustness is not None
    assert ["noise", "missing"] == [curve.kind for curve in found.robustness.curves]
    weak, strong = found.robustness.curves[0].points
    assert weak.metrics["accuracy"].value > 0.9 > strong.metrics["accuracy"].value
    assert found.augmentation is not None
    assert found.augmentation.metrics["accuracy"].value > 0.9


def test_gaps_that_the_pipeline_fills_are_let_in_and_noise_spares_them(bundle: Path, tmp_path: Path) -> None:
    rows, labels = rows_and_labels()
    rows[::7, 1] = np.nan
    np.savez(tmp_path / "rows.npz", X=rows, y=labels)
    spec = TensorSpec(name="input", datatype="FP32", shape=("batch", 2))
    filling = Processing(inputs=(spec,), operations=(Impute(tensor="input", values=(0.0, 0.0)),))
    write_record(tmp_path / "fill.json", filling)
    modeldyno.combine("sequence", [tmp_path / "fill.json", bundle], out=tmp_path / "whole")
    found = modeldyno.evaluate(tmp_path / "whole", data=tmp_path / "rows.npz", changes=CHANGES)
    assert found.robustness is not None
    weak, strong = found.robustness.curves[0].points
    assert weak.metrics["accuracy"].value > strong.metrics["accuracy"].value
    assert weak.flip_rate is not None
    assert strong.flip_rate is not None
    assert strong.flip_rate.value > weak.flip_rate.value
