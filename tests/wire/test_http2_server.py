"""Cases of RFC 9113, as h2spec has them, and of the known attacks on it."""

import itertools
import struct

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeldyno.wire.header_block import BlockReader, encode_block
from modeldyno.wire.http2_frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    FIRST_WINDOW,
    LARGEST_STREAM,
    LARGEST_WINDOW,
    PADDED,
    PREFACE,
    PRIORITY,
    ErrorCode,
    FrameReader,
    FrameType,
    Setting,
    format_frame,
    format_headers,
    format_reset,
    format_settings,
    format_window_update,
    parse_number,
    parse_settings,
)
from modeldyno.wire.http2_server import Http2Limits, Http2Server, Part

SECOND_NS = 10**9
ASKED = [(":method", "POST"), (":scheme", "http"), (":path", "/a"), (":authority", "here")]
HEADERS = {name.encode(): value.encode() for name, value in ASKED}
BLOCK = encode_block(ASKED)
HEAD = encode_block([(":status", "200")])
TRAILERS = encode_block([("grpc-status", "0")])
ACKNOWLEDGED = format_frame(FrameType.SETTINGS, ACK, 0, b"")
NO_TABLE = b"\x20"
"""The table size update that a client owes us in its first block after the acknowledgement."""


def data(stream: int, content: bytes, flags: int = 0) -> bytes:
    return format_frame(FrameType.DATA, flags, stream, content)


def ask(stream: int, body: bytes = b"question", block: bytes = BLOCK) -> bytes:
    return format_headers(stream, block) + data(stream, body, END_STREAM)


def met(limits: Http2Limits | None = None, client_settings: dict[Setting, int] | None = None) -> Http2Server:
    """A connection on which both sides have said their settings, and acknowledged them."""
    server = Http2Server(limits or Http2Limits())
    server.start()
    server.feed(PREFACE + format_settings(client_settings or {}) + ACKNOWLEDGED, 0)
    # The first block after it gives up the table.
    server.feed(ask(1, block=NO_TABLE + BLOCK), 0)
    server.answer(1, HEAD, b"", TRAILERS)
    server.take_outgoing()
    assert not server.fault
    return server


def sent(server: Http2Server) -> list[tuple[int, int, int, bytes]]:
    return FrameReader().feed(server.take_outgoing())


def resets(server: Http2Server) -> dict[int, int]:
    return {stream: parse_number(content) for kind, _, stream, content in sent(server) if kind == FrameType.RST_STREAM}


def goaway(server: Http2Server) -> tuple[int, int]:
    [content] = [content for kind, _, _, content in sent(server) if kind == FrameType.GOAWAY]
    last, code = struct.unpack_from(">II", content)
    return last, code


def assert_broken(server: Http2Server, code: ErrorCode) -> None:
    assert server.fault
    assert code == goaway(server)[1]
    assert [] == server.feed(ask(101), 0)


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


def test_settings_are_acknowledged() -> None:
    server = Http2Server(Http2Limits())
    server.feed(PREFACE + format_settings({Setting.MAX_FRAME_SIZE: 1 << 20}), 0)

    assert [(FrameType.SETTINGS, ACK, 0, b"")] == sent(server)


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
    assert 0 == server._pending


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


# Streams.


@pytest.mark.parametrize(
    "frame",
    (
        data(0, b"x"),
        data(2, b"x"),
        data(99, b"x"),
        format_headers(0, BLOCK),
        format_headers(2, BLOCK),
        format_reset(99, ErrorCode.CANCEL),
        format_window_update(99, 1),
        format_window_update(0, 0),
        format_frame(FrameType.PUSH_PROMISE, END_HEADERS, 3, bytes(4) + BLOCK),
        format_frame(FrameType.PRIORITY, 0, 0, bytes(5)),
        format_frame(FrameType.SETTINGS, 0, 3, b""),
        format_frame(FrameType.PING, 0, 3, bytes(8)),
        format_frame(FrameType.GOAWAY, 0, 3, bytes(8)),
        format_frame(FrameType.DATA, PADDED, 3, b"\x09abc"),
        format_settings({Setting.ENABLE_PUSH: 2}),
        format_settings({Setting.MAX_FRAME_SIZE: 1}),
    ),
)
def test_what_the_protocol_forbids_ends_the_connection(frame: bytes) -> None:
    server = met()
    server.feed(format_headers(3, BLOCK), 0)
    server.feed(frame, 0)

    assert_broken(server, ErrorCode.PROTOCOL_ERROR)


