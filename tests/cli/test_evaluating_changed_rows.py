import json
from pathlib import Path

import numpy as np
import pytest

from modeldyno.cli.main import main


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    import skops.io
    from sklearn.linear_model import LogisticRegression

    rows = np.random.default_rng(0).normal(size=(120, 2))
    labels = (rows[:, 0] > 0).astype(int)
    skops.io.dump(LogisticRegression().fit(rows, labels), tmp_path / "model.skops")
    np.savez(tmp_path / "rows.npz", X=rows, y=labels)
    return ["evaluate", str(tmp_path / "model.skops"), "--data", str(tmp_path / "rows.npz")]


def test_curves_and_copies_are_told_drawn_and_recorded(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    asked = ["--perturb", "noise=0.5:2,imbalance=3", "--augment", "noise=0.1", "--copies", "2"]
    assert 0 == main([*files, *asked, "--report", str(page)])
    printed = capsys.readouterr().out
    assert "severity: standard deviations of the data" in printed
    assert "each row and 2 copies with noise 0.1" in printed
    assert "<h3>Noise</h3>" in page.read_text()
    assert "<h3>Imbalance</h3>" in page.read_text()
    assert 0 == main([*files, *asked, "--json"])
    record = json.loads(capsys.readouterr().out)
    assert [0.5, 2.0] == [point["severity"] for point in record["robustness"]["curves"][0]["points"]]
    assert 2 == record["augmentation"]["copies"]


def test_without_being_asked_nothing_is_changed(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main([*files, "--json"])
    record = json.loads(capsys.readouterr().out)
    assert (None, None) == (record["robustness"], record["augmentation"])


@pytest.mark.parametrize(
    ("asked", "message"),
    (
        (["--perturb", "fog=1"], "'fog' is no change of rows"),
        (["--perturb", "blur=1"], "blur cannot be done to the rows of this model"),
        (["--augment", "noise=0.1", "--copies", "0"], "0 copies are not 1 to 64"),
        (["--augment", "noise=0.1,missing=0.1"], "--augment takes one kind of change"),
        (["--augment", "imbalance=2"], "imbalance is no change of a row"),
    ),
)
def test_what_cannot_be_changed_is_an_error_of_use(
    files: list[str], capsys: pytest.CaptureFixture[str], asked: list[str], message: str
) -> None:
    assert 2 == main([*files, *asked])
    assert message in capsys.readouterr().err
