import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.reports import evaluations

from modeldyno.cli.commands.evaluation import parse_costs
from modeldyno.cli.main import main
from modeldyno.cli.verdicts import code_of_evaluation
from modeldyno.errors import ExitCode, UsageError
from modeldyno.testing.bundles import write_echo_bundle


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    import skops.io
    from sklearn.linear_model import LogisticRegression

    rows = np.random.default_rng(0).normal(size=(200, 2))
    labels = (rows[:, 0] > 0.8).astype(int)
    skops.io.dump(LogisticRegression().fit(rows, labels), tmp_path / "model.skops")
    site = np.where(np.arange(200) % 2, "north", "south")
    np.savez(tmp_path / "rows.npz", X=rows, y=labels, site=site, w=np.ones(200))
    return ["evaluate", str(tmp_path / "model.skops"), "--data", str(tmp_path / "rows.npz")]


def test_a_bundle_that_does_not_hold_exits_3_whatever_the_objectives_say() -> None:
    broken = evaluations.broken_bundle()
    assert ExitCode.OBJECTIVE_FAILED == code_of_evaluation(broken)
    assert broken.recheck is not None
    passing = msgspec.structs.replace(broken, recheck=msgspec.structs.replace(broken.recheck, verdict="pass"))
    assert ExitCode.OK == code_of_evaluation(passing)
    unknown = msgspec.structs.replace(broken, recheck=msgspec.structs.replace(broken.recheck, verdict="cannot_tell"))
    assert ExitCode.NOT_VALID == code_of_evaluation(unknown)


def test_slices_weights_costs_and_the_page_are_asked_for_on_the_command_line(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    options = ["--slice", "site", "--weights", "w", "--costs", "1:5", "--report", str(page)]
    assert 0 == main([*files, *options, "--slo", "accuracy[site=north]>=50%"])
    printed = capsys.readouterr().out
    for words in ("site=north", "rows count by their weights", "error cost", "a false negative costs 5.00", str(page)):
        assert words in printed
    text = page.read_text()
    for words in ("Who was taken for whom", "<h3>ROC</h3>", "Calibration", "By slice"):
        assert words in text
    assert "<script" not in text
    assert 0 == main([*files, *options, "--json"])
    record = json.loads(capsys.readouterr().out)
    assert {"site=north", "site=south"} == {one["name"] for one in record["quality"]["slices"]}
    assert record["drawings"]["roc"][0]["points"][0] == [0.0, 0.0]


def test_an_objective_that_cannot_be_told_exits_4(files: list[str]) -> None:
    assert 4 == main([*files, "--slo", "accuracy>=99%", "--quiet"])


def test_a_bundle_is_looked_at_without_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_echo_bundle(tmp_path / "echo.bundle")
    assert 0 == main(["evaluate", str(bundle)])
    assert "what was proven holds here" in capsys.readouterr().out


def test_a_bundle_that_answers_otherwise_exits_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_echo_bundle(tmp_path / "echo.bundle")
    samples = json.loads((bundle / "samples.json").read_text())
    samples["samples"][0]["outputs"]["y"] = [[1.0, 7.0]]
    (bundle / "samples.json").write_text(json.dumps(samples))
    manifest = json.loads((bundle / "bundle.json").read_text())
    from modeldyno.records.files import digest_file

    manifest["files"]["samples.json"] = digest_file(bundle / "samples.json")
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    assert 3 == main(["evaluate", str(bundle)])
    assert "what was proven does not hold here" in capsys.readouterr().out


@pytest.mark.parametrize("text", ("", "1", "1:0", "a:b", "1:2:3", "-1:2", "1:inf"))
def test_costs_are_two_positive_numbers(text: str) -> None:
    with pytest.raises(UsageError, match="are no costs"):
        parse_costs(text)
    assert (1.0, 10.0) == parse_costs("1:10")