@pytest.mark.parametrize(
    "frame",
    (
        format_frame(FrameType.PING, 0, 0, bytes(7)),
        format_frame(FrameType.SETTINGS, 0, 0, bytes(5)),
        format_frame(FrameType.SETTINGS, ACK, 0, bytes(6)),
        format_frame(FrameType.RST_STREAM, 0, 1, bytes(3)),
        format_frame(FrameType.WINDOW_UPDATE, 0, 1, bytes(5)),
        format_frame(FrameType.PRIORITY, 0, 1, bytes(4)),
        format_frame(FrameType.GOAWAY, 0, 0, bytes(4)),
        format_frame(FrameType.DATA, 0, 1, bytes(16_385)),
    ),
)
def test_a_frame_of_the_wrong_size_ends_the_connection(frame: bytes) -> None:
    server = met()
    server.feed(frame, 0)

    assert_broken(server, ErrorCode.FRAME_SIZE_ERROR)


def test_a_stream_cannot_be_opened_again() -> None:
    server = met()
    server.feed(ask(5), 0)
    server.feed(format_headers(3, BLOCK), 0)

    assert_broken(server, ErrorCode.STREAM_CLOSED)


@pytest.mark.parametrize("late", (data(3, b"more"), format_headers(3, BLOCK)))
def test_what_comes_after_the_end_of_a_request_takes_the_request_with_it(late: bytes) -> None:
    server = met()
    server.feed(ask(3), 0)

    assert [(3, None, b"", True)] == server.feed(late, 0)
    assert {3: ErrorCode.STREAM_CLOSED} == resets(server)
    assert not server.fault


def test_data_on_a_stream_that_was_answered_is_refused() -> None:
    server = met()
    server.feed(data(1, b"more"), 0)

    assert {1: ErrorCode.STREAM_CLOSED} == resets(server)


def test_a_reset_gives_the_request_up() -> None:
    server = met()
    server.feed(ask(3), 0)

    assert [(3, None, b"", True)] == server.feed(format_reset(3, ErrorCode.CANCEL), 0)
    server.answer(3, HEAD, b"late", TRAILERS)
    assert [] == sent(server)
    assert server.is_idle


def test_a_reset_before_the_request_was_whole_concerns_nobody() -> None:
    server = met()
    server.feed(format_headers(3, BLOCK) + data(3, b"half"), 0)

    assert [] == server.feed(format_reset(3, ErrorCode.CANCEL), 0)
    assert server.is_idle
    assert 0 == server._pending


def test_more_streams_than_allowed_are_refused_and_may_be_sent_again() -> None:
    server = met(Http2Limits(max_streams=2))
    parts = server.feed(ask(3) + ask(5) + ask(7), 0)

    assert [3, 5] == [part[0] for part in parts]
    assert {7: ErrorCode.REFUSED_STREAM} == resets(server)
    server.answer(3, HEAD, b"", TRAILERS)
    assert [9] == [part[0] for part in server.feed(ask(9), 0)]


def test_answers_that_are_not_taken_count_as_streams() -> None:
    server = met(Http2Limits(max_streams=2), {Setting.INITIAL_WINDOW_SIZE: 0})
    for stream in (3, 5):
        server.feed(ask(stream), 0)
        server.answer(stream, HEAD, b"x", TRAILERS)
    server.take_outgoing()

    assert [] == server.feed(ask(7), 0)
    assert {7: ErrorCode.REFUSED_STREAM} == resets(server)


def test_a_request_refused_before_its_end_is_read_no_further() -> None:
    server = met()
    server.feed(format_headers(3, BLOCK) + data(3, b"some"), 0)
    server.refuse(3, TRAILERS)

    assert [
        (FrameType.HEADERS, END_HEADERS | END_STREAM, 3, TRAILERS),
        (FrameType.RST_STREAM, 0, 3, bytes(4)),
    ] == sent(server)
    assert [] == server.feed(data(3, b"more", END_STREAM), 0)
    assert [] == sent(server)
    assert 0 == server._pending


