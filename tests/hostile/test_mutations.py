"""Sound requests with a few bytes changed: nearer to what is understood than bytes drawn at random.

What is taken of them must be sound, and all else refused in the way that was declared for it.
"""

import contextlib
import json
from collections.abc import Callable

import h11
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeldyno.records.signature import DATATYPES, Signature, TensorSpec
from modeldyno.wire.errors import WireError
from modeldyno.wire.grpc_answer import CallError, MessageReader
from modeldyno.wire.header_block import encode_block
from modeldyno.wire.http1_reader import RequestReader
from modeldyno.wire.http1_request import HttpRequest, RequestLimits
from modeldyno.wire.http2_frames import (
    ACK,
    END_STREAM,
    PREFACE,
    ErrorCode,
    FrameType,
    format_frame,
    format_headers,
    format_reset,
    format_settings,
    format_window_update,
)
from modeldyno.wire.http2_limits import Http2Limits
from modeldyno.wire.http2_server import Http2Server
from modeldyno.wire.v2_client import encode_infer_request
from modeldyno.wire.v2_decoder import InferRequestDecoder
from modeldyno.wire.v2_grpc import encode_infer_request as encode_grpc_request
from modeldyno.wire.v2_grpc_infer import InferTranslator

EXAMPLES = 300
SIGNATURE = Signature(
    inputs=(
        TensorSpec(name="a", datatype="FP32", shape=("batch", 2)),
        TensorSpec(name="b", datatype="BYTES", shape=("batch", 1)),
        TensorSpec(name="c", datatype="INT64", shape=("batch", "length")),
    ),
    outputs=(TensorSpec(name="sum", datatype="FP32", shape=("batch",)),),
)
TENSORS = {
    "a": np.array([[1, -2.5], [3e10, 4]], np.float32),
    "b": np.array([[b"text"], [b""]], object),
    "c": np.array([[1, 2, 3], [-4, 5, 2**40]], np.int64),
}
_BINARY, _LENGTH = encode_infer_request(TENSORS, SIGNATURE)
_HEADER_LENGTH = int(_LENGTH or 0)
_JSON = json.dumps(
    {
        "id": "r1",
        "parameters": {"priority": 1, "timeout": 10**6},
        "inputs": [
            {"name": "a", "datatype": "FP32", "shape": [2, 2], "data": [[1, -2.5], [3e10, 4]]},
            {"name": "b", "datatype": "BYTES", "shape": [2, 1], "data": ["text", ""]},
            {"name": "c", "datatype": "INT64", "shape": [2, 3], "data": [1, 2, 3, -4, 5, 2**40]},
        ],
        "outputs": [{"name": "sum", "parameters": {"binary_data": True}}],
    }
).encode()
HTTP = (
    b"GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n",
    b"POST /v2/models/m/infer HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /v HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;a=b\r\nyou\r\n0\r\nT: x\r\n\r\n",
    b"POST /v2 HTTP/1.0\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n{}",
)
WEDGES = (
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b",", b"0", b"1", b"5\r\n", b"0\r\n\r\n",
    b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n",
    b"Host: i\r\n",
    b"\r\n ", b"HTTP/1.1", b"/", b"-", b"+", b"0x", b"\xff", b"[", b"]", b"{", b"}", b'"', b"\\", b"null", b"true",
    b"1e999", b"NaN", b"99999999999999999999", b"Content-Encoding: gzip\r\n", b"Expect: 100-continue\r\n",
    b"Upgrade: h2c\r\nConnection: upgrade\r\n",
)  # fmt: skip


