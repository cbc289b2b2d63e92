import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.wire.header_block import BlockReader, encode_block
from modeldyno.wire.http1_response import HttpResponse, MalformedResponseError
from modeldyno.wire.http2_client import WINDOW_BYTES, Http2Client, StreamReset, pack_request
from modeldyno.wire.http2_frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    FIRST_WINDOW,
    PADDED,
    PREFACE,
    ErrorCode,
    Frame,
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

SETTINGS = format_settings({})
HEAD = encode_block([(":status", "200"), ("content-type", "text/plain")])
TRAILERS = encode_block([("x-end", "1")])
REQUEST = pack_request([(":method", "POST"), (":path", "/")], b"question")


def answer(stream: int, *bodies: bytes, trailers: bytes = TRAILERS) -> bytes:
    return b"".join(
        (
            format_headers(stream, HEAD),
            *(format_frame(FrameType.DATA, 0, stream, body) for body in bodies),
            format_headers(stream, trailers, end_stream=True),
        )
    )


def goaway(last: int, code: int = 0, words: bytes = b"") -> bytes:
    return format_frame(FrameType.GOAWAY, 0, 0, struct.pack(">II", last, code) + words)


def connected(settings: bytes = SETTINGS) -> Http2Client:
    client = Http2Client()
    client.start()
    client.feed(settings)
    client.take_outgoing()
    return client


def asking(content: bytes = REQUEST) -> Http2Client:
    client = connected()
    client.request(content)
    return client


class Server:
    """Reads what a client sends, as a server that counts windows."""

    def __init__(self, window: int) -> None:
        self.reader = FrameReader()
        self.stream_room = window
        self.connection_room = FIRST_WINDOW
        self.body = b""
        self.is_whole = False

    def take(self, data: bytes) -> None:
        for kind, flags, _, payload in self.reader.feed(data):
            if kind == FrameType.DATA:
                self.body += payload
                self.stream_room -= len(payload)
                self.connection_room -= len(payload)
                self.is_whole = bool(flags & END_STREAM)
                assert min(self.stream_room, self.connection_room) >= 0


def frames_of(data: bytes) -> list[Frame]:
    return FrameReader().feed(data)


def test_a_connection_begins_with_the_preface_and_settings() -> None:
    first = Http2Client().start()
    settings, window = frames_of(first.removeprefix(PREFACE))

    assert first.startswith(PREFACE)
    expected = [
        (Setting.HEADER_TABLE_SIZE, 0),
        (Setting.ENABLE_PUSH, 0),
        (Setting.INITIAL_WINDOW_SIZE, WINDOW_BYTES),
    ]
    assert expected == parse_settings(settings[3])
    assert (FrameType.WINDOW_UPDATE, 0, 0) == window[:3]
    assert WINDOW_BYTES == FIRST_WINDOW + parse_number(window[3])


def test_a_request_is_headers_and_data_that_ends_the_stream() -> None:
    client = connected()
    head, body = frames_of(client.request(REQUEST))

    assert (FrameType.HEADERS, END_HEADERS, 1) == head[:3]
    assert {b":method": b"POST", b":path": b"/"} == BlockReader().decode(head[3])
    assert (FrameType.DATA, END_STREAM, 1, b"question") == body


def test_an_answer_has_the_headers_the_body_and_the_trailers() -> None:
    client = asking()
    expected = {b":status": b"200", b"content-type": b"text/plain", b"x-end": b"1"}

    assert HttpResponse(200, expected, b"abc", keep_alive=True) == client.feed(answer(1, b"a", b"bc"))


def test_each_request_has_the_next_odd_stream() -> None:
    client = connected()
    for stream in (1, 3, 5):
        assert {stream} == {frame[2] for frame in frames_of(client.request(REQUEST))}
        assert isinstance(client.feed(answer(stream, b"a")), HttpResponse)