def test_a_body_that_is_too_large_is_cut_and_told() -> None:
    server = met(Http2Limits(max_body_bytes=10))
    parts = server.feed(format_headers(3, BLOCK) + data(3, bytes(8)) + data(3, bytes(8)) + data(3, bytes(8)), 0)

    assert [(3, HEADERS, b"", False)] == parts
    server.refuse(3, TRAILERS)
    assert 0 == server._pending
    assert [5] == [part[0] for part in server.feed(ask(5), 0)]


def test_all_bodies_together_are_bounded() -> None:
    server = met(Http2Limits(max_pending_bytes=100))
    server.feed(b"".join(format_headers(stream, BLOCK) + data(stream, bytes(40)) for stream in (3, 5)), 0)

    assert [(7, HEADERS, b"", False)] == server.feed(format_headers(7, BLOCK) + data(7, bytes(40)), 0)
    server.refuse(7, TRAILERS)
    assert [3] == [part[0] for part in server.feed(data(3, b"", END_STREAM), 0)]
    assert 40 == server._pending


# Windows.


def test_an_answer_waits_for_the_windows_of_the_stream_and_of_the_connection() -> None:
    server = met(client_settings={Setting.INITIAL_WINDOW_SIZE: 10})
    server.feed(ask(3), 0)
    server.answer(3, HEAD, bytes(30), TRAILERS)

    assert [10] == [len(content) for kind, _, _, content in sent(server) if kind == FrameType.DATA]
    server.feed(format_window_update(3, 15), 0)
    assert [15] == [len(content) for _, _, _, content in sent(server)]
    server.feed(format_settings({Setting.INITIAL_WINDOW_SIZE: 14}), 0)
    assert [4] == [len(content) for kind, _, _, content in sent(server) if kind == FrameType.DATA]
    server.feed(format_window_update(3, 5), 0)
    assert [(FrameType.DATA, 1), (FrameType.HEADERS, len(TRAILERS))] == [(f[0], len(f[3])) for f in sent(server)]
    assert server.is_idle


def test_answers_share_the_window_of_the_connection() -> None:
    server = met(client_settings={Setting.INITIAL_WINDOW_SIZE: LARGEST_WINDOW})
    server.feed(ask(3) + ask(5), 0)
    for stream in (3, 5):
        server.answer(stream, HEAD, bytes(100_000), TRAILERS)
    assert FIRST_WINDOW == sum(len(f[3]) for f in sent(server) if f[0] == FrameType.DATA)

    server.feed(format_window_update(0, 40_000), 0)
    shares = {3: 0, 5: 0}
    for kind, _, stream, content in sent(server):
        assert kind == FrameType.DATA
        shares[stream] += len(content)
    assert 40_000 == sum(shares.values())
    assert min(shares.values()) > 5_000
    server.feed(format_window_update(0, 200_000), 0)
    assert 200_000 - FIRST_WINDOW - 40_000 == sum(len(f[3]) for f in sent(server) if f[0] == FrameType.DATA)
    assert server.is_idle


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(0, 70_000), min_size=1, max_size=4),
    grants=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 50_000)), max_size=30),
)
def test_no_more_is_ever_sent_than_allowed_and_nothing_is_lost(sizes: list[int], grants: list[tuple[int, int]]) -> None:
    server = met(client_settings={Setting.INITIAL_WINDOW_SIZE: 1_000})
    rooms = {2 * place + 3: 1_000 for place in range(len(sizes))}
    room, got, ended = FIRST_WINDOW, dict.fromkeys(rooms, 0), set()
    wanted = dict(zip(rooms, sizes, strict=True))
    for stream, size in wanted.items():
        server.feed(ask(stream), 0)
        server.answer(stream, HEAD, bytes(size), TRAILERS)
    for which, increment in [*grants, (0, 300_000), *((place + 1, 100_000) for place in range(len(sizes)))]:
        stream = 2 * which + 1 if which else 0
        if stream and stream not in rooms:
            continue
        if stream:
            rooms[stream] += increment
        else:
            room += increment
        server.feed(format_window_update(stream, increment), 0)
        for kind, flags, number, content in sent(server):
            if kind == FrameType.DATA:
                assert number not in ended
                got[number] += len(content)
                rooms[number] -= len(content)
                room -= len(content)
                assert rooms[number] >= 0
                assert room >= 0
            if flags & END_STREAM:
                ended.add(number)

    assert wanted == got
    assert set(wanted) == ended
    assert server.is_idle


