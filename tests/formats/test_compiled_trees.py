"""Trees go all the way as machine code, where the user says so."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import xgboost
from sklearn.datasets import load_breast_cancer
from tests.formats import whole_way

from modeldyno.cli.main import main

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler"),
]


@pytest.fixture
def cancer(tmp_path: Path) -> Path:
    rows, labels = load_breast_cancer(return_X_y=True)
    rows = rows.astype(np.float32)
    matrix = xgboost.DMatrix(rows, labels)
    xgboost.train({"objective": "binary:logistic", "nthread": 1}, matrix, 30).save_model(tmp_path / "cancer.ubj")
    np.savez(tmp_path / "rows.npz", X=rows, y=labels)
    return tmp_path / "cancer.ubj"


def test_they_go_all_the_way(cancer: Path, tmp_path: Path) -> None:
    rows = np.load(tmp_path / "rows.npz")["X"][:4]
    search, bundle = whole_way.tune(cancer, tmp_path / "rows.npz", tmp_path / "out", trust=True)
    assert {"original", "onnx-fp32", "trees-compiled"} <= {one.artifact.name for one in search.assessed}
    compiled = next(one for one in search.assessed if one.artifact.name == "trees-compiled")
    assert compiled.artifact.parity is not None
    assert (0, True) == (compiled.artifact.parity.flips, compiled.artifact.parity.batch_consistent)
    outputs = whole_way.ask(bundle, {"input": rows}, arguments=("--trust",))
    booster = xgboost.Booster(model_file=str(cancer))
    np.testing.assert_allclose(booster.inplace_predict(rows), outputs["probabilities"][:, 1], atol=1e-5)


def test_without_a_word_they_are_not_made_and_by_name_the_reason_is_told(
    cancer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["compress", str(cancer), "--recipe", "trees-compiled", "--budget", "1ms", "--out"]
    main([*command, str(tmp_path / "one")])
    assert "and --trust" in " ".join(capsys.readouterr().out.split())
    assert not (tmp_path / "one" / "trees-compiled.so").exists()
    assert 0 == main([*command, str(tmp_path / "two"), "--trust"])
    told = " ".join(capsys.readouterr().out.split())
    assert "compiled for" in told
    assert (tmp_path / "two" / "trees-compiled.so").is_file()
