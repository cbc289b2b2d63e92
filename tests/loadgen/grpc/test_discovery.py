"""Single calls, and what a server says of its models."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
import trustme
from tests.loadgen.grpc.conftest import SIGNATURE, Serving

from modeldyno.clock import SystemClock
from modeldyno.errors import TargetError, UsageError
from modeldyno.loadgen.access import Access
from modeldyno.loadgen.caller import Caller
from modeldyno.loadgen.dialects.v2_grpc import model_signature, offered_models, only_model
from modeldyno.loadgen.grpc_caller import GrpcCaller
from modeldyno.testing.clock import ManualClock
from modeldyno.wire.http2_frames import FrameType, format_frame, format_settings
from modeldyno.wire.v2_messages import method_path

CLOCK = SystemClock()


def caller(url: str, *headers: tuple[str, str], **access: str) -> GrpcCaller:
    return GrpcCaller(url, Access(headers=headers, **access), clock=CLOCK)


@contextmanager
def talking(first: bytes, *, again: bytes = b"", close: bool = False) -> Iterator[str]:
    """A server that sends `first` to whoever connects, and `again` after whatever it reads."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk(connection: socket.socket) -> None:
        with connection:
            try:
                connection.sendall(first)
                while connection.recv(65_536) and not close:
                    connection.sendall(again)
            except ConnectionError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"grpc://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_the_signature_is_that_of_the_metadata(served: Serving) -> None:
    assert SIGNATURE == model_signature(caller(served.url), "echo")


def test_the_only_model_is_found(served: Serving) -> None:
    assert "echo" == only_model(caller(served.url))


def test_one_of_several_models_has_to_be_named(served: Serving) -> None:
    served.inference.offered = ["b", "a"]

    with pytest.raises(UsageError, match="2 models: a, b") as caught:
        only_model(caller(served.url))
    assert "--model" in caught.value.hint


def test_a_server_without_an_index_needs_a_name(served: Serving) -> None:
    served.inference.has_index = False

    assert offered_models(caller(served.url)) is None
    with pytest.raises(UsageError, match="does not list"):
        only_model(caller(served.url))


@pytest.mark.parametrize(
    ("code", "hint"), ((grpc.StatusCode.UNAVAILABLE, "well"), (grpc.StatusCode.UNAUTHENTICATED, "key"))
)
def test_a_server_that_cannot_say_which_models_it_has_is_not_taken_for_one_without_an_index(
    served: Serving, code: grpc.StatusCode, hint: str
) -> None:
    served.inference.index_code = code
    with pytest.raises(TargetError, match="does not tell of its models") as caught:
        only_model(caller(served.url))

    assert f"{code.name}: as was asked" == caught.value.why
    assert hint in caught.value.hint


def test_an_unknown_model_is_named_with_those_that_there_are(served: Serving) -> None:
    with pytest.raises(TargetError, match="'nope'") as caught:
        model_signature(caller(served.url), "nope")

    assert "NOT_FOUND: unknown model 'nope'" == caught.value.why
    assert "it offers: echo" == caught.value.hint


def test_an_unknown_model_of_a_server_without_an_index_is_named_too(served: Serving) -> None:
    served.inference.has_index = False
    with pytest.raises(TargetError, match="'nope'") as caught:
        model_signature(caller(served.url), "nope")

    assert "operator" in caught.value.hint


def test_a_key_is_sent_and_a_missing_one_is_told(served: Serving) -> None:
    assert SIGNATURE == model_signature(caller(served.url, ("Authorization", "Bearer key")), "secret")
    with pytest.raises(TargetError, match="'secret'") as caught:
        model_signature(caller(served.url), "secret")

    assert "UNAUTHENTICATED: a key is needed" == caught.value.why
    assert "--bearer-file" in caught.value.hint


def test_a_grpc_server_of_something_else_is_told_from_one_without_the_model(served: Serving) -> None:
    status, _ = caller(served.url).call(method_path("ServerLive"), b"")
    assert "UNIMPLEMENTED" in str(status)

    server = grpc.server(served.threads, handlers=())
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with pytest.raises(TargetError, match="does not offer the Open Inference Protocol"):
        model_signature(caller(f"grpc://127.0.0.1:{port}"), "echo")
    server.stop(0).wait()