def test_a_client_gets_room_back_for_what_was_read() -> None:
    server = met(Http2Limits(window_bytes=FIRST_WINDOW, connection_window_bytes=2 * FIRST_WINDOW))
    server.feed(format_headers(3, BLOCK), 0)
    returned = {0: 0, 3: 0}
    for _ in range(20):
        server.feed(data(3, bytes(10_000)), 0)
        for kind, _, stream, content in sent(server):
            assert kind == FrameType.WINDOW_UPDATE
            returned[stream] += parse_number(content)

    assert returned[3] >= 200_000 - FIRST_WINDOW
    assert returned[0] >= 200_000 - 2 * FIRST_WINDOW
    assert not server.fault


def test_who_sends_more_than_a_stream_has_room_for_loses_the_stream() -> None:
    server = met(Http2Limits(window_bytes=100_000))
    server.feed(format_headers(3, BLOCK), 0)
    server._streams[3].room = 10

    assert [] == server.feed(data(3, bytes(11)), 0)
    assert {3: ErrorCode.FLOW_CONTROL_ERROR} == resets(server)


def test_who_sends_more_than_the_connection_has_room_for_loses_it() -> None:
    server = met()
    server._room = 10
    server.feed(format_headers(3, BLOCK) + data(3, bytes(11)), 0)

    assert_broken(server, ErrorCode.FLOW_CONTROL_ERROR)


def test_a_window_cannot_grow_beyond_its_limit() -> None:
    server = met()
    server.feed(ask(3) + format_window_update(3, LARGEST_WINDOW), 0)
    assert {3: ErrorCode.FLOW_CONTROL_ERROR} == resets(server)

    server.feed(format_window_update(0, LARGEST_WINDOW), 0)
    assert_broken(server, ErrorCode.FLOW_CONTROL_ERROR)


def test_a_first_window_cannot_be_beyond_the_limit() -> None:
    server = met()
    server.feed(format_settings({Setting.INITIAL_WINDOW_SIZE: LARGEST_WINDOW + 1}), 0)

    assert_broken(server, ErrorCode.FLOW_CONTROL_ERROR)


def test_a_widening_by_nothing_ends_the_stream() -> None:
    server = met()
    server.feed(ask(3) + format_window_update(3, 0), 0)

    assert {3: ErrorCode.PROTOCOL_ERROR} == resets(server)


# Floods.


@pytest.mark.parametrize(
    "frame",
    (
        format_frame(FrameType.PING, 0, 0, bytes(8)),
        format_settings({Setting.ENABLE_PUSH: 0}),
        format_frame(FrameType.PRIORITY, 0, 3, bytes(5)),
        format_window_update(0, 1),
        data(3, b""),
        format_frame(0x42, 0, 0, b""),
        format_frame(FrameType.DATA, PADDED, 3, b"\x00"),
    ),
)
def test_a_flood_of_frames_that_bring_nothing_forward_ends_the_connection(frame: bytes) -> None:
    server = met(Http2Limits(patience=100))
    server.feed(format_headers(3, BLOCK), 0)
    server.feed(frame * 90, 0)
    assert not server.fault

    server.feed(frame * 20, 0)
    assert_broken(server, ErrorCode.ENHANCE_YOUR_CALM)


def test_patience_comes_back_with_time() -> None:
    server = met(Http2Limits(patience=100, patience_per_s=50))
    ping = format_frame(FrameType.PING, 0, 0, bytes(8))
    server.feed(ping * 90, 0)
    server.feed(ping * 90, 2 * SECOND_NS)
    assert not server.fault

    server.feed(ping * 90, 3 * SECOND_NS)
    assert server.fault


def test_a_client_that_works_has_all_the_patience_it_needs() -> None:
    server = met(Http2Limits(patience=50))
    ping = format_frame(FrameType.PING, 0, 0, bytes(8))
    for stream in range(3, 4_003, 2):
        server.feed(ask(stream) + ping + format_window_update(0, 100), 0)
        server.answer(stream, HEAD, b"x", TRAILERS)
        server.take_outgoing()

    assert not server.fault


