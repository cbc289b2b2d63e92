import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.wire.http1_response import MalformedResponseError
from modeldyno.wire.http2_frames import (
    END_HEADERS,
    END_STREAM,
    PADDED,
    PRIORITY,
    Frame,
    FrameReader,
    FrameType,
    Setting,
    format_frame,
    format_headers,
    format_settings,
    parse_number,
    parse_settings,
    strip_padding,
    strip_priority,
)

FRAMES = st.lists(
    st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 2**31 - 1), st.binary(max_size=50)), max_size=8
)


@given(frames=FRAMES, data=st.data())
def test_it_does_not_matter_where_the_network_cuts_the_frames(frames: list[Frame], data: st.DataObject) -> None:
    stream = b"".join(format_frame(*frame) for frame in frames)
    reader = FrameReader()
    read: list[Frame] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        read += reader.feed(stream[:size])
        stream = stream[size:]

    assert frames == read


def test_the_reserved_bit_of_a_stream_is_ignored() -> None:
    frame = bytearray(format_frame(FrameType.PING, 0, 0, bytes(8)))
    frame[5] |= 0x80

    assert [(FrameType.PING, 0, 0, bytes(8))] == FrameReader().feed(bytes(frame))


def test_a_frame_above_what_we_allow_is_refused_before_its_payload_comes() -> None:
    with pytest.raises(MalformedResponseError, match="16385"):
        FrameReader().feed(format_frame(FrameType.DATA, 0, 1, bytes(16_385))[:9])


def test_a_block_of_headers_goes_into_one_frame_or_goes_on_in_others() -> None:
    assert [(FrameType.HEADERS, END_HEADERS | END_STREAM, 3, b"x")] == FrameReader().feed(
        format_headers(3, b"x", end_stream=True)
    )
    frames = FrameReader().feed(format_headers(3, bytes(40_000), end_stream=True))

    assert [FrameType.HEADERS, FrameType.CONTINUATION, FrameType.CONTINUATION] == [frame[0] for frame in frames]
    assert [END_STREAM, 0, END_HEADERS] == [frame[1] for frame in frames]
    assert bytes(40_000) == b"".join(frame[3] for frame in frames)


def test_settings_come_back_in_order() -> None:
    settings = {Setting.ENABLE_PUSH: 0, Setting.INITIAL_WINDOW_SIZE: 2**31 - 1}
    ((kind, flags, stream, payload),) = FrameReader().feed(format_settings(settings))

    assert (FrameType.SETTINGS, 0, 0) == (kind, flags, stream)
    assert list(settings.items()) == parse_settings(payload)


@pytest.mark.parametrize("payload", (b"1", bytes(7)))
def test_settings_that_are_cut_off_are_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedResponseError):
        parse_settings(payload)


@pytest.mark.parametrize("payload", (b"", bytes(3), bytes(5)))
def test_a_number_has_four_bytes(payload: bytes) -> None:
    with pytest.raises(MalformedResponseError):
        parse_number(payload)


def test_padding_and_priority_are_taken_off() -> None:
    assert b"ab" == strip_padding(PADDED, b"\x03ab\0\0\0")
    assert b"ab" == strip_padding(0, b"ab")
    assert b"ab" == strip_priority(PRIORITY, b"12345ab")
    assert b"ab" == strip_priority(0, b"ab")


@pytest.mark.parametrize("payload", (b"", b"\x01", b"\x05abcd"))
def test_more_padding_than_payload_is_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedResponseError):
        strip_padding(PADDED, payload)


def test_headers_too_short_for_their_priority_are_malformed() -> None:
    with pytest.raises(MalformedResponseError):
        strip_priority(PRIORITY, b"1234")
