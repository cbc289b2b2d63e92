"""A client's patience: the known attacks by frames that bring nothing forward."""

import pytest
from tests.wire.http2_dialogue import (
    BLOCK,
    HEAD,
    SECOND_NS,
    TRAILERS,
    ask,
    assert_broken,
    data,
    met,
)

from modeldyno.wire.http2_frames import (
    PADDED,
    ErrorCode,
    FrameType,
    Setting,
    format_frame,
    format_headers,
    format_reset,
    format_settings,
    format_window_update,
)
from modeldyno.wire.http2_limits import Http2Limits


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
