"""HTTPS: what is spoken, who gets in, and how a certificate is renewed."""

import contextlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from modeldyno.clock import SystemClock
from modeldyno.errors import InputError
from modeldyno.records.server import ServerSettings, TlsFiles
from modeldyno.server.network import listening
from modeldyno.server.network.tls import HTTP1, HTTP2, Certificates, server_context
from modeldyno.server.serving import Server
from modeldyno.testing.running_server import RunningServer, http_request, infer_request, make_model

Serving = Callable[..., RunningServer]


class Authority:
    """A private authority and the files it signs."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.folder = folder
        self.file = str(folder / "ca.pem")
        self.ca.cert_pem.write_to_path(self.file)

    def issue(self, name: str) -> TlsFiles:
        made = self.ca.issue_cert("127.0.0.1", common_name=name)
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        made.private_key_pem.write_to_path(str(key))
        return TlsFiles(certificate=str(certificate), key=str(key))

    def client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.file)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def serving() -> Iterator[Serving]:
    with contextlib.ExitStack() as stack:

        def start(files: TlsFiles, **settings: int) -> RunningServer:
            record = ServerSettings(port=0, tls=files, **settings)  # type: ignore[arg-type]
            return stack.enter_context(RunningServer(make_model(), settings=record))

        yield start


def port_of(server: RunningServer) -> int:
    assert server.url.startswith("https://127.0.0.1:")
    return int(server.url.rsplit(":", 1)[1])


@contextlib.contextmanager
def connected(server: RunningServer, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection(("127.0.0.1", port_of(server)), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as client,
    ):
        yield client


def answer_of(client: ssl.SSLSocket, request: bytes) -> tuple[int, bytes]:
    client.sendall(request)
    reply = http.client.HTTPResponse(client)
    reply.begin()
    return reply.status, reply.read()


def common_name(certificate: Any) -> str:
    return str(next(value for group in certificate["subject"] for name, value in group if name == "commonName"))


def name_of(server: RunningServer, authority: Authority) -> str:
    with connected(server, authority.client_context()) as client:
        certificate = client.getpeercert()
        assert certificate is not None
        return common_name(certificate)


def test_requests_are_answered_over_tls(serving: Serving, authority: Authority) -> None:
    server = serving(authority.issue("server"))
    with connected(server, authority.client_context()) as client:
        assert 200 == answer_of(client, http_request("GET", "/v2"))[0]
        assert 200 == answer_of(client, infer_request([[1, 2, 3, 4]]))[0]
        assert client.version() == "TLSv1.3"


def test_a_large_answer_and_many_requests_come_whole(serving: Serving, authority: Authority) -> None:
    server = serving(authority.issue("server"))
    with connected(server, authority.client_context()) as client:
        rows = [[1.0, 2.0, 3.0, 4.0]] * 50_000
        status, body = answer_of(client, infer_request(rows))
        assert 200 == status
        assert len(body) > 4 * 50_000


def test_http_1_is_what_is_agreed_on(serving: Serving, authority: Authority) -> None:
    context = authority.client_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with connected(serving(authority.issue("server")), context) as client:
        assert "http/1.1" == client.selected_alpn_protocol()


def test_plain_http_is_not_answered(serving: Serving, authority: Authority) -> None:
    server = serving(authority.issue("server"))
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=30) as client:
        client.sendall(http_request("GET", "/v2"))
        with contextlib.suppress(ConnectionResetError):
            assert not client.recv(100).startswith(b"HTTP/1.1 200")


def test_versions_before_1_2_are_refused(serving: Serving, authority: Authority) -> None:
    context = authority.client_context()
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    server = serving(authority.issue("server"))
    with pytest.raises((ssl.SSLError, ConnectionResetError)), connected(server, context):
        pass


def test_with_client_authorities_only_clients_of_theirs_get_in(
    serving: Serving, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = authority.issue("server")
    server = serving(TlsFiles(certificate=files.certificate, key=files.key, client_authorities=authority.file))
    ours, foreign = authority.issue("client"), Authority(tmp_path_factory.mktemp("foreign")).issue("client")
    for client_files, is_let_in in ((ours, True), (foreign, False), (None, False)):
        context = authority.client_context()
        if client_files is not None:
            context.load_cert_chain(client_files.certificate, client_files.key)
        try:
            with connected(server, context) as client:
                assert is_let_in == (answer_of(client, http_request("GET", "/v2"))[0] == 200)
        except (ssl.SSLError, ConnectionError, http.client.HTTPException):
            assert not is_let_in


def test_a_breach_gets_its_answer_and_ends_the_connection(serving: Serving, authority: Authority) -> None:
    server = serving(authority.issue("server"), max_body_bytes=1000)
    with connected(server, authority.client_context()) as client:
        assert 413 == answer_of(client, http_request("POST", "/v2", b"x" * 5000)[:600])[0]
        assert b"" == client.recv(10)
    assert name_of(server, authority) == "server"


def test_grpc_is_answered_over_tls_and_asks_for_client_certificates_too(serving: Serving, authority: Authority) -> None:
    files, ours = authority.issue("server"), authority.issue("client")
    mutual = TlsFiles(certificate=files.certificate, key=files.key, client_authorities=authority.file)
    address = serving(mutual, grpc_port=0).grpc_address
    roots, key, chain = (Path(name).read_bytes() for name in (authority.file, ours.key, ours.certificate))
    method = "/inference.GRPCInferenceService/ServerLive"
    with grpc.secure_channel(address, grpc.ssl_channel_credentials(roots, key, chain)) as channel:
        assert b"" != channel.unary_unary(method)(b"", timeout=30)
    with grpc.secure_channel(address, grpc.ssl_channel_credentials(roots)) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(method)(b"", timeout=30)
        assert grpc.StatusCode.UNAVAILABLE == caught.value.code()


def test_a_renewed_certificate_is_used_for_the_connections_to_come(tmp_path: Path, authority: Authority) -> None:
    files = authority.issue("server")
    certificates = Certificates(files)
    context = certificates.context(HTTP1)
    old = certificate_in(context, authority)
    renew(authority, files, "renewed")
    certificates.renew()
    new = certificate_in(context, authority)
    assert ("server", "renewed") == (old, new)


def test_a_bad_certificate_does_not_replace_a_good_one(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    files = authority.issue("server")
    certificates = Certificates(files)
    context = certificates.context(HTTP2)
    other = authority.issue("other")
    Path(files.certificate).write_bytes(Path(other.certificate).read_bytes())
    certificates.renew()
    assert "server" == certificate_in(context, authority)
    assert "is kept" in caplog.text


def renew(authority: Authority, files: TlsFiles, name: str) -> None:
    made = authority.issue(name)
    Path(made.certificate).replace(files.certificate)
    Path(made.key).replace(files.key)


def certificate_in(context: ssl.SSLContext, authority: Authority) -> str:
    """The name in the certificate that a new connection is shown; in memory, without sockets."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    client = authority.client_context().wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    for _ in range(3):  # flights of a handshake
        for side in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    certificate = client.getpeercert()
    assert certificate is not None
    return common_name(certificate)