@given(
    bodies=st.lists(st.binary(max_size=100), max_size=4),
    before=st.lists(
        st.sampled_from(
            (
                SETTINGS,
                format_frame(FrameType.PING, 0, 0, b"12345678"),
                format_window_update(0, 5),
                format_frame(99, 7, 9, b"?"),
            )
        ),
        max_size=3,
    ),
    data=st.data(),
)
def test_it_does_not_matter_where_the_network_cuts_the_bytes(
    bodies: list[bytes], before: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(before) + answer(1, *bodies) + b"".join(before)
    whole, cut = asking(), asking()
    expected = whole.feed(stream)
    answers, sent = [], []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        answers.append(cut.feed(stream[:size]))
        sent.append(cut.take_outgoing())
        stream = stream[size:]

    assert [expected] == [one for one in answers if one is not None]
    assert isinstance(expected, HttpResponse)
    assert b"".join(bodies) == expected.body
    assert whole.take_outgoing() == b"".join(sent)


@given(
    size=st.integers(0, 300_000),
    window=st.integers(0, 100_000),
    grants=st.lists(st.tuples(st.booleans(), st.integers(1, 100_000)), max_size=20),
)
def test_a_body_is_sent_as_the_windows_of_the_server_allow_and_no_faster(
    size: int, window: int, grants: list[tuple[bool, int]]
) -> None:
    body = bytes(index % 251 for index in range(size))
    client = connected(format_settings({Setting.INITIAL_WINDOW_SIZE: window}))
    server = Server(window)
    server.take(client.request(pack_request([(":method", "POST")], body)))
    for is_stream, increment in [*grants, (True, 400_000), (False, 400_000)]:
        if server.is_whole:
            break
        if is_stream:
            server.stream_room += increment
        else:
            server.connection_room += increment
        client.feed(format_window_update(1 if is_stream else 0, increment))
        server.take(client.take_outgoing())

    assert server.is_whole
    assert body == server.body


def test_small_bodies_use_up_the_window_of_the_connection_as_well() -> None:
    client, server = connected(), Server(FIRST_WINDOW)
    content = pack_request([(":method", "POST")], bytes(10_000))
    for number in range(6):
        server.stream_room = FIRST_WINDOW
        server.take(client.request(content))
        assert server.is_whole
        client.feed(answer(2 * number + 1))
    server.take(client.request(content))

    assert not server.is_whole
    assert FIRST_WINDOW == len(server.body)
    client.feed(format_window_update(0, 5_000))
    server.connection_room += 5_000
    server.take(client.take_outgoing())
    assert server.is_whole


def test_a_smaller_window_in_the_middle_of_a_body_is_obeyed() -> None:
    client = connected(format_settings({Setting.INITIAL_WINDOW_SIZE: 10}))
    sent = client.request(pack_request([(":method", "POST")], bytes(100)))
    client.feed(format_settings({Setting.INITIAL_WINDOW_SIZE: 4}))  # the window is now 6 below nothing
    client.take_outgoing()
    client.feed(format_window_update(1, 6))
    silent = client.take_outgoing()
    client.feed(format_window_update(1, 1))

    assert bytes(10) == frames_of(sent)[1][3]
    assert b"" == silent
    assert [(FrameType.DATA, 0, 1, b"\0")] == frames_of(client.take_outgoing())


def test_an_answer_before_the_whole_question_was_sent_ends_the_sending() -> None:
    client = connected(format_settings({Setting.INITIAL_WINDOW_SIZE: 10}))
    client.request(pack_request([(":method", "POST")], bytes(100)))

    assert isinstance(client.feed(answer(1)), HttpResponse)
    assert format_reset(1, ErrorCode.CANCEL) == client.take_outgoing()

    client.feed(format_window_update(1, 1_000) + format_reset(1, ErrorCode.NO_ERROR))  # late, and of no interest
    assert b"" == client.take_outgoing()
    assert 3 == frames_of(client.request(REQUEST))[0][2]


def test_what_was_received_is_granted_anew_before_it_runs_out() -> None:
    client = Http2Client(window_bytes=70_000)
    client.start()
    client.feed(SETTINGS)
    client.take_outgoing()
    client.request(REQUEST)
    piece = format_frame(FrameType.DATA, 0, 1, bytes(14_000))
    client.feed(format_headers(1, HEAD) + piece + piece)
    nothing = client.take_outgoing()
    client.feed(piece)

    assert b"" == nothing
    assert {(0, 42_000), (1, 42_000)} == {
        (stream, parse_number(payload)) for _, _, stream, payload in frames_of(client.take_outgoing())
    }


def test_padding_counts_for_the_window_and_not_for_the_body() -> None:
    client = Http2Client(window_bytes=20)
    client.start()
    client.feed(SETTINGS)
    client.take_outgoing()
    client.request(REQUEST)
    padded = format_frame(FrameType.DATA, PADDED, 1, b"\x09ab" + bytes(9))
    response = client.feed(format_headers(1, HEAD) + padded + format_headers(1, TRAILERS, end_stream=True))

    assert isinstance(response, HttpResponse)
    assert b"ab" == response.body
    assert format_window_update(0, 12) + format_window_update(1, 12) == client.take_outgoing()


def test_headers_may_go_on_in_other_frames() -> None:
    block = encode_block([(":status", "200"), ("x-a", "b" * 20_000)])
    response = asking().feed(format_headers(1, block) + format_frame(FrameType.DATA, END_STREAM, 1, b""))

    assert isinstance(response, HttpResponse)
    assert 20_000 == len(response.headers[b"x-a"])


def test_an_answer_of_headers_alone_is_one() -> None:
    response = asking().feed(format_headers(1, encode_block([(":status", "503")]), end_stream=True))

    assert HttpResponse(503, {b":status": b"503"}, b"", keep_alive=True) == response


def test_an_interim_answer_is_skipped() -> None:
    response = asking().feed(format_headers(1, encode_block([(":status", "103")])) + answer(1, b"a"))

    assert isinstance(response, HttpResponse)
    assert (200, b"a") == (response.status, response.body)


def test_headers_are_seen_before_the_rest() -> None:
    client = asking()
    client.feed(SETTINGS + format_window_update(0, 5))
    before = client.headers
    client.feed(format_headers(1, HEAD))

    assert before is None
    assert client.headers is not None


def test_settings_and_pings_are_acknowledged() -> None:
    client = connected()
    client.feed(SETTINGS + format_frame(FrameType.PING, 0, 0, b"12345678"))

    expected = format_frame(FrameType.SETTINGS, ACK, 0, b"") + format_frame(FrameType.PING, ACK, 0, b"12345678")
    assert expected == client.take_outgoing()

    client.feed(format_frame(FrameType.SETTINGS, ACK, 0, b"") + format_frame(FrameType.PING, ACK, 0, bytes(8)))
    assert b"" == client.take_outgoing()


def test_a_reset_ends_the_request_and_not_the_connection() -> None:
    client = asking()

    assert StreamReset(ErrorCode.ENHANCE_YOUR_CALM) == client.feed(format_reset(1, ErrorCode.ENHANCE_YOUR_CALM))
    assert not client.is_leaving
    client.request(REQUEST)
    assert isinstance(client.feed(answer(3)), HttpResponse)


def test_a_server_that_leaves_may_still_answer() -> None:
    client = asking()

    assert client.feed(goaway(2**31 - 1)) is None
    assert client.is_leaving
    response = client.feed(answer(1, b"a"))
    assert isinstance(response, HttpResponse)
    assert not response.keep_alive


def test_a_server_that_leaves_after_its_answer_says_so_with_it() -> None:
    response = asking().feed(answer(1, b"a") + goaway(1))

    assert isinstance(response, HttpResponse)
    assert not response.keep_alive


def test_a_request_that_a_leaving_server_leaves_out_is_refused() -> None:
    assert StreamReset(ErrorCode.REFUSED_STREAM) == asking().feed(goaway(0))


def test_why_a_server_leaves_is_kept() -> None:
    client = connected()
    client.feed(goaway(0, ErrorCode.ENHANCE_YOUR_CALM, b"too_many_pings"))

    assert "ENHANCE_YOUR_CALM too_many_pings" == client.goaway_reason


def test_the_last_stream_number_is_the_end_of_a_connection() -> None:
    client = connected()
    client._stream = 2**31 - 3
    client.request(REQUEST)
    response = client.feed(answer(2**31 - 1))

    assert isinstance(response, HttpResponse)
    assert not response.keep_alive


BROKEN = {
    "data before headers": format_frame(FrameType.DATA, 0, 1, b"a"),
    "data on stream 0": format_frame(FrameType.DATA, 0, 0, b"a"),
    "data on a stream of nobody": format_frame(FrameType.DATA, 0, 3, b"a"),
    "headers on an even stream": format_headers(2, HEAD),
    "headers that are none": format_headers(1, b"\xff\xff\xff"),
    "no status": format_headers(1, TRAILERS),
    "a status that is none": format_headers(1, encode_block([(":status", "2000")])),
    "trailers that do not end": format_headers(1, HEAD) + format_headers(1, TRAILERS),
    "two heads": format_headers(1, HEAD) + format_headers(1, HEAD, end_stream=True),
    "an interim end": format_headers(1, encode_block([(":status", "100")]), end_stream=True),
    "a block interrupted": format_frame(FrameType.HEADERS, 0, 1, HEAD) + SETTINGS,
    "a continuation of nothing": format_frame(FrameType.CONTINUATION, END_HEADERS, 1, HEAD),
    "a continuation of another": format_frame(FrameType.HEADERS, 0, 1, HEAD)
    + format_frame(FrameType.CONTINUATION, END_HEADERS, 3, b""),
    "an endless block": format_frame(FrameType.HEADERS, 0, 1, b"")
    + format_frame(FrameType.CONTINUATION, 0, 1, bytes(16_384)) * 17,
    "a push": format_frame(FrameType.PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + HEAD),
    "a short ping": format_frame(FrameType.PING, 0, 0, b"1234"),
    "a ping on a stream": format_frame(FrameType.PING, 0, 1, b"12345678"),
    "a short reset": format_frame(FrameType.RST_STREAM, 0, 1, b"12"),
    "a reset of a stream of nobody": format_reset(5, ErrorCode.CANCEL),
    "a short goaway": format_frame(FrameType.GOAWAY, 0, 0, b"1234"),
    "no more window": format_window_update(0, 0),
    "no more window of the stream": format_window_update(1, 0),
    "too much window": format_window_update(0, 2**31 - 1),
    "too much window of the stream": format_window_update(1, 2**31 - 1),
    "a window of nobody": format_window_update(7, 1),
    "settings on a stream": format_frame(FrameType.SETTINGS, 0, 1, b""),
    "settings cut off": format_frame(FrameType.SETTINGS, 0, 0, b"123"),
    "an acknowledgement with content": format_frame(FrameType.SETTINGS, ACK, 0, bytes(6)),
    "too large a window": format_settings({Setting.INITIAL_WINDOW_SIZE: 2**31}),
    "too small frames": format_settings({Setting.MAX_FRAME_SIZE: 16_383}),
    "push allowed by the server": format_settings({Setting.ENABLE_PUSH: 1}),
    "too large a frame": format_frame(FrameType.DATA, 0, 1, bytes(16_385)),
}


@pytest.mark.parametrize("what", tuple(BROKEN))
def test_what_breaks_the_protocol_is_malformed(what: str) -> None:
    client = asking()

    with pytest.raises(MalformedResponseError):
        client.feed(BROKEN[what])


@pytest.mark.parametrize(
    ("data", "words"),
    (
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP/1"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "TLS"),
        (b"220 mail.example.org ready\r\n", "16384"),
        (format_frame(FrameType.PING, 0, 0, bytes(8)), "settings"),
    ),
)
def test_a_server_that_speaks_something_else_is_told_from_its_first_bytes(data: bytes, words: str) -> None:
    client = Http2Client()
    client.start()

    with pytest.raises(MalformedResponseError, match=words):
        client.feed(data)
    assert not client.is_ready


@given(noise=st.binary(max_size=400), is_asking=st.booleans())
def test_any_bytes_are_understood_or_malformed(noise: bytes, is_asking: bool) -> None:  # noqa: FBT001 - from hypothesis
    client = asking() if is_asking else connected()
    try:
        client.feed(noise)
    except MalformedResponseError:
        return
    client.take_outgoing()


TRANSCRIPT = (
    SETTINGS
    + answer(1, b"abc", b"def")
    + format_frame(FrameType.PING, 0, 0, bytes(8))
    + format_window_update(0, 9)
    + goaway(1)
)


@given(place=st.integers(0, len(TRANSCRIPT) - 1), value=st.integers(0, 255), more=st.binary(max_size=20))
def test_a_broken_byte_is_understood_or_malformed(place: int, value: int, more: bytes) -> None:
    client = asking()
    broken = bytearray(TRANSCRIPT)
    broken[place] = value
    try:
        response = client.feed(bytes(broken) + more)
    except MalformedResponseError:
        return

    assert response is None or isinstance(response, HttpResponse | StreamReset)
