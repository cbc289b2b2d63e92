from pathlib import Path

import msgspec
import pytest
from tests.reports import samples

from modeldyno.cli.main import main
from modeldyno.loadgen.recorder import finish_run, part_path, start_run
from modeldyno.loadgen.watching.observation_file import write_observations

ROWS = samples.requests(count=2_000, warmup=100)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    directory = tmp_path / "digits.run"
    finish_run(directory, samples.run(ROWS), ROWS)
    write_observations(directory, samples.observations(ROWS))
    return directory


def test_markdown_is_printed_and_no_page_is_written(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["report", str(stored), "--markdown"])
    assert capsys.readouterr().out.startswith("# digits under load: ")
    assert not stored.with_suffix(".html").exists()


def test_the_page_of_a_stored_run_shows_its_server(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["report", str(stored)])
    assert "server CPU, cores" in stored.with_suffix(".html").read_text()
    assert "\nserver     CPU" in capsys.readouterr().out


def test_a_run_that_was_killed_is_shown_with_what_it_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory, run = tmp_path / "killed.run", samples.run(ROWS)
    start_run(directory, msgspec.structs.replace(run, summary=None, verdict=None, effective=None))
    part_path(directory, 0).write_bytes(ROWS.tobytes())
    assert 0 == main(["report", str(directory)])
    text = capsys.readouterr().out
    assert "the 2,000 requests that ended before are shown, and not judged" in " ".join(text.split())
    assert "response time" in text
    assert "response time" in directory.with_suffix(".html").read_text()


@pytest.mark.parametrize("other", (("--json",), ("--out", "x.html")))
def test_markdown_and_another_form_are_refused(
    stored: Path, other: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == main(["report", str(stored), "--markdown", *other])
    assert "" == capsys.readouterr().out


def test_markdown_of_a_directory_that_holds_nothing_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == main(["report", str(tmp_path), "--markdown"])
    assert "cannot read" in capsys.readouterr().err
