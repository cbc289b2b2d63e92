"""`modeldyno.wire.http1_reader`."""

import gc
import sys
import zlib
from itertools import pairwise

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.wire.errors import WireError
from modeldyno.wire.http1_reader import RequestReader
from modeldyno.wire.http1_request import RequestLimits

LIMITS = RequestLimits(max_body_bytes=1000, max_head_bytes=2000, max_headers=10, max_target_bytes=100)
POST = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX-Two: a\r\nx-two: b\r\n\r\nhello"
CHUNKED = (
    b"POST /b?c=d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n"
)
GET = b"GET /v2 HTTP/1.1\r\nHost: h\r\n\r\n"


def test_a_whole_request_is_read() -> None:
    (request,) = RequestReader(LIMITS).feed(POST)
    assert (b"POST", b"/a", b"hello", True) == (request.method, request.target, bytes(request.body), request.keep_alive)
    assert {b"host": b"h", b"content-length": b"5", b"x-two": b"a, b"} == request.headers


@given(cuts=st.lists(st.integers(0, len(POST + CHUNKED + GET)), max_size=30))
def test_the_requests_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    stream = POST + CHUNKED + GET
    reader = RequestReader(LIMITS)
    marks = [0, *sorted(cuts), len(stream)]
    requests = [request for start, stop in pairwise(marks) for request in reader.feed(stream[start:stop])]
    assert reader.error is None
    assert [(b"/a", b"hello"), (b"/b?c=d", b"abcdefg"), (b"/v2", b"")] == [
        (request.target, bytes(request.body)) for request in requests
    ]
    assert not reader.is_reading


def test_trailers_are_not_headers() -> None:
    (request,) = RequestReader(LIMITS).feed(CHUNKED)
    assert b"trailer" not in request.headers


@pytest.mark.parametrize(
    ("data", "keep_alive"),
    (
        (b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
    ),
)
def test_the_client_says_whether_it_asks_again(data: bytes, *, keep_alive: bool) -> None:
    (request,) = RequestReader(LIMITS).feed(data)
    assert keep_alive == request.keep_alive


@pytest.mark.parametrize(
    ("data", "status"),
    (
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nbroken header\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: five\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Encoding: br\r\nContent-Length: 5\r\n\r\n", 415),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 5\r\n\r\n", 415),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nExpect: magic\r\nContent-Length: 5\r\n\r\n", 417),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001, 413),
        (b"GET /" + b"a" * 101 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 2001 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 2001, 431),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % index for index in range(11)) + b"\r\n", 431),
    ),
)
def test_a_breach_of_the_protocol_has_its_status(data: bytes, status: int) -> None:
    reader = RequestReader(LIMITS)
    assert [] == reader.feed(data)
    assert reader.error is not None
    assert status == reader.error.status


def test_an_endless_head_is_broken_off_while_it_arrives() -> None:
    reader = RequestReader(LIMITS)
    reader.feed(b"GET / HTTP/1.1\r\nHost: h\r\nX: ")
    for _ in range(20):
        reader.feed(b"a" * 100)
    assert reader.error is not None
    assert reader.error.status == 431


def test_many_small_requests_in_one_piece_are_not_a_long_head() -> None:
    reader = RequestReader(LIMITS)
    assert len(reader.feed(GET * 500)) == 500
    assert reader.error is None


@pytest.mark.parametrize("size", (5_000, 33_000, 65_536, 200_000))
def test_many_small_requests_in_pieces_that_end_within_a_head_are_not_a_long_head(size: int) -> None:
    reader = RequestReader(RequestLimits())
    data = b"GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n" * 10_000
    requests = [one for start in range(0, len(data), size) for one in reader.feed(data[start : start + size])]
    assert (10_000, None) == (len(requests), reader.error)


