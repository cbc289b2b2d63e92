"""Cases of RFC 9113, as h2spec has them: how a connection begins, goes on and ends."""

import itertools

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wire.http2_dialogue import (
    ACKNOWLEDGED,
    ASKED,
    BLOCK,
    HEAD,
    HEADERS,
    NO_TABLE,
    TRAILERS,
    ask,
    assert_broken,
    data,
    goaway,
    met,
    resets,
    sent,
)

from modeldyno.wire.header_block import encode_block
from modeldyno.wire.http2_frames import (
    END_HEADERS,
    END_STREAM,
    FIRST_WINDOW,
    LARGEST_STREAM,
    PADDED,
    PREFACE,
    PRIORITY,
    ErrorCode,
    FrameReader,
    FrameType,
    Setting,
    format_frame,
    format_headers,
    format_settings,
    parse_number,
    parse_settings,
)
from modeldyno.wire.http2_limits import Http2Limits
from modeldyno.wire.http2_server import Http2Server
from modeldyno.wire.http2_streams import Part

# Beginning.


def test_the_server_says_its_limits_first() -> None:
    settings_frame, window = FrameReader().feed(Http2Server(Http2Limits(max_streams=7)).start())

    assert {
        Setting.HEADER_TABLE_SIZE: 0,
        Setting.MAX_CONCURRENT_STREAMS: 7,
        Setting.INITIAL_WINDOW_SIZE: 1 << 22,
        Setting.MAX_HEADER_LIST_SIZE: 32 * 1024,
    } == dict(parse_settings(settings_frame[3]))
    assert (1 << 24) - FIRST_WINDOW == parse_number(window[3])


