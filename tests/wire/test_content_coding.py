"""`modeldyno.wire.content_coding`, and the reader of requests with it."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.wire.content_coding import choose_coding, compress
from modeldyno.wire.http1_reader import RequestReader
from modeldyno.wire.http1_request import RequestLimits

LIMITS = RequestLimits(max_body_bytes=1000)
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
}


def request(body: bytes, coding: str) -> bytes:
    head = f"POST / HTTP/1.1\r\nHost: h\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@given(st.binary(max_size=1000), st.sampled_from(sorted(COMPRESS)), st.integers(1, 50))
def test_a_compressed_body_is_read_however_it_is_cut(body: bytes, coding: str, size: int) -> None:
    stream = request(COMPRESS[coding](body), coding.upper()) + request(body, "identity")
    reader = RequestReader(LIMITS)
    requests = [one for start in range(0, len(stream), size) for one in reader.feed(stream[start : start + size])]
    assert reader.error is None
    assert [body, body] == [bytes(one.body) for one in requests]


@pytest.mark.parametrize("coding", sorted(COMPRESS))
def test_a_bomb_is_refused_while_it_expands(coding: str) -> None:
    reader = RequestReader(LIMITS)
    bomb = COMPRESS[coding](bytes(10**7))
    stream = request(bomb[:900], coding)  # what is left out would only make it larger
    tracemalloc.start()
    try:
        assert [] == reader.feed(stream)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert reader.error is not None
    assert 413 == reader.error.status
    assert peak < 100_000


@pytest.mark.parametrize(
    ("body", "coding", "reason"),
    (
        (b"hello", "gzip", "damaged"),
        (gzip.compress(b"hello", mtime=0)[:-1], "gzip", "in the middle"),
        (gzip.compress(b"hello", mtime=0)[:-5] + bytes(5), "gzip", "damaged"),
        (gzip.compress(b"hello", mtime=0) + b"x", "gzip", "bytes follow"),
        (zlib.compress(b"hello"), "gzip", "damaged"),
        (b"", "gzip", "in the middle"),
    ),
)
def test_a_damaged_body_is_400(body: bytes, coding: str, reason: str) -> None:
    reader = RequestReader(LIMITS)
    assert [] == reader.feed(request(body, coding))
    assert reader.error is not None
    assert reader.error.status == 400
    assert reason in reader.error.message


@pytest.mark.parametrize(
    ("accepted", "coding"),
    (
        (b"gzip", b"gzip"),
        (b"deflate", b"deflate"),
        (b"deflate, gzip", b"gzip"),
        (b"gzip;q=0.5, deflate", b"deflate"),
        (b"br, zstd", None),
        (b"identity", None),
        (b"", None),
        (b"gzip;q=0", None),
        (b"*", b"gzip"),
        (b"*;q=0", None),
        (b"gzip;q=0, *", b"deflate"),
        (b"identity, gzip;q=0.5", None),
        (b"gzip;q=x", None),
        (b"GZIP ; q=1.0", b"gzip"),
    ),
)
def test_the_preferred_coding_is_chosen(accepted: bytes, coding: bytes | None) -> None:
    assert coding == choose_coding(accepted)


@given(st.binary(max_size=100))
def test_any_accept_encoding_is_read(accepted: bytes) -> None:
    assert choose_coding(accepted) in {None, b"gzip", b"deflate"}


@given(st.binary(max_size=3000))
def test_what_is_compressed_expands_to_what_it_was(body: bytes) -> None:
    assert body == gzip.decompress(compress(body, b"gzip"))
    assert body == zlib.decompress(compress(body, b"deflate"))