def test_a_client_that_takes_a_large_answer_in_small_steps_is_borne_with() -> None:
    server = met(Http2Limits(patience=50), {Setting.INITIAL_WINDOW_SIZE: 4_096})
    server.feed(ask(3), 0)
    server.answer(3, HEAD, bytes(10_000_000), TRAILERS)
    while not server.is_idle and not server.fault:
        server.take_outgoing()
        server.feed(format_window_update(3, 4_096) + format_window_update(0, 4_096), 0)

    assert not server.fault


def test_a_client_that_takes_an_answer_byte_by_byte_is_not() -> None:  # CVE-2019-9511
    server = met(Http2Limits(patience=50), {Setting.INITIAL_WINDOW_SIZE: 1})
    server.feed(ask(3), 0)
    server.answer(3, HEAD, bytes(10_000), TRAILERS)
    server.take_outgoing()
    server.feed(format_window_update(3, 1) * 100, 0)

    assert_broken(server, ErrorCode.ENHANCE_YOUR_CALM)


def test_rapid_resets_end_the_connection() -> None:  # CVE-2023-44487
    server = met(Http2Limits(patience=100))
    begun = given_up = 0
    for stream in range(3, 1_003, 2):
        for _, headers, _, _ in server.feed(ask(stream) + format_reset(stream, ErrorCode.CANCEL), 0):
            begun += headers is not None
            given_up += headers is None

    assert_broken(server, ErrorCode.ENHANCE_YOUR_CALM)
    assert 100 <= begun <= 101
    assert 100 == given_up


# Time.


def test_a_request_that_does_not_arrive_in_time_is_given_up() -> None:
    server = met()
    server.feed(format_headers(3, BLOCK) + data(3, b"half"), SECOND_NS)
    server.feed(ask(5), SECOND_NS)

    assert [] == server.give_up(3 * SECOND_NS, 2 * SECOND_NS)
    assert not server.is_idle
    assert [] == sent(server)
    assert [] == server.give_up(3 * SECOND_NS + 1, 2 * SECOND_NS)
    assert {3: ErrorCode.CANCEL} == resets(server)


def test_an_answer_that_is_not_taken_in_time_is_given_up() -> None:
    server = met(client_settings={Setting.INITIAL_WINDOW_SIZE: 5})
    server.feed(ask(3) + ask(5), 0)
    for stream in (3, 5):
        server.answer(stream, HEAD, bytes(20), TRAILERS)
    server.give_up(SECOND_NS, SECOND_NS)
    server.feed(format_window_update(5, 5), 0)
    server.take_outgoing()
    server.give_up(3 * SECOND_NS, SECOND_NS)

    assert {3: ErrorCode.CANCEL} == resets(server)
    server.give_up(5 * SECOND_NS, SECOND_NS)
    assert {5: ErrorCode.CANCEL} == resets(server)
    assert server.is_idle


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


def test_a_ping_comes_back() -> None:
    server = met()
    server.feed(format_frame(FrameType.PING, 0, 0, b"12345678") + format_frame(FrameType.PING, ACK, 0, bytes(8)), 0)

    assert [(FrameType.PING, ACK, 0, b"12345678")] == sent(server)


# Bodies in pieces.


def test_a_body_may_be_had_in_pieces_and_answered_in_pieces() -> None:
    server = Http2Server(Http2Limits(), is_streamed=lambda headers: headers[b":path"] == b"/a")
    parts = server.feed(PREFACE + format_settings({}) + format_headers(1, BLOCK), 0)
    parts += server.feed(data(1, b"a"), 0)
    server.take_outgoing()
    server.begin(1, HEAD)
    server.send(1, b"first")
    parts += server.feed(data(1, b"", END_STREAM), 0)
    server.send(1, b"second")
    server.end(1, TRAILERS)

    assert [(b"", False), (b"a", False), (b"", True)] == [(body, is_last) for _, _, body, is_last in parts]
    answer = sent(server)
    assert [b"first", b"second"] == [content for kind, _, _, content in answer if kind == FrameType.DATA]
    assert {b"grpc-status": b"0"} == BlockReader().decode(answer[-1][3])
    assert END_STREAM | END_HEADERS == answer[-1][1]
