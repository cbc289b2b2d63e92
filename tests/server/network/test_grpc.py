"""Connections as grpcio and a plain socket have them: deadlines, cancelling, TLS, draining, limits, hostile bytes."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import grpc.aio
import numpy as np
import pytest
import trustme
from numpy.typing import NDArray
from tests.hostile.peer import Peer
from tests.server.gate import Gate

from modeldyno.protocols import Tensors
from modeldyno.records.server import TlsFiles
from modeldyno.testing.running_server import RunningServer, make_model
from modeldyno.testing.sessions import FunctionSession, sum_rows, sum_signature
from modeldyno.wire.header_block import BlockReader, encode_block
from modeldyno.wire.http2_frames import (
    END_STREAM,
    PREFACE,
    ErrorCode,
    FrameType,
    format_frame,
    format_headers,
    format_reset,
    format_settings,
    parse_number,
)
from modeldyno.wire.v2_grpc import encode_infer_request, infer_outputs, parse_infer_response
from modeldyno.wire.v2_messages import message_class, method_path

Serving = Callable[..., RunningServer]
INFER = method_path("ModelInfer")
HEALTH = "/grpc.health.v1.Health/Check"
ROW = np.arange(4, dtype=np.float32).reshape(1, 4)


def infer_message(rows: NDArray[np.float32] = ROW, model: str = "sums") -> bytes:
    return encode_infer_request({"x": rows}, sum_signature(), model)


def sums_of(message: bytes) -> list[float]:
    values: list[float] = infer_outputs(parse_infer_response(message))["sum"].tolist()
    return values


def test_a_call_is_answered_and_a_health_probe_too(serving: Serving) -> None:
    server = serving(make_model(), grpc_port=0)
    with grpc.insecure_channel(server.grpc_address) as channel:
        assert [6.0] == sums_of(channel.unary_unary(INFER)(infer_message(), timeout=30))
        assert b"\x08\x01" == channel.unary_unary(HEALTH)(b"", timeout=30)
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(HEALTH)(b"\x0a\x03abc", timeout=30)

    assert grpc.StatusCode.NOT_FOUND == caught.value.code()


def test_a_deadline_covers_the_queue_and_the_others_are_answered(serving: Serving) -> None:
    gate = Gate()
    server = serving(make_model(gate, instances=2), grpc_port=0)
    with grpc.insecure_channel(server.grpc_address) as channel:
        call = channel.unary_unary(INFER)
        first, second = (call.future(infer_message(), timeout=60) for _ in range(2))
        gate.wait_entered()
        gate.wait_entered()
        late = call.future(infer_message(), timeout=0.2)
        assert grpc.StatusCode.DEADLINE_EXCEEDED == late.code()
        for _ in range(2):
            gate.passes.release()
        assert [6.0] == sums_of(first.result(60))
        assert [6.0] == sums_of(second.result(60))
    server.stop()
    server.join()

    assert server.account is not None
    assert 2 == server.account.answered
    assert 1 == server.account.expired + server.account.cancelled
    assert 0 == server.account.unaccounted


def test_the_server_says_itself_that_a_deadline_passed(serving: Serving) -> None:
    gate = Gate()
    server = serving(make_model(gate, instances=2), grpc_port=0)
    with Peer(server.grpc_address) as peer:
        for stream in (1, 3):
            peer.ask(stream, INFER, infer_message())
            gate.wait_entered()
        peer.ask(5, INFER, infer_message(), headers=(("grpc-timeout", "20m"),))
        status = peer.status(5)
        for _ in range(2):
            gate.passes.release()

    assert b"4" == status[b"grpc-status"]


def test_a_cancelled_call_leaves_the_queue(serving: Serving) -> None:
    gate = Gate()
    server = serving(make_model(gate, instances=2, max_queued_rows=1), grpc_port=0)
    with Peer(server.grpc_address) as peer:
        for stream in (1, 3):
            peer.ask(stream, INFER, infer_message())
            gate.wait_entered()
        peer.ask(5, INFER, infer_message())
        peer.ask(7, INFER, infer_message())
        refused = peer.status(7)
        peer.send(format_reset(5, ErrorCode.CANCEL))
        peer.ask(9, INFER, infer_message())
        for _ in range(3):
            gate.passes.release()
        answered = [peer.status(stream)[b"grpc-status"] for stream in (1, 3, 9)]
    server.stop()
    server.join()

    assert (b"14", b"the queue of 1 rows is full; try again later") == (
        refused[b"grpc-status"],
        refused[b"grpc-message"],
    )
    assert int(refused[b"grpc-retry-pushback-ms"]) >= 1_000
    assert [b"0"] * 3 == answered
    assert server.account is not None
    assert (3, 1, 1) == (server.account.answered, server.account.cancelled, server.account.refused)
    assert 0 == server.account.unaccounted


def test_thousands_of_cancelled_calls_leave_nothing_behind(serving: Serving) -> None:
    server = serving(make_model(), grpc_port=0)

    async def cancel_many() -> list[float]:
        async with grpc.aio.insecure_channel(server.grpc_address) as channel:
            call = channel.unary_unary(INFER)
            for _ in range(20):
                calls = [call(infer_message(), timeout=60) for _ in range(100)]
                await asyncio.sleep(0)
                for one in calls:
                    one.cancel()
            return sums_of(await call(infer_message(), timeout=60, wait_for_ready=True))

    assert [6.0] == asyncio.run(cancel_many())
    server.stop()
    server.join()
    assert server.account is not None
    assert 0 == server.account.unaccounted


def test_a_client_that_goes_away_takes_its_calls_with_it(serving: Serving) -> None:
    gate = Gate()
    server = serving(make_model(gate, instances=2), grpc_port=0)
    with Peer(server.grpc_address) as peer:
        for stream in (1, 3, 5):
            peer.ask(stream, INFER, infer_message())
        gate.wait_entered()
        gate.wait_entered()
    with server.connect() as probe:
        for _ in range(10_000):  # each question gives the server a turn to notice it
            probe.ask("GET", "/v2/health/live")
            if server._server._plane.tally.cancelled == 3:
                break
    for _ in range(2):
        gate.passes.release()
    with grpc.insecure_channel(server.grpc_address) as channel:
        gate.passes.release()
        assert [6.0] == sums_of(channel.unary_unary(INFER)(infer_message(), timeout=60))
    server.stop()
    server.join()

    assert server.account is not None
    assert (1, 3) == (server.account.answered, server.account.cancelled)


def test_draining_answers_what_was_begun_and_ends(serving: Serving) -> None:
    gate = Gate()
    server = serving(make_model(gate, instances=2), grpc_port=0)
    with grpc.insecure_channel(server.grpc_address) as channel:
        call = channel.unary_unary(INFER).future(infer_message(), timeout=60)
        gate.wait_entered()
        server.stop()
        gate.passes.release()
        assert [6.0] == sums_of(call.result(60))
        server.join()
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(INFER)(infer_message(), timeout=10)

    assert grpc.StatusCode.UNAVAILABLE == caught.value.code()
    assert server.account is not None
    assert (1, 1) == (server.account.accepted, server.account.answered)


def test_an_open_stream_does_not_keep_a_server_from_ending(serving: Serving) -> None:
    server = serving(make_model(), grpc_port=0)
    asked = threading.Event()

    def questions() -> Iterator[bytes]:
        yield infer_message()
        asked.wait(60)

    with grpc.insecure_channel(server.grpc_address) as channel:
        answers = channel.stream_stream(method_path("ModelStreamInfer"))(questions(), timeout=60)
        first = message_class("ModelStreamInferResponse").FromString(next(answers))
        server.stop()
        server.join()
        asked.set()
        with pytest.raises(grpc.RpcError):
            next(answers)

    assert [6.0] == sums_of(first.infer_response.SerializeToString())
    assert grpc.StatusCode.UNAVAILABLE == answers.code()


def streamed(server: RunningServer, *messages: bytes) -> tuple[list[object], bytes]:
    """What comes for messages that go in one piece with the end of the stream, and the status."""
    asked = [(":method", "POST"), (":scheme", "http"), (":path", method_path("ModelStreamInfer"))]
    block = encode_block([*asked, ("content-type", "application/grpc")])
    body = b"".join(b"\0" + len(message).to_bytes(4, "big") + message for message in messages)
    answers, pieces = [], b""
    with Peer(server.grpc_address) as peer:
        peer.send(format_headers(1, block) + format_frame(FrameType.DATA, END_STREAM, 1, body))
        for kind, flags, _, payload in peer.read():
            if kind == FrameType.DATA:
                pieces += payload
            if kind == FrameType.HEADERS and flags & END_STREAM:
                status = BlockReader().decode(payload)[b"grpc-status"]
                break
    while pieces:
        size = int.from_bytes(pieces[1:5], "big")
        answer = message_class("ModelStreamInferResponse").FromString(pieces[5 : 5 + size])
        answers.append(answer.error_message or sums_of(answer.infer_response.SerializeToString()))
        pieces = pieces[5 + size :]
    return answers, status


def test_requests_of_a_stream_fail_alone(serving: Serving) -> None:
    server = serving(make_model(), grpc_port=0)
    answers, status = streamed(server, infer_message(model="nope"), b"\xff", infer_message(), infer_message())

    assert b"0" == status
    assert ["unknown model 'nope'", "not a valid ModelInf"] == [str(one)[:20] for one in answers[:2]]
    assert [[6.0], [6.0]] == answers[2:]


def test_a_stream_that_ends_within_a_message_fails(serving: Serving) -> None:
    server = serving(make_model(), grpc_port=0)
    with Peer(server.grpc_address) as peer:
        asked = [(":method", "POST"), (":scheme", "http"), (":path", method_path("ModelStreamInfer"))]
        block = encode_block([*asked, ("content-type", "application/grpc")])
        peer.send(format_headers(1, block) + format_frame(FrameType.DATA, END_STREAM, 1, b"\0\0\0\0\x09abc"))

        assert b"13" == peer.status(1)[b"grpc-status"]


@pytest.fixture
def certificates(tmp_path: Path) -> Callable[[], tuple[trustme.CA, TlsFiles]]:
    def make() -> tuple[trustme.CA, TlsFiles]:
        authority = trustme.CA()
        issued = authority.issue_cert("localhost", "127.0.0.1")
        pem = tmp_path / "server.pem"
        issued.private_key_and_cert_chain_pem.write_to_path(pem)
        return authority, TlsFiles(certificate=str(pem))

    return make


def test_calls_go_through_tls(serving: Serving, certificates: Callable[[], tuple[trustme.CA, TlsFiles]]) -> None:
    authority, files = certificates()
    server = serving(
        make_model(),
        grpc_port=0,
        tls={"certificate": files.certificate},
    )
    credentials = grpc.ssl_channel_credentials(root_certificates=authority.cert_pem.bytes())
    big = np.ones((300_000, 4), np.float32)
    with grpc.secure_channel(server.grpc_address, credentials) as channel:
        assert [6.0] == sums_of(channel.unary_unary(INFER)(infer_message(), timeout=30))
        assert 300_000 == len(sums_of(channel.unary_unary(INFER)(infer_message(big), timeout=60)))


@pytest.mark.parametrize(
    "noise",
    (
        b"GET / HTTP/1.1\r\n\r\n" + bytes(30),
        PREFACE + b"\xff" * 50,
        PREFACE + format_settings({}) + format_frame(FrameType.PING, 0, 0, bytes(8)) * 5_000,
    ),
)
def test_hostile_bytes_end_their_connection_only(serving: Serving, noise: bytes) -> None:
    server = serving(make_model(), grpc_port=0)
    with Peer(server.grpc_address) as sound, Peer(server.grpc_address, b"") as hostile:
        hostile.send(noise)
        frames = list(hostile.read())
        sound.ask(1, INFER, infer_message())

        assert FrameType.GOAWAY in [kind for kind, _, _, _ in frames]
        assert b"0" == sound.status(1)[b"grpc-status"]


@pytest.mark.parametrize(
    ("path", "message", "headers", "code"),
    (
        (INFER, b"\xff\xff", (), 3),
        (INFER, b"", (), 3),
        ("/inference.GRPCInferenceService/Nothing", b"", (), 12),
        (INFER, infer_message(), (("grpc-timeout", "soon"),), 13),
        (INFER, infer_message(), (("grpc-encoding", "gzip"),), 0),
        (INFER, infer_message(model="a/../b"), (), 5),
        (INFER, infer_message(model=""), (), 3),
    ),
)
def test_a_call_that_is_wrong_has_its_status(
    serving: Serving, path: str, message: bytes, headers: tuple[tuple[str, str], ...], code: int
) -> None:
    server = serving(make_model(), grpc_port=0)
    with Peer(server.grpc_address) as peer:
        peer.ask(1, path, message, headers=headers)
        assert b"%d" % code == peer.status(1)[b"grpc-status"]


def test_what_is_no_grpc_is_told_so_in_http(serving: Serving) -> None:
    server = serving(make_model(), grpc_port=0)
    with Peer(server.grpc_address) as peer:
        block = encode_block([(":method", "GET"), (":scheme", "http"), (":path", "/v2")])
        peer.send(format_headers(1, b"\x20" + block, end_stream=True))
        assert b"415" == peer.status(1)[b":status"]


def test_a_connection_too_many_is_sent_away_at_once(serving: Serving) -> None:
    server = serving(make_model(), grpc_port=0, max_connections=1)
    with Peer(server.grpc_address) as first:
        first.ask(1, INFER, infer_message())
        first.status(1)
        with Peer(server.grpc_address) as second:
            second.ask(1, INFER, infer_message())
            kinds = [(kind, parse_number(payload[:4]) if payload[:4] else 0) for kind, _, _, payload in second.read()]
        first.ask(3, INFER, infer_message())

        assert (FrameType.GOAWAY, 0) in kinds
        assert b"0" == first.status(3)[b"grpc-status"]


def test_idle_and_slow_clients_are_sent_away(serving: Serving) -> None:
    server = serving(make_model(), grpc_port=0, idle_timeout_ns=50_000_000, read_timeout_ns=50_000_000)
    with Peer(server.grpc_address) as idle, Peer(server.grpc_address, b"") as silent, Peer(server.grpc_address) as slow:
        slow.send(
            format_headers(
                1,
                b"\x20"
                + encode_block(
                    [(":method", "POST"), (":scheme", "http"), (":path", INFER), ("content-type", "application/grpc")]
                ),
            )
        )
        assert (FrameType.RST_STREAM, 1) in [(kind, stream) for kind, _, stream, _ in slow.read()]
        assert FrameType.GOAWAY in [kind for kind, _, _, _ in idle.read()]
        assert [FrameType.SETTINGS, FrameType.WINDOW_UPDATE] == [kind for kind, _, _, _ in silent.read()]


def test_the_servers_own_times_come_as_trailers_when_asked_for(serving: Serving) -> None:
    server = serving(make_model(), grpc_port=0, server_timing=True)
    with grpc.insecure_channel(server.grpc_address) as channel:
        _, call = channel.unary_unary(INFER).with_call(infer_message(), timeout=30)
        trailers = dict(call.trailing_metadata())

    assert "inference;dur=" in trailers["server-timing"]
    assert "total;dur=" in trailers["server-timing"]


def test_a_model_that_raises_fails_its_call_only(serving: Serving) -> None:
    def fail(inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        if inputs["x"][0, 0] < 0:
            raise ValueError
        return sum_rows(inputs)

    server = serving(make_model(fail), grpc_port=0)
    with grpc.insecure_channel(server.grpc_address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(INFER)(infer_message(-ROW - 1), timeout=30)
        assert [6.0] == sums_of(channel.unary_unary(INFER)(infer_message(), timeout=30))

    assert grpc.StatusCode.INTERNAL == caught.value.code()


def test_a_port_that_is_taken_is_named_with_its_option(serving: Serving) -> None:
    from modeldyno.clock import SystemClock
    from modeldyno.errors import UsageError
    from modeldyno.records.server import ServerSettings
    from modeldyno.server.serving import Server

    server = serving(make_model(), grpc_port=0)
    port = int(server.grpc_address.rpartition(":")[2])
    other = Server([make_model()], ServerSettings(port=0, grpc_port=port), clock=SystemClock())

    with pytest.raises(UsageError, match=str(port)) as caught:
        other.run(lambda _url: None)
    assert "--grpc-port" in str(caught.value.hint)


def test_everything_of_one_connection_is_batched_together(serving: Serving) -> None:
    gate = Gate()
    model = make_model(gate, max_rows=128, instances=2)
    server = serving(model, grpc_port=0)
    with Peer(server.grpc_address) as peer:
        for stream in (1, 3):
            peer.ask(stream, INFER, infer_message())
            gate.wait_entered()
        for stream in range(5, 205, 2):
            peer.ask(stream, INFER, infer_message())
        peer.ask(205, method_path("ServerLive"), b"")
        assert b"0" == peer.status(205)[b"grpc-status"]
        for _ in range(10):
            gate.passes.release()
        ended = set()
        for kind, flags, stream, _ in peer.read():
            if kind == FrameType.HEADERS and flags & END_STREAM:
                ended.add(stream)
            if len(ended) == 102:
                break

    batches: list[int] = []
    for session in model.sessions:
        assert isinstance(session, FunctionSession)
        batches += session.batches
    assert [1, 1, 100] == sorted(batches)
