"""Boosted trees in ONNX answer rows without some of their numbers as their own libraries do."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from modeldyno.errors import InputError
from modeldyno.models.boosters.conversion import convert
from modeldyno.models.conversion import ConversionTask
from modeldyno.models.examine import examine

lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")


def rows_with_gaps() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Rows whose label says more often 1 where the second number is missing, and some zeros."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(600, 4)).astype(np.float32)
    rows[generator.random(rows.shape) < 0.1] = 0
    rows[generator.random(rows.shape) < 0.2] = np.nan
    return rows, ((rows[:, 0] > 0) | np.isnan(rows[:, 1])).astype(np.int64)


def probabilities(model: Path, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of the second class, from the converted model."""
    examined = examine(model, trust=False)
    made = model.with_suffix(".onnx")
    convert(
        ConversionTask(source=str(model), destination=str(made), signature=examined.signature, trust=False),
    )
    session = onnxruntime.InferenceSession(str(made), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"input": rows})[1])[:, 1]


@pytest.mark.parametrize("is_trained_with_gaps", (True, False))
def test_xgboost(tmp_path: Path, *, is_trained_with_gaps: bool) -> None:
    rows, labels = rows_with_gaps()
    training = rows if is_trained_with_gaps else np.nan_to_num(rows)
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(training, labels), 10)
    booster.save_model(tmp_path / "model.ubj")
    assert np.allclose(booster.inplace_predict(rows), probabilities(tmp_path / "model.ubj", rows), atol=1e-5)


@pytest.mark.parametrize("is_trained_with_gaps", (True, False))
def test_lightgbm_which_takes_a_gap_for_zero_where_it_never_saw_one(
    tmp_path: Path, *, is_trained_with_gaps: bool
) -> None:
    rows, labels = rows_with_gaps()
    training = rows if is_trained_with_gaps else np.nan_to_num(rows)
    booster = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(training, labels), 10)
    booster.save_model(tmp_path / "model.txt")
    assert np.allclose(booster.predict(rows), probabilities(tmp_path / "model.txt", rows), atol=1e-5)


def test_lightgbm_that_takes_zeros_for_gaps_is_not_converted(tmp_path: Path) -> None:
    rows, labels = rows_with_gaps()
    settings = {"objective": "binary", "verbose": -1, "zero_as_missing": True}
    lightgbm.train(settings, lightgbm.Dataset(rows, labels), 10).save_model(tmp_path / "model.txt")
    with pytest.raises(InputError, match="cannot be converted to ONNX") as caught:
        probabilities(tmp_path / "model.txt", rows)
    assert "zero_as_missing" in caught.value.why
