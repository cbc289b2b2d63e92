import json
import sys
from pathlib import Path

import numpy as np
import pytest

from modeldyno.cli.main import VERBS, main


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model with its data, and files that are wrong in every way the verbs must survive."""
    import joblib
    import skops.io
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    folder = tmp_path_factory.mktemp("workbench")
    iris = load_iris()
    rows = iris.data.astype(np.float32)
    model = LogisticRegression(max_iter=500).fit(rows, iris.target)
    skops.io.dump(model, folder / "iris.skops")
    joblib.dump(model, folder / "iris.joblib")
    np.savez(folder / "iris.npz", X=rows, y=iris.target)
    np.savez(folder / "unlabelled.npz", X=rows)
    np.savez(folder / "narrow.npz", X=rows[:, :3], y=iris.target)
    np.savez(folder / "holes.npz", X=np.where(rows > 7, np.nan, rows), y=iris.target)
    np.savez(folder / "endless.npz", X=np.where(rows > 7, np.inf, rows), y=iris.target)
    np.savez(folder / "empty.npz", X=rows[:0], y=iris.target[:0])
    np.savez(folder / "words.npz", X=rows.astype(str), y=iris.target)
    (folder / "truncated.onnx").write_bytes(b"\x08\x07\x12\x04skl2")
    (folder / "model.xyz").write_text("what is this")
    return folder


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must be refused with exit code 2 and no traceback; returns what it said."""
    assert 2 == main(arguments)
    said = capsys.readouterr()
    assert "" == said.out
    assert "Traceback" not in said.err
    assert "fault of dyno" not in said.err
    return said.err


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["--help"])
    said = capsys.readouterr().out
    assert all(f"  {verb} " in said for verb in VERBS)


def test_without_arguments_the_help_is_printed_and_the_call_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main([])
    assert "usage: dyno" in capsys.readouterr().out


def test_an_unknown_verb_suggests_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean: dyno tune" in refused(capsys, "tuen")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert 0 == ended.value.code
    said = capsys.readouterr().out
    assert "examples:" in said
    assert "--json" in said


def test_a_wrong_option_says_where_help_is(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "inspect", "x.onnx", "--colour", "blue")
    assert "--colour" in said
    assert "dyno inspect --help" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    (
        (("inspect", "absent.onnx"), ("absent.onnx",)),
        (("inspect", "{}/model.xyz"), ("model.xyz", ".skops", ".onnx")),
        (("inspect", "{}/truncated.onnx"), ("truncated.onnx",)),
        (("inspect", "{}/iris.joblib"), ("--trust", "code")),
        (("evaluate", "{}/iris.skops", "--data", "absent.npz"), ("absent.npz",)),
        (("evaluate", "{}/iris.skops", "--data", "{}/narrow.npz"), ("3", "4")),
        (("evaluate", "{}/iris.skops", "--data", "{}/holes.npz"), ("NaN", "row")),
        (("evaluate", "{}/iris.skops", "--data", "{}/endless.npz"), ("infinit", "row")),
        (("evaluate", "{}/iris.skops", "--data", "{}/empty.npz"), ("empty.npz",)),
        (("evaluate", "{}/iris.skops", "--data", "{}/words.npz"), ("words.npz",)),
        (("evaluate", "{}/iris.skops", "--data", "{}/unlabelled.npz"), ("no labels", "--label")),
        (("evaluate", "{}/iris.skops", "--data", "{}/iris.npz", "--slo", "p99<20ms"), ("p99<20ms", "dyno load")),
        (("evaluate", "{}/iris.skops", "--data", "{}/iris.npz", "--slo", "accuracy_drop<=1%"), ("--reference",)),
        (
            ("evaluate", "{}/iris.skops", "--data", "{}/iris.npz", "--slo", "acuracy>=9%"),
            ("did you mean accuracy?", "^"),
        ),
        (("tune", "{}/iris.skops", "--data", "{}/iris.npz", "--slo", "p99<<20ms"), ("^",)),
        (("tune", "{}/iris.skops", "--data", "{}/unlabelled.npz", "--slo", "accuracy>=9%"), ("labels",)),
        (("tune", "{}/iris.skops", "--slo", "accuracy_drop<=1%"), ("accuracy_drop<=1%", "--data")),
        (("tune", "{}/iris.skops", "--budget", "90"), ("90", "duration")),
        (("tune", "{}/iris.skops", "--rate", "0"), ("0", "rate")),
        (("profile", "{}/iris.skops", "--batch", "0"), ("at least one row",)),
        (("load", "ftp://127.0.0.1", "--rate", "5", "--model", "m"), ("http://",)),
        (("load", "http://127.0.0.1:9", "--rate", "5", "--slo", "accuracy>=9%"), ("dyno evaluate",)),
        (("serve", "{}"), ("bundle.json", "dyno tune")),
        (("report", "{}"), ("neither",)),
        (("report", "absent"), ("absent",)),
    ),
)
def test_bad_input_is_refused_with_what_why_and_what_next(
    arguments: tuple[str, ...], words: tuple[str, ...], workbench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, *(argument.format(workbench) for argument in arguments))
    assert [] == [word for word in words if word not in said]


