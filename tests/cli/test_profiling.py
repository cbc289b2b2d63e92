import json
from pathlib import Path

import pytest
from tests.api.test_profiling import SEEN
from tests.reports import profiles

from modeldyno.api import profiling
from modeldyno.cli.main import main
from modeldyno.testing.models import write_dense_onnx

SHORTEST = ("--batch", "1", "--threads", "1", "--instances", "1", "--budget", "1ns")


@pytest.fixture
def dense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(profiling, "peaks_of", lambda *_, **__: profiles.PEAKS)
    monkeypatch.setattr("modeldyno.api.profiled.first_call.run_child", lambda *_, **__: SEEN)
    return write_dense_onnx(tmp_path / "dense.onnx", width=32, layers=2)


def test_a_profile_is_text_markdown_or_the_record(dense: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = dense.with_suffix(".html")
    assert 0 == main(["profile", str(dense), *SHORTEST, "--report", str(page)])
    text = capsys.readouterr().out
    assert text.startswith("fastest    onnxruntime original")
    assert "inside a call of onnxruntime, batch 1, 1 thread" in text
    assert "memory of such a process" in text
    assert "Roofline" in page.read_text()
    assert 0 == main(["profile", str(dense), *SHORTEST, "--markdown"])
    assert "## Inside a call" in capsys.readouterr().out
    assert 0 == main(["profile", str(dense), *SHORTEST, "--json"])
    record = json.loads(capsys.readouterr().out)
    assert ["MatMul", "Relu"] == sorted({one["kind"] for one in record["anatomies"][0]["operators"]})


def test_markdown_and_json_at_once_are_refused_before_anything_is_measured(
    dense: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == main(["profile", str(dense), "--markdown", "--json"])
    assert "choose one of them" in capsys.readouterr().err


def test_an_interrupted_profile_exits_130_and_shows_what_it_has(
    dense: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(profiling, "dissect", stop)
    assert 130 == main(["profile", str(dense), *SHORTEST])
    assert "interrupted: only what was measured so far" in " ".join(capsys.readouterr().out.split())


def test_the_doctor_renews_the_peaks_and_nothing_else(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modeldyno.api.checkup.peaks_of", lambda *_, **__: profiles.PEAKS)
    assert 0 == main(["doctor", "--only-peaks", "--json"])
    record = json.loads(capsys.readouterr().out)
    assert ([], 3) == (record["floors"], len(record["peaks"]["compute"]))
    assert 0 == main(["doctor", "--no-floor"])
    assert "does at most" not in capsys.readouterr().out
