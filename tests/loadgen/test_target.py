import socket

import pytest

from modeldyno.errors import TargetError, UsageError
from modeldyno.loadgen.target import Target, find_address, parse_target


@pytest.mark.parametrize(
    ("url", "host", "port", "base_path", "host_header"),
    (
        ("http://127.0.0.1:8000", "127.0.0.1", 8000, "", "127.0.0.1:8000"),
        ("http://example.org", "example.org", 80, "", "example.org"),
        ("http://example.org:80/", "example.org", 80, "", "example.org"),
        ("http://[::1]:9000/a/b/", "::1", 9000, "/a/b", "[::1]:9000"),
        ("HTTP://Server:1", "server", 1, "", "server:1"),
        ("https://example.org", "example.org", 443, "", "example.org"),
        ("https://example.org:8443/a", "example.org", 8443, "/a", "example.org:8443"),
        ("grpc://server", "server", 8001, "", "server"),
        ("grpcs://server", "server", 443, "", "server"),
    ),
)
def test_a_url_is_taken_apart(url: str, host: str, port: int, base_path: str, host_header: str) -> None:
    target = parse_target(url)

    assert Target(url, url[: url.index(":")].lower(), host, port, base_path) == target
    assert host_header == target.host_header


@pytest.mark.parametrize(
    "url",
    (
        "", "127.0.0.1:8000", "localhost", "ftp://a", "http://", "http://:80", "http://a:0", "http://a:99999",
        "http://a:b", "http://[::1", "http://a?x=1", "http://user:secret@a", "unix:///socket",
        "http://a b", "http://a/b c", "http://a/\x7f", "http://a/\u00e9",
    ),
)  # fmt: skip
def test_what_is_no_url_of_a_server_is_wrong_usage(url: str) -> None:
    with pytest.raises(UsageError):
        parse_target(url)


@pytest.mark.parametrize("url", ("http://user:secret@a", "http://user:secret@a:99999", "ftp://user:secret@a"))
def test_a_password_in_a_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(url)
    assert "secret" not in f"{caught.value.what}{caught.value.why}{caught.value.hint}"
    assert "***@a" in caught.value.what


def test_only_https_and_grpcs_are_encrypted() -> None:
    assert [False, True, False, True] == [
        parse_target(f"{scheme}://a").is_encrypted for scheme in ("http", "https", "grpc", "grpcs")
    ]


def test_a_server_that_listens_gives_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        assert ("127.0.0.1", port) == find_address(parse_target(f"http://127.0.0.1:{port}"), 5)


@pytest.mark.parametrize(
    ("problem", "reason"),
    (
        (socket.gaierror(-2, "Name or service not known"), "cannot be resolved: Name or service not known"),
        (TimeoutError("timed out"), "no connection within 5.00 s"),
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (OSError(113, "No route to host"), "no route to host"),
    ),
)
def test_why_a_server_cannot_be_reached_is_said(monkeypatch: pytest.MonkeyPatch, problem: OSError, reason: str) -> None:
    def fail(*_: object) -> None:
        raise problem

    monkeypatch.setattr(socket, "create_connection", fail)
    with pytest.raises(TargetError, match="http://server:8000") as caught:
        find_address(parse_target("http://server:8000"), 5)

    assert reason in caught.value.why


def test_a_host_name_that_no_dns_can_hold_is_wrong_usage() -> None:
    with pytest.raises(UsageError):
        find_address(parse_target(f"http://{'a' * 70}.example:80"), 5)