LENGTHS = (
    b"5", b"05", b" 5", b"5 ", b"\t5", b"5\t", b"+5", b"-5", b"5,5", b"5, 6", b"5.0", b"0x5", b"5 5", b"", b"\x0b5",
    b"5;a", b"1_0", b"\xb2", b"00000000000000000005", b"3",
)  # fmt: skip
CODINGS = (
    b"chunked", b"Chunked", b"chunked ", b"\tchunked", b"\x0bchunked", b"chunked, identity", b"identity",
    b"identity, chunked", b"gzip, chunked", b"chunked, chunked", b'"chunked"', b"chunked;q=1", b"x", b"", b"chunked,",
    b"\x00chunked",
)  # fmt: skip
NAMES = (b"%b:", b"%b :", b" %b:", b"\t%b:", b"%b\t:", b"%b\0:", b"%b", b"(%b:", b"X%b:")
ENDS = (b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\r\n", b"\r\n ", b" \r\n", b"\0\r\n")
SIZES = (
    b"5", b"05", b"5 ", b" 5", b"5\t", b"5;a", b"5;a=b", b'5;a="\r\n"', b"5 ;a", b"0x5", b"+5", b"-5", b"5_", b"",
    b"5\n", b"4", b"6",
)  # fmt: skip
TARGETS = (b"/", b"*", b"h/a", b"http://h/a", b"/a b", b"/\xff", b"/a\t", b"", b"/a-")
VERSIONS = (
    b"HTTP/1.1",
    b"HTTP/1.1",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/1.2",
    b"HTTP/2.0",
    b"http/1.1",
    b"HTTP/01.1",
    b"HTTP/1.1 ",
)


@st.composite
def odd_requests(draw: st.DrawFn) -> bytes:
    """A request some parts of which are not quite as they should be: what smuggling is made of (RFC 9112, 11.2)."""
    odd = draw(st.lists(st.sampled_from(["length", "coding", "name", "end", "size", "target", "version"]), max_size=2))

    def part(kind: str, values: tuple[bytes, ...]) -> bytes:
        return draw(st.sampled_from(values)) if kind in odd else values[0]

    headers = [b"Host: h"]
    framing = draw(st.sampled_from(["length", "coding", "both", "twice", "none"]))
    if framing in ("length", "both", "twice"):
        headers.append(part("name", NAMES).replace(b"%b", b"Content-Length") + b" " + part("length", LENGTHS))
    if framing in ("coding", "both"):
        headers.append(part("name", NAMES).replace(b"%b", b"Transfer-Encoding") + b" " + part("coding", CODINGS))
    if framing == "twice":
        headers.append(b"Content-Length: " + part("length", LENGTHS))
    headers = draw(st.permutations(headers))
    start = b" ".join(
        (draw(st.sampled_from([b"POST", b"GET", b"post"])), part("target", TARGETS), part("version", VERSIONS))
    )
    head = b"".join(line + part("end", ENDS) for line in (start, *headers))
    if framing in ("coding", "both"):
        body = (
            part("size", SIZES)
            + part("end", ENDS)
            + b"hello"
            + part("end", ENDS)
            + b"0\r\n"
            + draw(st.sampled_from([b"", b"T: x\r\n"]))
            + b"\r\n"
        )
    else:
        body = b"" if framing == "none" else b"hello"
    return head + b"\r\n" + body


@st.composite
def changed(draw: st.DrawFn, sound: st.SearchStrategy[bytes]) -> bytes:
    """A few bytes put in, taken out, doubled or replaced."""
    data = draw(sound)
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(data)))
        size = draw(st.integers(0, 8))
        kind = draw(st.sampled_from(["wedge", "noise", "cut", "double", "flip"]))
        before, middle, after = data[:place], data[place : place + size], data[place + size :]
        if kind == "wedge":
            data = before + draw(st.sampled_from(WEDGES)) + middle + after
        elif kind == "noise":
            data = before + draw(st.binary(max_size=4)) + after
        elif kind == "cut":
            data = before + after
        elif kind == "double":
            data = before + middle * 3 + after
        else:
            data = before + bytes(byte ^ 1 << draw(st.integers(0, 7)) for byte in middle) + after
    return data


def read(data: bytes, sizes: list[int]) -> tuple[list[HttpRequest], WireError | None]:
    """What our reader makes of it, given in pieces of these sizes and then the rest."""
    limits = RequestLimits(max_body_bytes=500, max_head_bytes=1000)
    reader = RequestReader(limits)
    requests = []
    while data and reader.error is None:
        size = sizes.pop() if sizes else len(data)
        requests += reader.feed(data[:size])
        data = data[size:]
        assert len(reader._body) <= limits.max_body_bytes
        assert sum(len(name) + len(value) for name, value in reader._headers.items()) <= limits.max_head_bytes
    reader.close()
    return requests, reader.error


