"""Rows without some of their numbers: trees answer them in ONNX as they do in scikit-learn."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from skops.io import dump

from modeldyno.models.conversion import ConversionTask
from modeldyno.models.examine import examine
from modeldyno.models.scikit.conversion import convert
from modeldyno.models.scikit.missing_directions import keep_missing_directions


def rows_with_gaps() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Rows whose label says more often 1 where the second number is missing."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(600, 4)).astype(np.float32)
    rows[generator.random(rows.shape) < 0.2] = np.nan
    return rows, ((rows[:, 0] > 0) | np.isnan(rows[:, 1])).astype(np.int64)


def converted(estimator: Any, folder: Path) -> Path:
    dump(estimator, folder / "model.skops")
    model = examine(folder / "model.skops", trust=False)
    task = ConversionTask(
        source=model.path, destination=str(folder / "model.onnx"), signature=model.signature, trust=False
    )
    convert(task)
    return folder / "model.onnx"


@pytest.mark.parametrize(
    "estimator",
    (
        RandomForestClassifier(5, random_state=0),
        ExtraTreesClassifier(5, random_state=0),
        RandomForestRegressor(5, random_state=0),
        DecisionTreeClassifier(random_state=0),
        make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)),
        HistGradientBoostingClassifier(max_iter=5),
    ),
    ids=lambda one: type(one).__name__,
)
@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
def test_rows_with_gaps_are_answered_alike(tmp_path: Path, estimator: Any) -> None:
    rows, labels = rows_with_gaps()
    estimator.fit(rows, labels)
    session = onnxruntime.InferenceSession(str(converted(estimator, tmp_path)), providers=["CPUExecutionProvider"])
    found = [np.asarray(one) for one in session.run(None, {"input": rows})]
    expected = estimator.predict_proba(rows) if hasattr(estimator, "predict_proba") else estimator.predict(rows)
    assert np.allclose(expected, found[-1], atol=1e-5)


def test_a_graph_without_the_branches_of_the_estimator_is_left_as_it_is() -> None:
    rows, labels = rows_with_gaps()
    forest = RandomForestClassifier(5, random_state=0).fit(rows, labels)
    other = RandomForestClassifier(3, random_state=1).fit(rows, labels)
    graph = convert_sklearn(forest, initial_types=[("input", FloatTensorType([None, 4]))])
    before = graph.SerializeToString()
    keep_missing_directions(graph, other)
    keep_missing_directions(graph, LogisticRegression().fit(np.nan_to_num(rows), labels))
    assert before == graph.SerializeToString()
