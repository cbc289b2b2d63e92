"""Attacks over HTTP/2 and gRPC: each ends its call or its connection, and neither neighbours nor memory suffer."""

import gzip
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
from tests.hostile.attacked import MB, Target, target, unharmed
from tests.hostile.peer import GREETING, Peer, call_headers
from tests.hostile.target import WIDTH

from modeldyno.records.server import ServerSettings
from modeldyno.testing.sessions import echo_signature, sum_signature
from modeldyno.wire.http2_frames import (
    END_STREAM,
    PREFACE,
    ErrorCode,
    FrameType,
    Setting,
    format_frame,
    format_headers,
    format_reset,
    format_settings,
    format_window_update,
)
from modeldyno.wire.v2_grpc import encode_infer_request
from modeldyno.wire.v2_messages import method_path

Attack = Callable[[Target], None]
INFER = method_path("ModelInfer")
STREAM_INFER = method_path("ModelStreamInfer")
SMALL = encode_infer_request({"x": np.ones((1, 4), np.float32)}, sum_signature(), "sums")
LARGE = encode_infer_request({"x": np.ones((8, WIDTH), np.float32)}, echo_signature("FP32", ("batch", WIDTH)), "echo")
CALM = int(ErrorCode.ENHANCE_YOUR_CALM)
ROUNDS = 10


@pytest.fixture(scope="module")
def server() -> Iterator[Target]:
    """Impatient, so that waiting for its patience to end is short; it must account for every request in the end."""
    settings = ServerSettings(
        port=0, grpc_port=0, max_body_bytes=10 * MB, read_timeout_ns=10**9, drain_timeout_ns=10**9
    )
    with target(settings) as running:
        yield running
        account = running.end()
    assert 0 == account.unaccounted


def wrapped(message: bytes, *, size: int | None = None, is_compressed: bool = False) -> bytes:
    """A message of gRPC, whose length may be a lie."""
    return bytes([is_compressed]) + (len(message) if size is None else size).to_bytes(4, "big") + message


def data(stream: int, body: bytes, *, is_last: bool = False) -> bytes:
    """A body in as many frames as it takes."""
    pieces = [body[start : start + 16_384] for start in range(0, len(body), 16_384)] or [b""]
    return b"".join(
        format_frame(FrameType.DATA, END_STREAM if is_last and piece is pieces[-1] else 0, stream, piece)
        for piece in pieces
    )


def sent_away(server: Target, noise: bytes, code: int, greeting: bytes = GREETING) -> None:
    """Who sends this gets a GOAWAY with this code."""
    for _ in range(ROUNDS):
        with Peer(server.grpc_address, greeting) as peer:
            peer.send(noise)
            assert code == peer.goodbye()


def rapid_resets(server: Target) -> None:  # CVE-2023-44487
    calls = [
        call_headers(stream, INFER)
        + data(stream, wrapped(SMALL), is_last=True)
        + format_reset(stream, ErrorCode.CANCEL)
        for stream in range(1, 20_001, 2)
    ]
    sent_away(server, b"".join(calls), CALM)


def resets_before_the_end(server: Target) -> None:
    calls = [call_headers(stream, INFER) + format_reset(stream, ErrorCode.CANCEL) for stream in range(1, 20_001, 2)]
    sent_away(server, b"".join(calls), CALM)


def continuations(piece: bytes, server: Target) -> None:  # CVE-2024-27316
    start = format_frame(FrameType.HEADERS, 0, 1, b"\x20" + bytes(10))
    sent_away(server, start + format_frame(FrameType.CONTINUATION, 0, 1, piece) * 20_000, CALM)


def floods(frame: bytes, server: Target) -> None:
    sent_away(server, frame * 20_000, CALM)


def floods_on_a_call(frame: bytes, server: Target) -> None:
    sent_away(server, call_headers(1, INFER) + frame * 20_000, CALM)


def headers_are_huge(server: Target) -> None:
    large = tuple((f"x-{number}", "a" * 4000) for number in range(100))
    sent_away(server, call_headers(1, INFER, large), CALM)


def headers_unfold(server: Target) -> None:
    """One of 4,000 bytes, which the client puts into its table and then repeats by a single byte each."""
    stored = b"\x40\x01a" + b"\x7f" + _hpack_number(4000 - 127) + b"b" * 4000
    sent_away(
        server,
        format_headers(1, stored + b"\xbe" * 10_000),
        int(ErrorCode.COMPRESSION_ERROR),
        PREFACE + format_settings({}),
    )


def _hpack_number(rest: int) -> bytes:
    """What follows a full prefix (RFC 7541, section 5.1)."""
    out = bytearray()
    while rest >= 128:
        out.append(rest % 128 + 128)
        rest //= 128
    return bytes([*out, rest])


def answers_are_not_let_out(server: Target) -> None:
    """Windows of nothing, and large answers: the server keeps them until its patience ends, and no longer."""
    greeting = PREFACE + format_settings({Setting.INITIAL_WINDOW_SIZE: 0}) + format_frame(FrameType.SETTINGS, 1, 0, b"")
    peers = [Peer(server.grpc_address, greeting) for _ in range(ROUNDS)]
    for peer in peers:
        for stream in range(1, 401, 2):
            peer.send(call_headers(stream, INFER) + data(stream, wrapped(LARGE), is_last=True))
    for peer in peers:
        gone = set()
        for kind, flags, stream, _ in peer.read():
            assert kind != FrameType.DATA
            # Reset once nobody takes the answer; or refused at once, when the queue was full.
            if kind == FrameType.RST_STREAM or (kind == FrameType.HEADERS and flags & END_STREAM):
                gone.add(stream)
            if len(gone) == 200:
                break
        assert 200 == len(gone)
        peer.close()