def read_by_h11(data: bytes, count: int) -> list[tuple[bytes, bytes, bytes]]:
    """Method, target and body of the first requests, as an independent reader has them; fewer if it refuses one."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=10**6)
    connection.receive_data(data)
    requests: list[tuple[bytes, bytes, bytes]] = []
    with contextlib.suppress(h11.RemoteProtocolError):
        for _ in range(count):
            events = [connection.next_event()]
            while not isinstance(events[-1], h11.EndOfMessage):
                assert events[-1] is not h11.NEED_DATA, f"it waits for more, after {requests}"
                if events[-1] is h11.PAUSED:
                    return requests
                events.append(connection.next_event())
            asked = events[0]
            assert isinstance(asked, h11.Request)
            body = b"".join(bytes(event.data) for event in events if isinstance(event, h11.Data))
            requests.append((asked.method, asked.target, body))
            connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return requests
            connection.start_next_cycle()
    return requests


@settings(max_examples=2 * EXAMPLES)
@given(
    st.lists(odd_requests() | changed(st.sampled_from(HTTP)), min_size=1, max_size=3).map(b"".join),
    st.lists(st.integers(1, 40), max_size=20),
)
def test_an_independent_reader_finds_the_same_requests_in_what_we_take(data: bytes, sizes: list[int]) -> None:
    """Or it refuses them: then whoever passed them on did, too. What must not be is two readings of the same bytes."""
    requests, _ = read(data, sizes)
    ours = [(one.method, one.target, bytes(one.body)) for one in requests if b"content-encoding" not in one.headers]
    if len(ours) < len(requests):
        return  # h11 does not expand bodies
    theirs = read_by_h11(data, len(ours))
    assert theirs == ours[: len(theirs)]


BODIES = (b"hello", b"world", b"hell", b"0\r\n\r\n", b"POST ", b"\r\n\r\n ")


@settings(max_examples=EXAMPLES)
@given(
    st.lists(
        st.tuples(odd_requests() | changed(st.sampled_from(HTTP)), st.sampled_from(BODIES)), min_size=1, max_size=3
    ),
    st.lists(st.integers(0, 2), min_size=2, max_size=6),
)
def test_requests_whose_heads_repeat_are_read_as_an_independent_reader_does(
    kinds: list[tuple[bytes, bytes]], order: list[int]
) -> None:
    """Each in a piece of its own, as clients send them that wait for their answers."""
    pieces = [kinds[number % len(kinds)] for number in order]
    reader, requests = RequestReader(RequestLimits()), []
    for number, (request, other) in enumerate(pieces):
        if reader.error is None:
            requests += reader.feed(request.replace(b"hello", other) if number % 2 else request)
    data = b"".join(
        request.replace(b"hello", other) if number % 2 else request for number, (request, other) in enumerate(pieces)
    )
    if any(b"content-encoding" in one.headers for one in requests):
        return
    ours = [(one.method, one.target, bytes(one.body)) for one in requests]
    theirs = read_by_h11(data, len(ours))
    assert theirs == ours[: len(theirs)]


@settings(max_examples=EXAMPLES)
@given(changed(st.just(b"".join(HTTP))), st.lists(st.integers(1, 60), max_size=30))
def test_requests_are_the_same_however_changed_bytes_are_cut(data: bytes, sizes: list[int]) -> None:
    whole, problem = read(data, [])
    pieces, same_problem = read(data, sizes)
    assert whole[: len(pieces)] == pieces
    assert (problem is None) == (same_problem is None)


def check_sound(body: bytes, header_length: int | None) -> None:
    """It is refused, or every array is what the signature says."""
    refusal = request = None
    try:
        request = InferRequestDecoder(SIGNATURE).decode(body, header_length)
    except WireError as problem:
        refusal = problem
    if request is None:
        assert refusal is not None
        assert (400, True) == (refusal.status, bool(refusal.message))
        return
    assert [spec.name for spec in SIGNATURE.inputs] == list(request.inputs)
    for spec in SIGNATURE.inputs:
        array = request.inputs[spec.name]
        assert np.dtype(DATATYPES[spec.datatype]) == array.dtype
        assert request.rows == array.shape[0] >= 1
        assert len(spec.shape) == array.ndim
        assert all(want in (size, "batch", "length") for want, size in zip(spec.shape, array.shape, strict=True))
    assert sum(array.size for array in request.inputs.values()) == request.elements
    assert all(isinstance(one, bytes) for one in request.inputs["b"].ravel().tolist())


@settings(max_examples=EXAMPLES)
@given(changed(st.just(_JSON)))
def test_a_changed_json_request_is_refused_or_fits_the_model(body: bytes) -> None:
    check_sound(body, None)


@settings(max_examples=EXAMPLES)
@given(changed(st.just(_BINARY)), st.integers(-3, 3))
def test_a_changed_binary_request_is_refused_or_fits_the_model(body: bytes, shift: int) -> None:
    check_sound(body, _HEADER_LENGTH + shift)


@settings(max_examples=EXAMPLES)
@given(changed(st.just(encode_grpc_request(TENSORS, SIGNATURE, "m"))))
def test_a_changed_grpc_request_is_refused_or_fits_the_model(message: bytes) -> None:
    try:
        asked = InferTranslator().translate(message)
    except WireError:
        return
    check_sound(bytes(asked.body), asked.header_length)


@settings(max_examples=EXAMPLES)
@given(st.lists(changed(st.just(b"\0\0\0\0\x05hello" * 2)), max_size=4), st.lists(st.integers(1, 9), max_size=9))
def test_changed_messages_of_a_stream_are_bounded(pieces: list[bytes], sizes: list[int]) -> None:
    reader = MessageReader({}, 100)
    with contextlib.suppress(CallError):
        for piece in pieces:
            reader.feed(piece)
            while (message := reader.take()) is not None:
                assert len(message) <= 100
            assert reader.pending_bytes <= 105


_ASKED = [(":method", "POST"), (":scheme", "http"), (":path", "/p"), ("content-type", "application/grpc")]
_FRAMES = (
    format_headers(1, b"\x20" + encode_block(_ASKED))
    + format_frame(FrameType.DATA, END_STREAM, 1, b"\0\0\0\0\x05hello"),
    format_headers(3, b"\x20" + encode_block(_ASKED), end_stream=True),
    format_frame(FrameType.HEADERS, 0, 5, b"\x20") + format_frame(FrameType.CONTINUATION, 4, 5, encode_block(_ASKED)),
    format_settings({}),
    format_frame(FrameType.SETTINGS, ACK, 0, b""),
    format_frame(FrameType.PING, 0, 0, bytes(8)),
    format_window_update(0, 1000),
    format_reset(1, ErrorCode.CANCEL),
    format_frame(FrameType.PRIORITY, 0, 3, bytes(5)),
)


@settings(max_examples=EXAMPLES)
@given(
    changed(
        st.lists(st.sampled_from(_FRAMES), max_size=12).map(
            lambda frames: PREFACE + format_settings({}) + b"".join(frames)
        )
    ),
    st.lists(st.integers(1, 60), max_size=20),
)
def test_changed_frames_are_taken_or_end_the_connection_within_its_limits(data: bytes, sizes: list[int]) -> None:
    limits = Http2Limits(max_streams=4, max_header_bytes=500, max_body_bytes=300, max_pending_bytes=600)
    server = Http2Server(limits)
    server.start()
    answered: Callable[[int], None] = lambda stream: server.answer(stream, b"\x88", b"x" * 50, b"")  # noqa: E731
    while data:
        size = sizes.pop() if sizes else len(data)
        for stream, headers, body, is_last in server.feed(data[:size], 0):
            assert len(body) <= limits.max_body_bytes
            if headers is not None and is_last and stream % 4 == 1:
                answered(stream)
        data = data[size:]
        server.take_outgoing()
        assert server._streams._pending <= limits.max_pending_bytes
        assert len(server._open) <= limits.max_streams
        assert len(server._block) <= limits.max_header_bytes
    assert server.fault == "" or server.is_leaving


@pytest.mark.parametrize("sound", (*HTTP, b"".join(HTTP)))
def test_the_requests_that_are_changed_here_are_sound(sound: bytes) -> None:
    requests, problem = read(sound, [])
    assert problem is None
    assert [(one.method, one.target, bytes(one.body)) for one in requests] == read_by_h11(sound, len(requests))


def test_the_inference_requests_that_are_changed_here_are_sound() -> None:
    decoder = InferRequestDecoder(SIGNATURE)
    asked = InferTranslator().translate(encode_grpc_request(TENSORS, SIGNATURE, "m"))
    for body, length in ((_JSON, None), (_BINARY, _HEADER_LENGTH), (bytes(asked.body), asked.header_length)):
        assert 2 == decoder.decode(body, length).rows
