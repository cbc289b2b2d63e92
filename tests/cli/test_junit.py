from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from modeldyno.cli.main import main
from modeldyno.testing.known_servers import Behaviour, known_server


def test_a_load_writes_a_case_for_its_validity_and_one_for_each_objective(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    junit = tmp_path / "load.xml"
    with known_server(Behaviour(delay_ns=20_000_000)) as server:
        load = ("load", server.url, "--model", "known", "--rate", "200", "--requests", "100", "--warmup", "0s")
        main([*load, "--slo", "p50<1ms, p90<60s", "--out", str(tmp_path / "x.run"), "--junit", str(junit)])
    assert "p50<1ms" in capsys.readouterr().out
    cases = {case.get("name"): case[0].tag for case in ET.parse(junit).iter("testcase")}  # noqa: S314 - our own
    assert ["the measurement is valid", "p50<1ms", "p90<60s"] == list(cases)
    assert "failure" == cases["p50<1ms"]


def test_a_junit_file_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with known_server(Behaviour()) as server:
        load = ("load", server.url, "--model", "known", "--rate", "200", "--requests", "60", "--warmup", "0s")
        assert 2 == main([*load, "--out", str(tmp_path / "x.run"), "--junit", "/proc/nowhere/load.xml"])
    said = capsys.readouterr()
    assert "/proc/nowhere/load.xml" in said.err
    assert f"run     {tmp_path / 'x.run'}" in said.out
    assert (tmp_path / "x.run" / "run.json").is_file()