def answers_are_let_out_byte_by_byte(server: Target) -> None:
    greeting = PREFACE + format_settings({Setting.INITIAL_WINDOW_SIZE: 0}) + format_frame(FrameType.SETTINGS, 1, 0, b"")
    call = call_headers(1, INFER) + data(1, wrapped(LARGE), is_last=True)
    sent_away(server, call + format_window_update(1, 1) * 20_000, CALM, greeting)


def calls_never_end(server: Target) -> None:
    """More calls than allowed are refused; those that do not go on are reset."""
    for _ in range(2):
        with Peer(server.grpc_address) as peer:
            peer.send(b"".join(call_headers(stream, INFER) + data(stream, b"\0\0") for stream in range(1, 801, 2)))
            codes = []
            for kind, _, _, payload in peer.read():
                if kind == FrameType.RST_STREAM:
                    codes.append(int.from_bytes(payload, "big"))
                if len(codes) == 400:
                    break
        assert (144, 256) == (codes.count(ErrorCode.REFUSED_STREAM), codes.count(ErrorCode.CANCEL))


def calls_vanish(server: Target) -> None:
    part = call_headers(1, INFER) + data(1, wrapped(bytes(3 * MB), size=9 * MB))
    for _ in range(80):
        with Peer(server.grpc_address) as peer:
            peer.send(part)


def lengths_lie(server: Target) -> None:
    for size in (0, 1, len(SMALL) - 1, len(SMALL) + 1, 2**31, 2**32 - 1):
        with Peer(server.grpc_address) as peer:
            peer.send(call_headers(1, INFER) + data(1, wrapped(SMALL, size=size), is_last=True))
            assert peer.status(1)[b"grpc-status"] in {b"3", b"8", b"13"}
        with Peer(server.grpc_address) as peer:
            peer.send(call_headers(1, STREAM_INFER) + data(1, wrapped(SMALL, size=size), is_last=True))
            assert peer.status(1)[b"grpc-status"] in {b"0", b"3", b"8", b"13"}  # 0: the error is in the stream


def messages_expand(server: Target) -> None:
    bomb = wrapped(gzip.compress(bytes(200 * MB)), is_compressed=True)
    for _ in range(20):
        with Peer(server.grpc_address) as peer:
            peer.send(call_headers(1, INFER, (("grpc-encoding", "gzip"),)) + data(1, bomb, is_last=True))
            assert b"8" == peer.status(1)[b"grpc-status"]


def streams_are_asked_and_not_read(server: Target) -> None:
    for _ in range(3):
        with Peer(server.grpc_address) as peer:
            peer.send(call_headers(1, STREAM_INFER))
            for _ in range(1000):
                peer.send(data(1, wrapped(LARGE)))


@pytest.mark.parametrize(
    "attack",
    (
        rapid_resets,
        resets_before_the_end,
        pytest.param(partial(continuations, b""), id="empty CONTINUATION"),
        pytest.param(partial(continuations, bytes(100)), id="CONTINUATION"),
        pytest.param(partial(floods, format_frame(FrameType.PING, 0, 0, bytes(8))), id="PING"),
        pytest.param(partial(floods, format_settings({})), id="SETTINGS"),
        pytest.param(partial(floods, format_settings({Setting.INITIAL_WINDOW_SIZE: 9})), id="SETTINGS with windows"),
        pytest.param(partial(floods, format_frame(FrameType.PRIORITY, 0, 1, bytes(5))), id="PRIORITY"),
        pytest.param(partial(floods, format_window_update(0, 1)), id="WINDOW_UPDATE"),
        pytest.param(partial(floods, format_frame(0x77, 0, 0, bytes(100))), id="unknown frames"),
        pytest.param(partial(floods_on_a_call, format_frame(FrameType.DATA, 0, 1, b"")), id="empty DATA"),
        pytest.param(partial(floods_on_a_call, format_frame(FrameType.DATA, 8, 1, b"\x04" + bytes(4))), id="padding"),
        headers_are_huge,
        headers_unfold,
        answers_are_not_let_out,
        answers_are_let_out_byte_by_byte,
        calls_never_end,
        calls_vanish,
        lengths_lie,
        messages_expand,
        streams_are_asked_and_not_read,
    ),
)
def test_an_attack_is_refused_unnoticed_by_the_neighbours(server: Target, attack: Attack) -> None:
    with unharmed(server):
        attack(server)


def test_a_block_that_is_not_ended_is_not_waited_for(server: Target) -> None:
    with unharmed(server):
        peers = [Peer(server.grpc_address) for _ in range(50)]
        for peer in peers:
            peer.send(format_frame(FrameType.HEADERS, 0, 1, b"\x20"))
        for peer in peers:
            assert list(peer.read())  # until the server ends it
            peer.close()


def test_half_a_greeting_is_not_waited_for(server: Target) -> None:
    with unharmed(server):
        peers = [Peer(server.grpc_address, PREFACE[:part]) for part in range(len(PREFACE))]
        for peer in peers:
            assert [FrameType.SETTINGS, FrameType.WINDOW_UPDATE] == [kind for kind, _, _, _ in peer.read()][:2]
            peer.close()
