import argparse
from pathlib import Path

import pytest

import modeldyno
from modeldyno.api.load.questions.ask import Ask
from modeldyno.api.load.questions.table import protocol_of, questions_for
from modeldyno.cli.arguments import add_ask, ask_of
from modeldyno.cli.main import main
from modeldyno.errors import InputError, UsageError


def asked(*words: str) -> Ask:
    parser = argparse.ArgumentParser()
    add_ask(parser)
    return ask_of(parser.parse_args(words))


@pytest.mark.parametrize(
    ("url", "expected"),
    (("http://a", "oip"), ("https://a", "oip"), ("grpc://a", "oip-grpc"), ("grpcs://a", "oip-grpc"), ("null:", "null")),
)
def test_a_url_means_a_protocol(url: str, expected: str) -> None:
    assert expected == protocol_of(url)


@pytest.mark.parametrize(("url", "protocol"), (("grpc://a", "oip"), ("http://a", "oip-grpc")))
def test_a_url_that_does_not_go_with_the_protocol_is_wrong_usage(url: str, protocol: str) -> None:
    with pytest.raises(UsageError, match="does not go with"):
        questions_for(url, Ask(protocol=protocol))  # type: ignore[arg-type]


def test_headers_and_files_are_taken_over() -> None:
    access = asked("--header", "X-A: 1", "--header", "X-B:2:3", "--ca", "ca", "--cert", "cert", "--key", "key").access

    assert (("X-A", "1"), ("X-B", "2:3")) == access.headers
    assert ("ca", "cert", "key") == (access.authorities, access.certificate, access.key)


@pytest.mark.parametrize("words", (("--header", "nothing"), ("--header", ": 1"), ("--key", "file")))
def test_what_is_no_header_or_has_no_certificate_is_refused(words: tuple[str, str]) -> None:
    with pytest.raises(UsageError):
        asked(*words)


def test_the_key_comes_from_a_file_or_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("from the file\n")
    monkeypatch.setenv("DYNO_BEARER", "from the environment")

    assert (("Authorization", "Bearer from the environment"),) == asked().access.headers
    assert (("Authorization", "Bearer from the file"),) == asked("--bearer-file", str(tmp_path / "key")).access.headers
    with pytest.raises(InputError, match="cannot read the key"):
        asked("--bearer-file", str(tmp_path / "missing"))


def test_nothing_can_be_loaded_and_shows_what_the_instrument_costs(tmp_path: Path) -> None:
    run, _ = modeldyno.load("null:", rate_per_s=500, shape=modeldyno.Shape(requests=200), out=tmp_path / "run")

    assert run.summary is not None
    assert (200, {}) == (run.summary.answered, run.summary.failures)
    assert ("null", None) == (run.requested.protocol, run.server)


def test_keys_are_not_written_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from modeldyno.testing.known_servers import known_server

    with known_server() as server:
        words = ["--rate", "500", "--requests", "60", "--model", "known", "--out", str(tmp_path / "run")]
        main(["load", server.url, *words, "--header", "Authorization: Bearer hunter2"])

    assert "hunter2" not in (tmp_path / "run" / "run.json").read_text() + "".join(capsys.readouterr())