def test_an_unreachable_server_exits_5(capsys: pytest.CaptureFixture[str]) -> None:
    assert 5 == main(["load", "http://127.0.0.1:9", "--rate", "5", "--model", "m"])
    assert "http://127.0.0.1:9" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_named(workbench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "tune", f"{workbench}/iris.skops", "--out", "/proc/nowhere", "--budget", "5s")
    assert "/proc/nowhere" in said


def test_inspect_prints_the_record_on_request(workbench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["inspect", f"{workbench}/iris.skops", "--json"])
    record = json.loads(capsys.readouterr().out)
    assert ["sklearn", "classification"] == [record["format"], record["task"]]


def test_a_trusted_pickle_is_inspected(workbench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["inspect", f"{workbench}/iris.joblib", "--trust"])
    said = capsys.readouterr()
    assert "LogisticRegression" in said.out
    assert "whatever code its author put in it" in said.err


def test_a_failed_objective_exits_3(workbench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, data = f"{workbench}/iris.skops", f"{workbench}/iris.npz"
    assert 0 == main(["evaluate", model, "--data", data, "--slo", "accuracy>=90%"])
    assert 3 == main(["evaluate", model, "--data", data, "--slo", "accuracy>=99.9%"])
    assert "fail" in capsys.readouterr().out


def test_progress_and_talk_stay_off_stdout(workbench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = workbench / "profile.html"
    shortest = ("--batch", "1", "--threads", "1", "--budget", "1ns")
    assert 0 == main(["profile", f"{workbench}/iris.skops", *shortest, "--json", "--report", str(page)])
    assert "items/s" in page.read_text()
    assert "modeldyno.profile/1" == json.loads(capsys.readouterr().out)["schema"]


def test_a_fault_of_ours_is_kept_in_a_file_and_exits_1(
    workbench: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import modeldyno.api.inspection

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the flux capacitor")

    monkeypatch.setattr(modeldyno.api.inspection, "inspect", fail)
    assert 1 == main(["inspect", f"{workbench}/iris.skops"])
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "report it" in said
    kept = Path(next(word for word in said.split() if "dyno-fault-" in word))
    assert "the flux capacitor" in kept.read_text()
    kept.unlink()


def test_a_stopped_command_exits_130(
    workbench: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import modeldyno.api.inspection

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(modeldyno.api.inspection, "inspect", stop)
    assert 130 == main(["inspect", f"{workbench}/iris.skops"])
    assert "stopped" in capsys.readouterr().err


def test_the_module_is_the_command() -> None:
    import subprocess

    result = subprocess.run(
        [sys.executable, "-m", "modeldyno", "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("dyno ")