def test_a_long_head_behind_other_requests_is_broken_off() -> None:
    reader = RequestReader(RequestLimits(max_head_bytes=1000))
    assert 1 == len(reader.feed(b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\nX: "))
    reader.feed(b"a" * 900)
    assert reader.error is None
    reader.feed(b"a" * 200)
    assert 431 == getattr(reader.error, "status", None)


def test_what_cannot_be_read_on_is_let_go_at_once() -> None:
    limits = RequestLimits(max_body_bytes=1000)
    holders = sys.getrefcount(limits)
    gc.disable()
    try:
        reader = RequestReader(limits)
        reader.feed(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n384\r\n" + bytes(900) + b"\r\n")
        reader.feed(b"384\r\n" + bytes(900) + b"\r\n")
        assert isinstance(reader.error, WireError)
        assert b"" == reader._body
        reader.close()
        del reader
        assert holders == sys.getrefcount(limits)
    finally:
        gc.enable()


def test_what_came_before_a_breach_is_still_returned() -> None:
    reader = RequestReader(LIMITS)
    assert len(reader.feed(GET + GET + b"nonsense\r\n\r\n")) == 2
    assert reader.error is not None


def test_an_offer_to_upgrade_is_ignored() -> None:
    upgrade = b"GET /v2 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"
    reader = RequestReader(LIMITS)
    assert [b"/v2", b"/a"] == [request.target for request in reader.feed(upgrade + POST)]
    assert reader.error is None


def test_a_client_that_expects_100_continue_is_noticed_until_its_body_is_there() -> None:
    reader = RequestReader(LIMITS)
    reader.feed(b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert reader.wants_continue
    assert len(reader.feed(b"ab")) == 1
    assert not reader.wants_continue


def test_an_http_1_0_client_gets_no_100_continue() -> None:
    reader = RequestReader(LIMITS)
    reader.feed(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert not reader.wants_continue


LENIENCIES = {
    "lenient_headers": b"GET / HTTP/1.1\r\nHost: h\r\nX: a\x01b\r\n\r\n",
    "lenient_chunked_length": CHUNKED.replace(b"Host: h\r\n", b"Host: h\r\nContent-Length: 5\r\n"),
    "lenient_keep_alive": b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + GET,
    "lenient_transfer_encoding": b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
    "lenient_version": b"GET / HTTP/1.7\r\nHost: h\r\n\r\n",
    "lenient_data_after_close": b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + GET,
    "lenient_optional_lf_after_cr": b"GET / HTTP/1.1\rHost: h\r\n\r\n",
    "lenient_optional_cr_before_lf": b"GET / HTTP/1.1\r\nHost: h\nX: a\r\n\r\n",
    "lenient_optional_crlf_after_chunk": CHUNKED.replace(b"abc\r\n", b"abc"),
    "lenient_spaces_after_chunk_size": CHUNKED.replace(b"3\r\n", b"3 \r\n"),
}
"""What the parser lets through only with this flag, which two servers in a row may then read differently."""


class Willing:
    """Takes whatever the parser has."""


@pytest.mark.parametrize("flag", LENIENCIES)
def test_the_parser_is_lenient_in_nothing(flag: str) -> None:
    lenient, reader = httptools.HttpRequestParser(Willing()), RequestReader(LIMITS)
    lenient.set_dangerous_leniencies(**{flag: True})
    lenient.feed_data(LENIENCIES[flag])  # else the case would show nothing

    reader.feed(LENIENCIES[flag])
    assert reader.error is not None
    assert 400 == reader.error.status


def test_a_request_without_a_body_does_not_drive_out_the_head_that_is_known() -> None:
    reader = RequestReader(LIMITS)
    (first,) = reader.feed(POST)
    reader.feed(GET)
    (second,) = reader.feed(POST)
    assert first.headers is second.headers  # so it was not parsed again


REPEATED = (
    *(
        b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n" + body
        for body in (b"abcd", b"\r\n\r\n", b"\r\n\r\r")
    ),
    b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n\r\n\r\n\r\n",  # empty lines behind it
    b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nGET /b",
    b"\r\nPOST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd",
    b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nX-Two: a\r\n\r\nabcd",
    b"POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nabcd",
    b"POST /d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
    b"POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd" + GET,
    GET,
)


@given(pieces=st.lists(st.sampled_from(REPEATED), max_size=60))
def test_a_head_that_is_known_is_read_as_it_was_parsed(pieces: list[bytes]) -> None:
    reader = RequestReader(LIMITS)
    for piece in pieces:
        assert RequestReader(LIMITS).feed(piece) == reader.feed(piece)
        assert (None, False, False) == (reader.error, reader.is_reading, reader.wants_continue)


def test_a_known_head_in_pieces_is_parsed() -> None:
    reader = RequestReader(LIMITS)
    reader.feed(POST)
    assert [] == reader.feed(POST[:-1])
    assert reader.is_reading
    (request,) = reader.feed(b"!")
    assert b"hell!" == bytes(request.body)


def test_what_begins_like_a_known_head_within_a_body_is_body() -> None:
    reader = RequestReader(RequestLimits())
    reader.feed(POST)
    reader.feed(b"POST /outer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (2 * len(POST)))
    assert [] == reader.feed(POST)
    (request,) = reader.feed(POST)
    assert (b"/outer", POST + POST) == (request.target, bytes(request.body))


def test_a_compressed_body_is_expanded_each_time_even_when_it_is_as_long_as_before() -> None:
    plain = next(one for count in range(100) if len(zlib.compress(one := bytes(range(50)) + b"a" * count)) == len(one))
    packed = zlib.compress(plain)
    head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(packed)
    reader = RequestReader(LIMITS)
    for _ in range(3):
        (request,) = reader.feed(head + packed)
        assert plain == bytes(request.body)


def test_nothing_is_read_behind_the_last_request_though_its_head_is_known() -> None:
    reader = RequestReader(LIMITS)
    reader.feed(POST)
    reader.feed(b"POST /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    assert [] == reader.feed(POST)
    assert reader.error is not None


def test_nothing_is_read_behind_an_error_though_its_head_is_known() -> None:
    reader = RequestReader(LIMITS)
    reader.feed(POST)
    reader.error = WireError("the connection is broken off")
    assert [] == reader.feed(POST)
