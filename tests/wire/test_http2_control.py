"""What a client says of the connection as a whole."""

from tests.wire.http2_dialogue import (
    assert_broken,
    met,
    sent,
)

from modeldyno.wire.http2_frames import (
    ACK,
    LARGEST_WINDOW,
    PREFACE,
    ErrorCode,
    FrameType,
    Setting,
    format_frame,
    format_settings,
)
from modeldyno.wire.http2_limits import Http2Limits
from modeldyno.wire.http2_server import Http2Server


def test_settings_are_acknowledged() -> None:
    server = Http2Server(Http2Limits())
    server.feed(PREFACE + format_settings({Setting.MAX_FRAME_SIZE: 1 << 20}), 0)

    assert [(FrameType.SETTINGS, ACK, 0, b"")] == sent(server)


def test_a_ping_comes_back() -> None:
    server = met()
    server.feed(format_frame(FrameType.PING, 0, 0, b"12345678") + format_frame(FrameType.PING, ACK, 0, bytes(8)), 0)

    assert [(FrameType.PING, ACK, 0, b"12345678")] == sent(server)


def test_a_first_window_cannot_be_beyond_the_limit() -> None:
    server = met()
    server.feed(format_settings({Setting.INITIAL_WINDOW_SIZE: LARGEST_WINDOW + 1}), 0)

    assert_broken(server, ErrorCode.FLOW_CONTROL_ERROR)
