import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme

from modeldyno.errors import InputError, TargetError
from modeldyno.loadgen.access import Access
from modeldyno.loadgen.caller import Caller
from modeldyno.loadgen.target import find_address, parse_target
from modeldyno.loadgen.wiring import Wiring
from modeldyno.records.requests import Outcome

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def https_server(context: ssl.SSLContext, seen: list[bytes]) -> Iterator[str]:
    """Answers every request with `{}` and keeps what it read."""
    loop, ports = asyncio.new_event_loop(), list[int]()
    ready = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lengths = [int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")]
                seen.append(head + await reader.readexactly(sum(lengths)))
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        async with server:
            await stopped.wait()

    stopped = asyncio.Event()
    thread = Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    while not ports:
        ready.is_set()
    try:
        yield f"https://localhost:{ports[0]}"
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> Access:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return Access(authorities=str(tmp_path / "ca.pem"), headers=(("Authorization", "Bearer secret"),))


def context_of(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_a_load_goes_over_tls_with_its_headers(authority: trustme.CA, trusted: Access, offer: Any) -> None:
    seen: list[bytes] = []
    with https_server(context_of(authority), seen) as url:
        result = offer(url, requests=20, warmup_requests=0, wiring=Wiring(access=trusted))

    assert {Outcome.OK} == set(result.requests["outcome"].tolist())
    assert 20 == len(seen)
    assert all(b"\r\nAuthorization: Bearer secret\r\n" in one for one in seen)


def test_single_calls_use_the_same_authority_and_headers(authority: trustme.CA, trusted: Access) -> None:
    seen: list[bytes] = []
    with https_server(context_of(authority), seen) as url:
        reply = Caller(url, trusted).call("GET", "/v2")

    assert (200, {}) == (reply.status, reply.document())
    assert b"Authorization: Bearer secret" in seen[0]


def test_a_certificate_that_is_not_trusted_is_named_with_the_reason_and_the_way_out(authority: trustme.CA) -> None:
    with https_server(context_of(authority), []) as url, pytest.raises(TargetError) as caught:
        find_address(parse_target(url), 5)

    assert "certificate of https://localhost" in caught.value.what
    assert "verify" in caught.value.why or "issuer" in caught.value.why
    assert "SHA-256" in caught.value.why
    assert "--ca" in caught.value.hint


def test_a_certificate_for_another_name_is_refused(authority: trustme.CA, trusted: Access) -> None:
    with https_server(context_of(authority, "elsewhere.test"), []) as url, pytest.raises(TargetError) as caught:
        Caller(url, trusted).call("GET", "/v2")

    assert "localhost" in caught.value.why
    assert "the name or the address that the certificate was made for" in caught.value.hint


def test_a_certificate_that_has_expired_is_refused_with_that_reason(authority: trustme.CA, trusted: Access) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", not_after=datetime(2021, 1, 1, tzinfo=UTC)).configure_cert(context)
    with https_server(context, []) as url, pytest.raises(TargetError) as caught:
        find_address(parse_target(url), 5, trusted)

    assert "expired" in caught.value.why
    assert "renewed" in caught.value.hint


def test_a_server_that_wants_a_client_certificate_gets_it(
    authority: trustme.CA, trusted: Access, tmp_path: Path, offer: Any
) -> None:
    context = context_of(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    client = authority.issue_cert("client")
    client.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    known = Access(authorities=trusted.authorities, certificate=str(tmp_path / "client.pem"))
    with https_server(context, []) as url:
        with pytest.raises(TargetError, match=r"no encrypted connection|right after the TLS handshake") as caught:
            find_address(parse_target(url), 5, trusted)
        result = offer(url, requests=5, warmup_requests=0, wiring=Wiring(access=known))

    assert "--cert" in caught.value.hint
    assert {Outcome.OK} == set(result.requests["outcome"].tolist())


def test_a_port_without_encryption_says_so() -> None:
    from modeldyno.testing.known_servers import known_server

    with known_server() as server, pytest.raises(TargetError) as caught:
        find_address(parse_target(server.url.replace("http:", "https:")), 5)

    assert "http://" in caught.value.hint


@pytest.mark.parametrize("is_authority", (True, False))
def test_files_that_hold_no_certificates_are_named(tmp_path: Path, is_authority: bool) -> None:  # noqa: FBT001 - pytest
    (tmp_path / "empty.pem").write_text("nothing")
    for path, what in ((tmp_path / "empty.pem", "does not hold"), (tmp_path / "missing.pem", "there is no file")):
        access = Access(authorities=str(path)) if is_authority else Access(certificate=str(path))
        with pytest.raises(InputError, match=what):
            Caller("https://127.0.0.1:1", access).call("GET", "/")


def test_what_lets_us_in_does_not_show_itself() -> None:
    assert "secret" not in repr(Access(headers=(("Authorization", "Bearer secret"),)))
