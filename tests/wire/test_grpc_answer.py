import gzip
import tracemalloc
import zlib
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.records.grpc_status import GrpcStatus
from modeldyno.wire.grpc_answer import (
    HEAD,
    OK,
    CallError,
    MessageReader,
    code_of,
    failure,
    failure_trailers,
    is_grpc,
    timed_trailers,
    timeout_ns,
    unwrap,
    wrap,
)
from modeldyno.wire.grpc_call import format_timeout
from modeldyno.wire.header_block import BlockReader

LIMIT = 10_000


def compressed(message: bytes, flag: int = 1) -> bytes:
    return bytes((flag,)) + len(message).to_bytes(4, "big") + message


@given(parts=st.lists(st.binary(max_size=50), max_size=5))
def test_a_message_in_parts_is_read_whole(parts: list[bytes]) -> None:
    assert b"".join(parts) == bytes(unwrap(wrap(parts), {}, LIMIT))


@given(messages=st.lists(st.binary(max_size=30), max_size=6), size=st.integers(1, 40))
def test_messages_are_found_however_the_body_is_cut(messages: list[bytes], size: int) -> None:
    body = b"".join(wrap([message]) for message in messages)
    reader = MessageReader({}, LIMIT)
    found = []
    for start in range(0, len(body), size):
        reader.feed(body[start : start + size])
        while (message := reader.take()) is not None:
            found.append(bytes(message))

    assert messages == found
    assert 0 == reader.pending_bytes


@pytest.mark.parametrize(
    ("encoding", "content"), ((b"gzip", gzip.compress(b"a" * 500, mtime=0)), (b"deflate", zlib.compress(b"a" * 500)))
)
def test_a_compressed_message_is_read(encoding: bytes, content: bytes) -> None:
    assert b"a" * 500 == unwrap(compressed(content), {b"grpc-encoding": encoding}, LIMIT)


@pytest.mark.parametrize(
    ("body", "encoding", "code"),
    (
        (b"", b"identity", GrpcStatus.INTERNAL),
        (b"\0\0\0\0", b"identity", GrpcStatus.INTERNAL),
        (wrap([b"abc"])[:-1], b"identity", GrpcStatus.INTERNAL),
        (wrap([b"abc"]) * 2, b"identity", GrpcStatus.INTERNAL),
        (wrap([b"abc"]) + b"x", b"identity", GrpcStatus.INTERNAL),
        (wrap([bytes(LIMIT + 1)]), b"identity", GrpcStatus.RESOURCE_EXHAUSTED),
        (b"\0\xff\xff\xff\xff", b"identity", GrpcStatus.RESOURCE_EXHAUSTED),
        (compressed(b"abc"), b"identity", GrpcStatus.INTERNAL),
        (compressed(b"abc"), b"gzip", GrpcStatus.INTERNAL),
        (compressed(b"abc"), b"snappy", GrpcStatus.UNIMPLEMENTED),
        (compressed(gzip.compress(b"abc", mtime=0), flag=2), b"gzip", GrpcStatus.INTERNAL),
        (compressed(gzip.compress(b"abc", mtime=0)[:-3]), b"gzip", GrpcStatus.INTERNAL),
        (compressed(gzip.compress(b"abc", mtime=0) + b"more"), b"gzip", GrpcStatus.INTERNAL),
        (compressed(gzip.compress(bytes(10**7), mtime=0)), b"gzip", GrpcStatus.RESOURCE_EXHAUSTED),  # a bomb
    ),
)
def test_a_body_that_is_no_message_is_refused(body: bytes, encoding: bytes, code: GrpcStatus) -> None:
    with pytest.raises(CallError) as caught:
        unwrap(body, {b"grpc-encoding": encoding}, LIMIT)

    assert code == caught.value.code


def test_a_bomb_is_refused_while_it_is_inflated() -> None:
    bomb = compressed(gzip.compress(bytes(50_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(CallError):
            unwrap(bomb, {b"grpc-encoding": b"gzip"}, LIMIT)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 1_000_000


@given(time_ns=st.integers(1, 10**18))
def test_a_timeout_is_read_as_our_client_writes_it(time_ns: int) -> None:
    read_ns = timeout_ns({b"grpc-timeout": format_timeout(time_ns).encode()})

    assert read_ns is not None
    assert time_ns <= read_ns
    assert read_ns <= time_ns * 1.001 or read_ns - time_ns < 1_000


def test_a_call_without_a_timeout_waits_for_ever() -> None:
    assert timeout_ns({}) is None


@pytest.mark.parametrize("text", (b"", b"5", b"S", b"123456789S", b"-1S", b"1.5S", b"1s", b"1 S"))
def test_a_timeout_that_is_none_is_refused(text: bytes) -> None:
    with pytest.raises(CallError):
        timeout_ns({b"grpc-timeout": text})


@given(message=st.text(max_size=300), wait_s=st.none() | st.integers(0, 99))
def test_words_of_any_kind_come_through(message: str, wait_s: int | None) -> None:
    trailers = BlockReader().decode(failure_trailers(GrpcStatus.UNAVAILABLE, message, retry_after_s=wait_s))

    assert b"14" == trailers[b"grpc-status"]
    assert trailers[b"grpc-message"].isascii()
    assert message.encode("utf-8", "replace").decode() == unquote(trailers[b"grpc-message"].decode())
    assert (None if wait_s is None else b"%d" % (1_000 * wait_s)) == trailers.get(b"grpc-retry-pushback-ms")


def test_an_answer_without_a_message_is_one_block() -> None:
    headers = BlockReader().decode(failure(GrpcStatus.NOT_FOUND, "no such model"))

    assert {b":status": b"200", b"content-type": b"application/grpc"} == BlockReader().decode(HEAD)
    assert {**BlockReader().decode(HEAD), b"grpc-status": b"5", b"grpc-message": b"no such model"} == headers


@given(value=st.binary(max_size=600).map(lambda text: text.hex().encode()))
def test_times_are_a_trailer_of_any_length(value: bytes) -> None:
    expected = {**BlockReader().decode(OK), b"server-timing": value}

    assert expected == BlockReader().decode(timed_trailers(value))


@pytest.mark.parametrize(
    ("status", "code"), ((400, 3), (401, 16), (403, 7), (404, 5), (429, 8), (500, 13), (503, 14), (504, 4), (599, 13))
)
def test_a_status_of_http_has_its_status_of_grpc(status: int, code: int) -> None:
    assert code == code_of(status)


def test_only_posts_of_grpc_are_calls() -> None:
    assert is_grpc({b":method": b"POST", b"content-type": b"application/grpc+proto"})
    assert not is_grpc({b":method": b"GET", b"content-type": b"application/grpc"})
    assert not is_grpc({b":method": b"POST", b"content-type": b"application/json"})
    assert not is_grpc({b":method": b"POST"})
