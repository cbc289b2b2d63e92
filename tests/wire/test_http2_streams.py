"""Cases of RFC 9113, as h2spec has them: streams, their bodies and their windows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wire.http2_dialogue import (
    BLOCK,
    HEAD,
    HEADERS,
    SECOND_NS,
    TRAILERS,
    ask,
    assert_broken,
    data,
    met,
    resets,
    sent,
)

from modeldyno.wire.header_block import BlockReader
from modeldyno.wire.http2_frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    FIRST_WINDOW,
    LARGEST_WINDOW,
    PADDED,
    PREFACE,
    ErrorCode,
    FrameType,
    Setting,
    format_frame,
    format_headers,
    format_reset,
    format_settings,
    format_window_update,
    parse_number,
)
from modeldyno.wire.http2_limits import Http2Limits
from modeldyno.wire.http2_server import Http2Server

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
    assert 0 == server._streams._pending


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
    assert 0 == server._streams._pending


def test_a_body_that_is_too_large_is_cut_and_told() -> None:
    server = met(Http2Limits(max_body_bytes=10))
    parts = server.feed(format_headers(3, BLOCK) + data(3, bytes(8)) + data(3, bytes(8)) + data(3, bytes(8)), 0)

    assert [(3, HEADERS, b"", False)] == parts
    server.refuse(3, TRAILERS)
    assert 0 == server._streams._pending
    assert [5] == [part[0] for part in server.feed(ask(5), 0)]


def test_all_bodies_together_are_bounded() -> None:
    server = met(Http2Limits(max_pending_bytes=100))
    server.feed(b"".join(format_headers(stream, BLOCK) + data(stream, bytes(40)) for stream in (3, 5)), 0)

    assert [(7, HEADERS, b"", False)] == server.feed(format_headers(7, BLOCK) + data(7, bytes(40)), 0)
    server.refuse(7, TRAILERS)
    assert [3] == [part[0] for part in server.feed(data(3, b"", END_STREAM), 0)]
    assert 40 == server._streams._pending


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
    server._streams.open[3].room = 10

    assert [] == server.feed(data(3, bytes(11)), 0)
    assert {3: ErrorCode.FLOW_CONTROL_ERROR} == resets(server)


def test_who_sends_more_than_the_connection_has_room_for_loses_it() -> None:
    server = met()
    server._streams._room = 10
    server.feed(format_headers(3, BLOCK) + data(3, bytes(11)), 0)

    assert_broken(server, ErrorCode.FLOW_CONTROL_ERROR)


def test_a_window_cannot_grow_beyond_its_limit() -> None:
    server = met()
    server.feed(ask(3) + format_window_update(3, LARGEST_WINDOW), 0)
    assert {3: ErrorCode.FLOW_CONTROL_ERROR} == resets(server)

    server.feed(format_window_update(0, LARGEST_WINDOW), 0)
    assert_broken(server, ErrorCode.FLOW_CONTROL_ERROR)


def test_a_widening_by_nothing_ends_the_stream() -> None:
    server = met()
    server.feed(ask(3) + format_window_update(3, 0), 0)

    assert {3: ErrorCode.PROTOCOL_ERROR} == resets(server)


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