def test_nobody_there_is_a_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(TargetError, match="cannot reach") as caught:
        only_model(caller(f"grpc://127.0.0.1:{port}"))
    assert "refused" in caught.value.why


@pytest.mark.parametrize(
    ("first", "why", "hint"),
    (
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP/1", "http://"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "TLS", "grpcs://"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/2", "port"),
    ),
)
def test_a_server_that_speaks_something_else_is_told_with_what_to_write(first: bytes, why: str, hint: str) -> None:
    with talking(first) as url, pytest.raises(TargetError, match="does not speak gRPC") as caught:
        only_model(caller(url))

    assert why in caught.value.why
    assert hint in caught.value.hint


@pytest.mark.parametrize("first", (b"", format_settings({})))
def test_a_server_that_hangs_up_is_no_grpc_server(first: bytes) -> None:
    with talking(first, close=True) as url, pytest.raises(TargetError, match=r"cannot reach|does not speak gRPC"):
        only_model(caller(url))


def test_a_server_that_only_keeps_talking_is_given_up_in_time() -> None:
    class Leaping(ManualClock):
        """A second later each time it is looked at."""

        def now_ns(self) -> int:
            self.advance_ns(1_000_000_000)
            return super().now_ns()

    ping = format_frame(FrameType.PING, 0, 0, bytes(8))
    with (
        talking(format_settings({}) + ping, again=ping) as url,
        pytest.raises(TargetError, match="cannot reach") as caught,
    ):
        only_model(GrpcCaller(url, clock=Leaping()))

    assert "no answer within 5" in caught.value.why


def test_a_url_of_another_scheme_that_is_none_is_wrong_usage() -> None:
    with pytest.raises(UsageError):
        caller("grpc:/nowhere")


def test_metadata_that_grpc_forbids_are_wrong_usage(served: Serving) -> None:
    with pytest.raises(UsageError, match="cannot be set"):
        only_model(caller(served.url, ("Content-Type", "text/plain")))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def credentials(authority: trustme.CA, *, wants_certificate: bool = False) -> Any:
    own = authority.issue_cert("localhost")
    pair = (own.private_key_pem.bytes(), b"".join(one.bytes() for one in own.cert_chain_pems))
    roots = authority.cert_pem.bytes() if wants_certificate else None
    return grpc.ssl_server_credentials((pair,), roots, require_client_auth=wants_certificate)


def test_an_encrypted_server_answers_who_trusts_its_authority(serve: Any, authority: trustme.CA, tmp_path: Any) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with serve(credentials=credentials(authority)) as server:
        url = f"grpcs://localhost:{server.port}"
        assert "echo" == only_model(caller(url, authorities=str(tmp_path / "ca.pem")))
        with pytest.raises(TargetError, match="not trusted"):
            only_model(caller(url))


def test_an_encrypted_server_is_not_spoken_to_in_the_clear(serve: Any, authority: trustme.CA) -> None:
    with serve(credentials=credentials(authority)) as server, pytest.raises(TargetError):
        only_model(caller(f"grpc://localhost:{server.port}"))


def test_a_server_that_wants_a_client_certificate_gets_it(serve: Any, authority: trustme.CA, tmp_path: Any) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("client.test").private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")
    access = {"authorities": str(tmp_path / "ca.pem")}
    with serve(credentials=credentials(authority, wants_certificate=True)) as server:
        url = f"grpcs://localhost:{server.port}"
        assert "echo" == only_model(caller(url, certificate=str(tmp_path / "own.pem"), **access))
        with pytest.raises(TargetError):
            only_model(caller(url, **access))


def test_who_asks_in_http_for_a_grpc_server_is_told_how_to(served: Serving) -> None:
    with pytest.raises(TargetError, match="does not speak HTTP/1") as caught:
        Caller(f"http://127.0.0.1:{served.port}").call("GET", "/v2")

    assert caught.value.why.isprintable()
    assert "grpc://" in caught.value.hint