@pytest.mark.parametrize("fault", ("absent", "no key", "absent key", "text", "other key", "encrypted", "authorities"))
def test_files_that_will_not_do_are_named(authority: Authority, tmp_path: Path, fault: str) -> None:
    files = authority.issue("server")
    certificate, key, authorities = files.certificate, files.key, ""
    if fault == "absent":
        certificate = named = str(tmp_path / "absent.pem")
    elif fault == "no key":
        key, named = "", certificate
    elif fault == "absent key":
        key = named = str(tmp_path / "absent.key")
    elif fault == "text":
        named = certificate
        Path(certificate).write_text("hello")
    elif fault == "other key":
        key = authority.issue("other").key
        named = f"the key in {key} is not that of the certificate in {certificate}"
    elif fault == "encrypted":
        named = "key of the certificate"
        plain = load_pem_private_key(Path(key).read_bytes(), password=None)
        locked = BestAvailableEncryption(b"secret")
        Path(key).write_bytes(plain.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    else:
        authorities = named = str(tmp_path / "text")
        Path(authorities).write_text("hello")
    with pytest.raises(InputError, match=named) as caught:
        server_context(TlsFiles(certificate=certificate, key=key, client_authorities=authorities), protocols=HTTP1)
    assert "secret" not in str(caught.value)
    assert "_ssl.c" not in caught.value.why
    assert caught.value.hint


class HandingOver:
    """A server with TLS in a thread that listens nowhere: its connections are accepted by the test."""

    def __init__(self, files: TlsFiles, **settings: int) -> None:
        record = ServerSettings(tls=files, **settings)  # type: ignore[arg-type]
        self.server = Server([make_model()], record, clock=SystemClock(), accepts=False)
        self.listener = self.server.listeners["main"]
        is_ready = threading.Event()
        self.thread = threading.Thread(target=lambda: self.server.run(lambda _url: is_ready.set()))
        self.thread.start()
        assert is_ready.wait(60)

    def hand_over(self) -> socket.socket:
        """The client's side of a connection whose handshake has not begun."""
        with socket.create_server(("127.0.0.1", 0)) as door:
            client = socket.create_connection(door.getsockname(), timeout=30)
            accepted, _ = door.accept()
        accepted.settimeout(0.0)
        taken = threading.Event()

        def adopt() -> None:
            self.listener.adopt(accepted)
            taken.set()

        self.server.loop.call_soon_threadsafe(adopt)
        assert taken.wait(60)
        return client

    def drain(self) -> None:
        """Begin, and return when nothing more is accepted."""
        self.server.stop()
        ended = threading.Event()

        def look() -> None:
            if self.listener._is_open:
                self.server.loop.call_later(0.02, look)
            else:
                ended.set()

        self.server.loop.call_soon_threadsafe(look)
        assert ended.wait(60)


def test_a_handshake_that_a_drain_interrupts_is_finished_and_its_request_answered(authority: Authority) -> None:
    server = HandingOver(authority.issue("server"))
    with server.hand_over() as plain:
        server.drain()
        with authority.client_context().wrap_socket(plain, server_hostname="127.0.0.1") as client:
            client.sendall(http_request("GET", "/v2/health/live"))
            assert client.recv(100).startswith(b"HTTP/1.1 200")
    server.thread.join(60)
    assert not server.thread.is_alive()


def test_a_handshake_that_never_comes_does_not_keep_a_drained_server(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "_HANDSHAKE_S", 600.0)
    server = HandingOver(authority.issue("server"), drain_timeout_ns=300_000_000)
    with server.hand_over():
        server.drain()
        server.thread.join(60)
        assert not server.thread.is_alive()


RENEWING = """
import sys
from modeldyno.clock import SystemClock
from modeldyno.records.server import ServerSettings, TlsFiles
from modeldyno.server.serving import serve
from modeldyno.testing.running_server import make_model
settings = ServerSettings(port=0, tls=TlsFiles(certificate=sys.argv[1], key=sys.argv[2]))
serve([make_model()], settings, clock=SystemClock(), on_ready=lambda urls: print(urls["main"], flush=True))
"""


def test_a_hang_up_signal_renews_the_certificate_of_a_running_server(authority: Authority) -> None:
    files = authority.issue("server")
    process = subprocess.Popen(
        [sys.executable, "-c", RENEWING, files.certificate, files.key],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    timer = threading.Timer(60, process.kill)
    timer.start()
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        port = int(process.stdout.readline().rsplit(":", 1)[1])

        def shown() -> str:
            return ssl.get_server_certificate(("127.0.0.1", port))

        before = shown()
        renew(authority, files, "renewed")
        os.kill(process.pid, signal.SIGHUP)
        assert "is used from now on" in process.stderr.readline()
        assert before != shown()
        process.terminate()
    timer.cancel()
    assert 0 == process.returncode
