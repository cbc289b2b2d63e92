import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modeldyno.cli.main import main
from modeldyno.errors import ExitCode


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    command = [sys.executable, "-m", "modeldyno.testing.null_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


@pytest.mark.parametrize(
    ("options", "words"),
    (
        ([], "a load needs a rate"),
        (["--rate", "0"], "is not a rate"),
        (["--rate", "-5"], "not a rate"),
        (["--rate", "5", "--duration", "-5s"], "'-5s' is not a duration"),
        (["--rate", "5", "--concurrency", "2"], "either a rate or users"),
        (["--concurrency", "0"], "at least 1 user"),
        (["--concurrency", "2", "--arrivals", "poisson"], "--arrivals means nothing to --concurrency"),
        (["--rate", "5", "--burstiness", "2"], "--burstiness means nothing to --arrivals poisson"),
        (["--rate", "5", "--arrivals", "gamma", "--burstiness", "0"], "burstiness must be a number above 0"),
        (["--rate", "5", "--from", "1"], "--from means nothing"),
        (["--rate", "5", "--trace", "x.csv"], "--trace means nothing"),
        (["--arrivals", "replay"], "a replay needs a trace"),
        (["--arrivals", "replay", "--trace", "nope.csv"], "cannot read the trace nope.csv"),
        (["--arrivals", "replay", "--trace", "x.csv", "--rate", "5"], "the rate of a replay is that of its trace"),
        (["--arrivals", "replay", "--trace", "x.csv", "--duration", "5s"], "a replay lasts as long as its trace"),
        (["--rate", "5", "--rows", "1:0"], "is not a number of rows nor a mix"),
        (["--rate", "5", "--arrivals", "step", "--steps", "1"], "at least 2 steps"),
        (["--rate", "5", "--awake", "--workers", "9999"], "9999 sending processes cannot stay awake"),
        (["--rate", "5", "--protocol", "in-process"], "is a server, and in process there is none"),
        (["--rate", "5", "--header", "X-Tenant: a\nb"], "'X-Tenant' is not a header"),
        (["--rate", "5", "--metrics-url", "http://127.0.0.1:99999/metrics"], "is not a URL"),
    ),
)
def test_a_load_that_cannot_be_is_wrong_usage(
    url: str, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    try:
        code = main(["load", url, "--model", "null", *options])
    except SystemExit as ended:
        code = int(ended.code or 0)

    assert ExitCode.USAGE == code
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "arrivals"),
    (
        (["--concurrency", "2", "--requests", "60"], "closed"),
        (["--arrivals", "gamma", "--rate", "200", "--burstiness", "0.5", "--requests", "60"], "gamma"),
        (["--arrivals", "ramp", "--from", "100", "--rate", "300", "--requests", "60", "--rows", "1:0.9,8:0.1"], "ramp"),
        (["--arrivals", "step", "--rate", "300", "--steps", "3", "--requests", "60"], "step"),
        (["--arrivals", "spike", "--rate", "300", "--requests", "60"], "spike"),
        (["--arrivals", "replay", "--trace", "trace.csv", "--speed", "2"], "replay"),
        (["--arrivals", "constant", "--rate", "200", "--requests", "60", "--awake"], "constant"),
    ),
)
def test_every_kind_of_load_runs_from_the_command_line_and_is_kept(
    url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    arrivals: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("trace.csv").write_text("\n".join(["timestamp,rows", *(f"{moment / 100},2" for moment in range(60))]))
    main(["load", url, "--model", "null", "--warmup", "0s", "--out", "kept.run", "--json", *options])

    record = json.loads(capsys.readouterr().out)
    assert record == json.loads(Path("kept.run/run.json").read_text())
    assert arrivals == record["requested"]["arrivals"]
    assert ("--awake" in options) == record["requested"]["awake"] == (record["effective"]["awake_fraction"] is not None)
    assert 60 == record["summary"]["requests"] == record["summary"]["answered"]
    assert main(["report", "kept.run"]) is not None
