"""`dyno serve`: what it says of what it serves, and what it refuses."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from modeldyno.cli.commands.serving import _as_json, _as_text
from modeldyno.cli.main import main
from modeldyno.records.server import ServedBundle
from modeldyno.server.network.doors import Urls
from modeldyno.testing.bundles import write_echo_bundle

DIGITS = ServedBundle(name="digits", version="1", label="onnxruntime original", path="a")
WINE = ServedBundle(name="wine", version="12", label="scikit-learn", path="b")


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert 2 == main(["serve", *words])
    return capsys.readouterr().err


def test_one_model_is_announced_by_its_name_several_with_their_versions() -> None:
    assert "serving digits: onnxruntime original" == _as_text({"main": "http://h:1"}, [DIGITS]).splitlines()[0]
    lines = _as_text({"main": "http://h:1", "grpc": "grpc://h:2"}, [DIGITS, WINE]).splitlines()
    assert ["serving digits 1: onnxruntime original", "        wine 12:  scikit-learn"] == lines[:2]
    assert "  at      http://h:1, grpc://h:2" == lines[2]


def test_the_record_names_every_model() -> None:
    expected = b'{"url": "u", "model": "digits", "models": [{"name": "digits", "version": "1"}, '
    assert expected + b'{"name": "wine", "version": "12"}]}\n' == _as_json({"main": "u"}, [DIGITS, WINE])


def test_every_door_is_announced() -> None:
    urls: Urls = {"main": "a", "admin": "b", "metrics": "c", "grpc": "d", "admin-grpc": "e"}
    assert ["  at      a, d", "  admin   b, e", "  metrics c"] == _as_text(urls, [DIGITS]).splitlines()[1:4]
    said = json.loads(_as_json(urls, [DIGITS]))
    told = [said[f"{name}url"] for name in ("", "grpc_", "admin_", "metrics_", "admin_grpc_")]
    assert ["a", "d", "b", "c", "e"] == told


@pytest.mark.parametrize(
    ("words", "why"),
    (
        (("--workers", "0"), "0 workers cannot serve"),
        (("--workers", "100000"), "only take time from one another"),
        (("--workers", "2", "--worker-silence", "10ms"), "10.0 ms"),
    ),
)
def test_workers_that_cannot_work_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], why: str
) -> None:
    assert why in refused(capsys, str(write_echo_bundle(tmp_path / "echo")), "--port", "0", *words)


@pytest.mark.parametrize("workers", ("1", "2"))
def test_a_server_whose_announcement_nobody_reads_serves_all_the_same(tmp_path: Path, workers: str) -> None:
    bundle = write_echo_bundle(tmp_path / "echo")
    command = [sys.executable, "-m", "modeldyno", "serve", str(bundle), "--port", "0", "--workers", workers, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.readline()
        assert said.startswith("nobody reads where the server is: http://")
        with urllib.request.urlopen(f"{said.split()[-1]}/v2/health/ready", timeout=60) as reply:  # noqa: S310 - our own
            assert 200 == reply.status
        process.terminate()
        assert "" == process.stderr.read()
    assert 0 == process.returncode


def test_nothing_to_serve_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "dyno serve --repository DIR" in refused(capsys)
    assert f"{tmp_path} holds no model" in refused(capsys, "--repository", str(tmp_path))


def test_two_bundles_of_one_name_and_version_are_both_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = write_echo_bundle(tmp_path / "one"), write_echo_bundle(tmp_path / "other")
    said = refused(capsys, str(one), str(other))
    assert [] == [word for word in (str(one), str(other), "'echo'", "next") if word not in said]


def test_versions_that_are_no_choice_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_echo_bundle(tmp_path / "echo" / "1")
    said = refused(capsys, "--repository", str(tmp_path), "--versions", "newest")
    assert "'newest'" in said
    assert "latest:1" in said


def test_a_broken_model_of_a_repository_ends_the_start_by_its_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_echo_bundle(tmp_path / "good" / "1")
    broken = write_echo_bundle(tmp_path / "broken" / "1") / "model.onnx"
    broken.write_bytes(b"broken")
    assert str(broken) in refused(capsys, "--repository", str(tmp_path), "--port", "0")


@pytest.mark.parametrize(
    ("words", "why"),
    (
        (("--versions", "latest:2"), "--versions means nothing without a repository"),
        (("--worker-silence", "5s"), "--worker-silence means nothing to a single process"),
        (("--max-body", "0"), "takes no body"),
        (("--load-timeout", "0s"), "no time"),
        (("--admin-host", "127.0.0.1"), "--admin-host means nothing without a port"),
        (("--audit-rotate", "1MB"), "--audit-rotate means nothing without an audit log"),
        (("--audit-on-failure", "refuse"), "--audit-on-failure means nothing without an audit log"),
        (("--audit", "a.jsonl", "--audit-rotate", "1B"), "audit files of 1 bytes"),
        (("--cache-redis-limit", "5ms"), "--cache-redis-limit means nothing without Redis"),
        (("--cache-redis-namespace", "shop"), "--cache-redis-namespace means nothing without Redis"),
        (("--cache", "1MB", "--cache-redis", "redis://h", "--cache-redis-namespace", ""), "begin with nothing"),
    ),
)
def test_options_that_the_server_would_not_look_at_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], why: str
) -> None:
    assert why in refused(capsys, str(write_echo_bundle(tmp_path / "echo")), "--port", "0", *words)
