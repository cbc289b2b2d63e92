import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.conformance.fake_http import Defect, fake_server

from modeldyno.cli.main import main

BROKEN = Defect(after=lambda request, reply: replace(reply, status=500) if request.path == "/v2" else reply)


def test_a_conforming_server_is_exit_code_0(capsys: pytest.CaptureFixture[str]) -> None:
    with fake_server() as url:
        assert 0 == main(["conform", url, "--model", "single", "--rule", "health", "--rule", "metadata"])
    assert capsys.readouterr().out.startswith("PASS")


def test_a_required_rule_that_fails_is_exit_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    with fake_server(BROKEN) as url:
        assert 3 == main(["conform", url, "--model", "single", "--rule", "metadata.server"])
    out = capsys.readouterr().out
    assert out.startswith("FAIL")
    assert "metadata.server.answers" in out


def test_a_recommended_rule_that_fails_is_told_and_exit_code_0(capsys: pytest.CaptureFixture[str]) -> None:
    with fake_server(Defect(switch="any-host")) as url:
        assert 0 == main(["conform", url, "--model", "single", "--rule", "http.missing-host"])
    assert "recommended rules that fail" in capsys.readouterr().out


def test_what_cannot_be_judged_is_exit_code_4() -> None:
    faulty = Defect(after=lambda request, reply: replace(reply, status=500) if request.is_infer else reply)
    with fake_server(faulty) as url:
        assert 4 == main(["conform", url, "--model", "single", "--rule", "errors.wrong-rank", "--quiet"])


def test_a_server_that_is_not_there_is_exit_code_5(capsys: pytest.CaptureFixture[str]) -> None:
    with fake_server() as url:
        pass
    assert 5 == main(["conform", url])
    assert "cannot reach" in capsys.readouterr().err


def test_json_is_the_record_and_junit_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    junit = tmp_path / "conform.xml"
    with fake_server() as url:
        main(["conform", url, "--model", "single", "--rule", "health", "--json", "--junit", str(junit)])
    record = json.loads(capsys.readouterr().out)
    assert "modeldyno.conformance/1" == record["schema"]
    assert len(record["outcomes"]) == len(list(ET.parse(junit).iter("testcase")))  # noqa: S314 - our own


def test_what_was_found_is_told_where_the_junit_file_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with fake_server() as url:
        words = ["conform", url, "--model", "single", "--rule", "health", "--junit", str(tmp_path / "file" / "x.xml")]
        assert 2 == main(words)
    said = capsys.readouterr()
    assert said.out.startswith("PASS")
    assert "cannot write" in said.err
    assert "next" in said.err


def test_the_list_of_rules_needs_no_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["conform", "--list", "--rule", "health.live"])
    assert "2 rules" in capsys.readouterr().out
    assert 0 == main(["conform", "--list", "--json"])
    assert len(json.loads(capsys.readouterr().out)) > 150


@pytest.mark.parametrize(
    "arguments",
    (
        ("conform",),
        ("conform", "http://127.0.0.1:1", "--grpc", "http://127.0.0.1:2"),
        ("conform", "grpc://127.0.0.1:1", "--grpc", "grpc://127.0.0.1:2"),
        ("conform", "--list", "--rule", "nothing"),
    ),
)
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(list(arguments))
    assert "next" in capsys.readouterr().err
