"""A directory as MLflow writes it, all the way."""

from pathlib import Path

import numpy as np
import pytest
import skops.io
from tests.formats import whole_way

from modeldyno.testing import models as samples

MANIFEST = """flavors:
  python_function:
    loader_module: mlflow.sklearn
    model_path: model.skops
  sklearn:
    code: null
    pickled_model: model.skops
    serialization_format: skops
mlflow_version: 3.17.2
"""


@pytest.mark.proves("MLflow model", files="directory with MLmodel; see the flavour's own line", extra="mlflow")
def test_it_goes_all_the_way(tmp_path: Path) -> None:
    estimator, (rows, labels) = samples.digits_forest(), samples.digits()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text(MANIFEST)
    skops.io.dump(estimator, tmp_path / "model" / "model.skops")
    np.savez(tmp_path / "rows.npz", X=rows[:300], y=labels[:300])
    _, bundle = whole_way.tune(tmp_path / "model", tmp_path / "rows.npz", tmp_path / "out")
    outputs = whole_way.ask(bundle, {"input": rows[:5]})
    np.testing.assert_array_equal(estimator.predict(rows[:5]), outputs["label"])
