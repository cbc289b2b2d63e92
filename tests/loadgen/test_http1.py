import pytest

from modeldyno.errors import UsageError
from modeldyno.loadgen.transports.http1 import format_request


def test_a_request_is_whole() -> None:
    content = format_request("/v2/models/a/infer", "server:8000", [("Content-Type", "application/json")], b"{}")

    assert (
        b"POST /v2/models/a/infer HTTP/1.1\r\nHost: server:8000\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    ) == content


def test_a_header_given_again_replaces_the_first_whatever_its_case() -> None:
    content = format_request("/", "server", [("X-A", "1"), ("host", "other"), ("x-a", "2")], b"")

    assert b"POST / HTTP/1.1\r\nhost: other\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n" == content


@pytest.mark.parametrize("name", ("Content-Length", "transfer-encoding", "Connection", "Expect", "Upgrade"))
def test_headers_that_describe_the_connection_are_ours(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        format_request("/", "server", [(name, "1")], b"")


@pytest.mark.parametrize(
    ("name", "value"),
    (("", "1"), ("A:", "1"), ("A B", "1"), ("Ä", "1"), ("A", "1\r\nB: 2"), ("A\n", "1"), ("A", "\0"), ("A", "€")),
)
def test_a_header_cannot_smuggle_a_line(name: str, value: str) -> None:
    with pytest.raises(UsageError):
        format_request("/", "server", [(name, value)], b"")


@pytest.mark.parametrize("path", ("", "v2", "/a b", "/a\r\nX: 1", "/ä"))
def test_a_path_that_breaks_the_request_is_wrong_usage(path: str) -> None:
    with pytest.raises(UsageError):
        format_request(path, "server", [], b"")