@pytest.mark.parametrize("noise", (b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r", b"\x16\x03\x01"))
def test_who_does_not_speak_http2_is_sent_away(noise: bytes) -> None:
    server = Http2Server(Http2Limits())
    server.feed(noise, 0)

    assert_broken(server, ErrorCode.PROTOCOL_ERROR)


def test_the_first_frame_must_be_settings() -> None:
    server = Http2Server(Http2Limits())
    server.feed(PREFACE + ask(1), 0)

    assert_broken(server, ErrorCode.PROTOCOL_ERROR)


# Requests and answers.


def test_a_request_comes_whole_and_its_answer_ends_the_stream() -> None:
    server = met()

    assert [(3, HEADERS, b"question", True)] == server.feed(ask(3), 0)
    server.answer(3, HEAD, b"answer", TRAILERS)

    assert [
        (FrameType.HEADERS, END_HEADERS, 3, HEAD),
        (FrameType.DATA, 0, 3, b"answer"),
        (FrameType.HEADERS, END_HEADERS | END_STREAM, 3, TRAILERS),
    ] == sent(server)
    assert server.is_idle


def test_a_request_without_a_body_ends_with_its_headers() -> None:
    assert [(3, HEADERS, b"", True)] == met().feed(format_headers(3, BLOCK, end_stream=True), 0)


def test_streams_come_in_any_order_and_are_answered_in_any_order() -> None:
    server = met()
    server.feed(b"".join(format_headers(stream, BLOCK) for stream in (3, 5, 7)), 0)
    parts = server.feed(data(7, b"c", END_STREAM) + data(3, b"a", END_STREAM) + data(5, b"b", END_STREAM), 0)

    assert [(7, b"c"), (3, b"a"), (5, b"b")] == [(stream, body) for stream, _, body, _ in parts]
    for stream in (5, 7, 3):
        server.answer(stream, HEAD, b"%d" % stream, TRAILERS)
    assert [(5, b"5"), (7, b"7"), (3, b"3")] == [(s, c) for k, _, s, c in sent(server) if k == FrameType.DATA]


def test_headers_may_be_padded_continued_and_have_a_priority() -> None:
    first = format_frame(FrameType.HEADERS, PADDED | PRIORITY, 3, b"\x02" + bytes(5) + BLOCK[:7] + bytes(2))
    rest = format_frame(FrameType.CONTINUATION, 0, 3, BLOCK[7:9])
    last = format_frame(FrameType.CONTINUATION, END_HEADERS, 3, BLOCK[9:])
    body = format_frame(FrameType.DATA, PADDED | END_STREAM, 3, b"\x03hello" + bytes(3))

    assert [(3, HEADERS, b"hello", True)] == met().feed(first + rest + last + body, 0)


def test_trailers_end_a_request() -> None:
    trailers = format_headers(3, encode_block([("x-sum", "1")]), end_stream=True)

    assert [(3, HEADERS, b"abc", True)] == met().feed(format_headers(3, BLOCK) + data(3, b"abc") + trailers, 0)


def test_unknown_frames_and_priorities_are_ignored() -> None:
    unknown = format_frame(0x77, 0xFF, 99, b"whatever")
    priority = format_frame(FrameType.PRIORITY, 0, 3, bytes(5))

    assert [3] == [part[0] for part in met().feed(unknown + priority + ask(3), 0)]


@settings(max_examples=50)
@given(cuts=st.lists(st.integers(0, 400), max_size=12), sizes=st.lists(st.integers(0, 60), min_size=1, max_size=4))
def test_it_does_not_matter_how_the_bytes_are_cut(cuts: list[int], sizes: list[int]) -> None:
    stream_of_bytes = PREFACE + format_settings({}) + ACKNOWLEDGED
    for place, size in enumerate(sizes):
        block = NO_TABLE + BLOCK if place == 0 else BLOCK
        number = 2 * place + 1
        stream_of_bytes += format_headers(number, block) + data(number, bytes(size // 2))
        stream_of_bytes += data(number, bytes(size - size // 2), END_STREAM)
    server = Http2Server(Http2Limits())
    parts: list[Part] = []
    edges = [0, *sorted(min(cut, len(stream_of_bytes)) for cut in cuts), len(stream_of_bytes)]
    for start, stop in itertools.pairwise(edges):
        parts += server.feed(stream_of_bytes[start:stop], 0)

    assert [(2 * place + 1, HEADERS, bytes(size), True) for place, size in enumerate(sizes)] == parts


@settings(max_examples=300)
@given(noise=st.binary(max_size=300))
def test_any_bytes_after_the_beginning_are_taken_or_end_the_connection(noise: bytes) -> None:
    server = met()
    for stream, headers, _, is_last in server.feed(noise, 0):
        if headers is not None and is_last:
            server.answer(stream, HEAD, b"x", TRAILERS)
    FrameReader().feed(server.take_outgoing())

    assert not server.fault or server.feed(ask(101), 0) == []


FRAMES = st.tuples(st.integers(0, 11), st.integers(0, 255), st.integers(0, 9), st.binary(max_size=40))


@settings(max_examples=300)
@given(frames=st.lists(FRAMES, max_size=12))
def test_any_frames_are_taken_or_end_the_connection_and_leave_nothing_behind(
    frames: list[tuple[int, int, int, bytes]],
) -> None:
    server = met()
    open_streams = set()
    for frame in frames:
        for stream, headers, _, is_last in server.feed(format_frame(*frame), 0):
            if headers is None:
                open_streams.discard(stream)
            elif is_last:
                open_streams.add(stream)
            else:
                server.refuse(stream, TRAILERS)
    for stream in open_streams:
        server.answer(stream, HEAD, b"x", TRAILERS)
    server.give_up(10**12, 1)

    assert server.fault or server.is_idle
    assert 0 == server._streams._pending


# Headers.


def test_a_client_may_use_a_table_until_it_has_seen_our_settings() -> None:
    encoder = hpack.Encoder()
    server = Http2Server(Http2Limits())
    asked = [*ASKED, ("x-token", "secret")]
    parts = server.feed(PREFACE + format_settings({}) + ask(1, block=encoder.encode(asked)), 0)
    parts += server.feed(ask(3, block=encoder.encode(asked)), 0)
    encoder.header_table_size = 0
    parts += server.feed(ACKNOWLEDGED + ask(5, block=encoder.encode(asked)), 0)
    parts += server.feed(ask(7, block=encoder.encode(asked)), 0)

    assert [{**HEADERS, b"x-token": b"secret"}] * 4 == [headers for _, headers, _, _ in parts]


def test_a_client_that_uses_its_table_after_our_settings_is_sent_away() -> None:
    encoder = hpack.Encoder()
    server = Http2Server(Http2Limits())
    server.feed(PREFACE + format_settings({}) + ask(1, block=encoder.encode(ASKED)) + ACKNOWLEDGED, 0)
    server.feed(ask(3, block=encoder.encode(ASKED)), 0)

    assert_broken(server, ErrorCode.COMPRESSION_ERROR)


@pytest.mark.parametrize("update", (NO_TABLE, b""))
def test_a_client_without_a_table_need_not_say_that_it_gave_it_up(update: bytes) -> None:
    server = Http2Server(Http2Limits())

    assert 1 == len(server.feed(PREFACE + format_settings({}) + ACKNOWLEDGED + ask(1, block=update + BLOCK), 0))


@pytest.mark.parametrize(
    "asked",
    (
        ASKED[1:],
        [*ASKED, ASKED[0]],
        [*ASKED[:3], ("x-a", "1"), ASKED[3]],
        [*ASKED, ("connection", "close")],
        [*ASKED, ("te", "gzip")],
        [*ASKED, ("X-Upper", "1")],
        [*ASKED, (":status", "200")],
        [*ASKED, ("x-a", "1\r\nx-b: 2")],
        [*ASKED, ("content-length", "7")],
        [("x-a", "only")],
    ),
)
def test_a_malformed_request_ends_its_stream_but_not_the_connection(asked: list[tuple[str, str]]) -> None:
    server = met()

    assert [] == server.feed(ask(3, block=encode_block(asked)), 0)
    assert {3: ErrorCode.PROTOCOL_ERROR} == resets(server)
    assert [5] == [part[0] for part in server.feed(ask(5), 0)]


def test_a_block_that_is_interrupted_ends_the_connection() -> None:
    server = met()
    server.feed(format_frame(FrameType.HEADERS, 0, 3, BLOCK[:5]) + data(3, b""), 0)

    assert_broken(server, ErrorCode.PROTOCOL_ERROR)


def test_a_continuation_of_nothing_ends_the_connection() -> None:
    server = met()
    server.feed(format_frame(FrameType.CONTINUATION, END_HEADERS, 3, BLOCK), 0)

    assert_broken(server, ErrorCode.PROTOCOL_ERROR)


def test_headers_without_end_end_the_connection() -> None:  # CVE-2024-27316
    server = met()
    server.feed(format_frame(FrameType.HEADERS, 0, 3, BLOCK), 0)
    server.feed(format_frame(FrameType.CONTINUATION, 0, 3, b"\x00\x01a\x01b") * 40, 0)

    assert_broken(server, ErrorCode.ENHANCE_YOUR_CALM)


def test_headers_that_are_too_large_end_the_connection() -> None:
    server = met()
    server.feed(format_headers(3, bytes(33 * 1024)), 0)

    assert_broken(server, ErrorCode.ENHANCE_YOUR_CALM)


def test_headers_that_unfold_to_too_much_end_the_connection() -> None:
    encoder = hpack.Encoder()
    server = Http2Server(Http2Limits())
    first = encoder.encode([*ASKED, ("x-big", "b" * 3_000)])
    server.feed(PREFACE + format_settings({}) + ask(1, block=first), 0)
    again = encoder.encode([("x-big", "b" * 3_000)])  # one byte
    server.feed(ask(3, block=encoder.encode(ASKED) + again * 100), 0)

    assert_broken(server, ErrorCode.COMPRESSION_ERROR)


# Leaving.


def test_who_leaves_says_so_twice_and_answers_what_was_begun() -> None:
    server = met()
    server.feed(ask(3), 0)
    server.announce_leaving()
    assert (LARGEST_STREAM, ErrorCode.NO_ERROR) == goaway(server)

    assert [5] == [part[0] for part in server.feed(ask(5), 0)]
    server.leave()
    assert (5, ErrorCode.NO_ERROR) == goaway(server)
    assert [] == server.feed(ask(7), 0)
    for stream in (3, 5):
        server.answer(stream, HEAD, b"x", TRAILERS)
    assert [3, 5] == [stream for kind, _, stream, _ in sent(server) if kind == FrameType.DATA]
    assert server.is_idle
