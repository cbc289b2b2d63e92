import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.errors import UsageError
from modeldyno.records.grpc_status import GrpcStatus
from modeldyno.wire.errors import WireError
from modeldyno.wire.grpc_call import (
    CallStatus,
    format_timeout,
    pack_call,
    read_call,
    unwrap_message,
)
from modeldyno.wire.header_block import BlockReader, Headers
from modeldyno.wire.http1_response import HttpResponse
from modeldyno.wire.http2_client import Http2Client, StreamReset
from modeldyno.wire.http2_frames import ErrorCode, FrameReader

_UNITS_NS = {"n": 1, "u": 10**3, "m": 10**6, "S": 10**9, "M": 60 * 10**9, "H": 3_600 * 10**9}


def headers_of(content: bytes) -> Headers:
    client = Http2Client()
    return BlockReader().decode(FrameReader().feed(client.request(content))[0][3])


def answer(headers: Headers, body: bytes = b"", status: int = 200) -> HttpResponse:
    return HttpResponse(status, headers, body, keep_alive=True)


def test_a_call_is_a_post_with_a_framed_message() -> None:
    content = pack_call(
        "/a.B/C", "host:1", b"message", timeout_ns=2_000_000_000, metadata=[("Authorization", "Bearer x")]
    )
    expected = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": b"/a.B/C",
        b":authority": b"host:1",
        b"te": b"trailers",
        b"content-type": b"application/grpc",
        b"user-agent": b"modeldyno",
        b"grpc-timeout": b"2000000u",
        b"authorization": b"Bearer x",
    }

    assert expected == headers_of(content)
    assert b"\0\0\0\0\x07message" == content[-12:]


def test_a_call_through_tls_says_so() -> None:
    assert b"https" == headers_of(pack_call("/a.B/C", "host", b"", is_secure=True))[b":scheme"]


@pytest.mark.parametrize("name", ("te", "Content-Type", "grpc-timeout", "grpc-encoding", "host", "User-Agent"))
def test_headers_that_describe_the_call_are_ours(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be set"):
        pack_call("/", "host", b"", metadata=[(name, "1")])


@pytest.mark.parametrize(
    ("name", "value"), (("", "1"), ("a b", "1"), (":path", "/x"), ("ä", "1"), ("a", "1\r\n"), ("a", "ä"), ("a", "\0"))
)
def test_metadata_that_would_break_the_call_are_refused_without_showing_the_value(name: str, value: str) -> None:
    with pytest.raises(UsageError, match="not metadata") as caught:
        pack_call("/", "host", b"", metadata=[(name, value)])

    assert value.strip() not in caught.value.what.replace("metadata of gRPC", "").replace(repr(name), "")


@given(timeout_ns=st.integers(1, 10**20))
def test_a_timeout_has_at_most_eight_digits_and_is_hardly_longer_than_asked(timeout_ns: int) -> None:
    text = format_timeout(timeout_ns)
    sent_ns = int(text[:-1]) * _UNITS_NS[text[-1]]

    assert len(text) <= 9
    assert timeout_ns <= sent_ns <= timeout_ns * 1.0001 + 1 or text[-1] in "MH"
    assert sent_ns < timeout_ns + _UNITS_NS[text[-1]]


def test_a_message_comes_out_of_its_frame() -> None:
    assert b"abc" == unwrap_message(b"\0\0\0\0\x03abc")


@pytest.mark.parametrize(
    "body",
    (b"", b"\0\0\0", b"\0\0\0\0\x03ab", b"\0\0\0\0\x03abcd", b"\x01\0\0\0\x03abc", b"\0\0\0\0\x01a\0\0\0\0\x01b"),
)
def test_anything_but_one_whole_plain_message_is_wrong(body: bytes) -> None:
    with pytest.raises(WireError):
        unwrap_message(body)


def test_status_0_comes_with_the_message() -> None:
    assert (CallStatus(0, ""), b"abc") == read_call(answer({b"grpc-status": b"0"}, b"\0\0\0\0\x03abc"))


def test_another_status_comes_with_its_words() -> None:
    status, message = read_call(answer({b"grpc-status": b"5", b"grpc-message": b"no model %22d%C3%A9j%C3%A0%22"}))

    assert (GrpcStatus.NOT_FOUND, 'no model "déjà"') == status
    assert b"" == message
    assert 'NOT_FOUND: no model "déjà"' == str(status)


def test_words_that_are_not_encoded_rightly_are_shown_all_the_same() -> None:
    status, _ = read_call(answer({b"grpc-status": b"2", b"grpc-message": b"100% \xff %zz"}))

    assert "100% � %zz" == status.message


def test_a_code_that_nobody_knows_keeps_its_number() -> None:
    assert "CODE_99" == str(read_call(answer({b"grpc-status": b"99"}))[0])


@pytest.mark.parametrize("value", (b"", b"-1", b"x", b"12345"))
def test_a_status_that_is_no_number_is_wrong(value: bytes) -> None:
    with pytest.raises(WireError):
        read_call(answer({b"grpc-status": value}))


@pytest.mark.parametrize(
    ("status", "code"),
    (
        (502, GrpcStatus.UNAVAILABLE),
        (401, GrpcStatus.UNAUTHENTICATED),
        (404, GrpcStatus.UNIMPLEMENTED),
        (200, 2),
        (418, 2),
    ),
)
def test_an_answer_without_a_grpc_status_is_judged_by_that_of_http(status: int, code: int) -> None:
    assert code == read_call(answer({}, status=status))[0].code


@pytest.mark.parametrize(
    ("reset", "code"),
    (
        (ErrorCode.REFUSED_STREAM, GrpcStatus.UNAVAILABLE),
        (ErrorCode.ENHANCE_YOUR_CALM, GrpcStatus.RESOURCE_EXHAUSTED),
        (ErrorCode.CANCEL, GrpcStatus.CANCELLED),
        (ErrorCode.INTERNAL_ERROR, GrpcStatus.INTERNAL),
        (4_000_000_000, GrpcStatus.INTERNAL),
    ),
)
def test_a_reset_stream_has_the_code_that_grpc_gives_it(reset: int, code: int) -> None:
    assert code == read_call(StreamReset(reset))[0].code
