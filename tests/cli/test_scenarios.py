"""Each scenario against a server of known behaviour; nothing here depends on how fast the machine is."""

import json
from pathlib import Path

import pytest

from modeldyno.cli.main import main
from modeldyno.errors import ExitCode
from modeldyno.testing.known_servers import Behaviour, known_server

ANSWERED_IN_2_MS = Behaviour(delay_ns=2_000_000)


def loaded(out: Path, capsys: pytest.CaptureFixture[str], behaviour: Behaviour, *options: str) -> tuple[int, dict]:  # type: ignore[type-arg]
    with known_server(behaviour) as server:
        code = main(["load", server.url, "--model", "known", "--out", str(out), "--warmup", "0s", "--json", *options])
    return code, json.loads(capsys.readouterr().out)


def unmet(record: dict) -> set[str]:  # type: ignore[type-arg]
    return {one["rule"] for one in record["scenario"]["checks"] if not one["is_met"]}


@pytest.mark.parametrize(
    ("options", "rows", "metric_per_s"),
    (
        (["--scenario", "single-stream", "--min-duration", "1s"], 1, 500),
        (["--scenario", "MultiStream", "--min-duration", "2s"], 8, 4_000),
        (["--scenario", "server", "--rate", "700", "--target-latency", "4s", "--min-duration", "1s"], 1, 800),
        (
            [
                "--scenario",
                "Offline",
                "--rows",
                "64",
                "--concurrency",
                "8",
                "--requests",
                "400",
                "--min-duration",
                "50ms",
            ],
            64,
            256_000,
        ),
    ),
)
def test_a_scenario_runs_from_the_command_line_and_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], rows: int, metric_per_s: float
) -> None:
    out = tmp_path / "kept.run"
    _, record = loaded(out, capsys, ANSWERED_IN_2_MS, *options)

    assert record == json.loads((out / "run.json").read_text())
    result = record["scenario"]
    assert rows == record["requested"]["rows_per_request"] == result["scenario"]["samples_per_query"]
    assert result["queries"] * rows == result["samples"]
    assert 0 < result["samples_per_s"] <= metric_per_s
    assert unmet(record) <= {"count", "early_stopping"}  # a slow machine makes fewer queries in the same time
    assert main(["report", str(out)]) == ExitCode.OK
    assert "Not an official MLPerf submission" in capsys.readouterr().out


def test_a_missed_target_latency_is_invalid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--scenario", "server", "--rate", "200", "--target-latency", "1ms", "--min-duration", "1s")
    code, record = loaded(tmp_path / "missed.run", capsys, ANSWERED_IN_2_MS, *options)
    assert {"target_latency", "early_stopping"} == unmet(record)
    valid = record["verdict"]["measurement"] == "valid"
    assert (ExitCode.OBJECTIVE_FAILED if valid else ExitCode.NOT_VALID) == code


def test_a_server_that_fails_now_and_then_is_invalid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    behaviour = Behaviour(delay_ns=5_000_000, status_every=50)
    code, record = loaded(
        tmp_path / "failed.run", capsys, behaviour, "--scenario", "single-stream", "--min-duration", "1s"
    )
    assert "failures" in unmet(record)
    assert code in (ExitCode.OBJECTIVE_FAILED, ExitCode.NOT_VALID)


def test_the_text_says_valid_or_invalid_and_that_the_duration_was_shortened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with known_server(ANSWERED_IN_2_MS) as server:
        main(
            [
                *("load", server.url, "--model", "known", "--out", str(tmp_path / "x.run"), "--warmup", "0s"),
                *("--scenario", "server", "--rate", "700", "--target-latency", "4s", "--min-duration", "1s"),
            ]
        )
    text = capsys.readouterr().out
    assert "MLPerf Server: VALID under a minimum duration of 1 s; MLPerf asks for 600 s" in text
    assert "Not an official MLPerf submission" in text


@pytest.mark.parametrize(
    ("options", "words"),
    (
        (["--scenario", "streaming"], "'streaming' is not a scenario"),
        (["--scenario", "server", "--rate", "5"], "needs a target latency"),
        (["--scenario", "server", "--target-latency", "5ms"], "needs a rate"),
        (["--scenario", "server", "--rate", "5", "--target-latency", "5ms", "--arrivals", "ramp"], "of its own"),
        (["--scenario", "single-stream", "--rate", "5"], "has no rate"),
        (["--scenario", "single-stream", "--duration", "10s"], "can only be INVALID"),
        (["--scenario", "offline", "--trace", "x.csv"], "--trace means nothing"),
        (["--scenario", "multi-stream", "--samples-per-query", "0"], "at least 1 sample"),
        (["--scenario", "single-stream", "--percentile", "100"], "is not a percentile"),
        (["--rate", "5", "--target-latency", "5ms"], "--target-latency means nothing without --scenario"),
        (["--rate", "5", "--min-duration", "5s"], "--min-duration means nothing without --scenario"),
    ),
)
def test_a_scenario_that_cannot_be_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert ExitCode.USAGE == main(["load", "http://127.0.0.1:9", "--model", "known", *options])
    assert words in capsys.readouterr().err
