import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.wire.http1_response import HttpResponse, MalformedResponseError, ResponseReader

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer-Timing: queue;dur=1\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
FULL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nRetry-After: 1\r\n\r\nfull"
CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
ANSWERS = {PLAIN: b"ok", CHUNKED: b"abcde", EMPTY: b"", FULL: b"full"}


@given(answers=st.lists(st.sampled_from(list(ANSWERS)), min_size=1, max_size=5), data=st.data())
def test_it_does_not_matter_where_the_network_cuts_the_bytes(answers: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(answers)
    reader = ResponseReader()
    bodies = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        bodies += [response.body for response in reader.feed(stream[:size])]
        stream = stream[size:]

    assert [ANSWERS[answer] for answer in answers] == bodies


def test_status_headers_and_body_are_those_on_the_wire() -> None:
    expected = HttpResponse(503, {b"content-length": b"4", b"retry-after": b"1"}, b"full", keep_alive=True)

    assert [expected] == ResponseReader().feed(FULL)


def test_header_names_are_in_lower_case_and_repeated_ones_are_joined() -> None:
    content = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n"

    assert b"1, 2" == ResponseReader().feed(content)[0].headers[b"x-a"]


def test_a_server_that_closes_says_so() -> None:
    assert not ResponseReader().feed(CLOSING)[0].keep_alive
    assert not ResponseReader().feed(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")[0].keep_alive


def test_an_interim_answer_is_skipped() -> None:
    responses = ResponseReader().feed(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + PLAIN)

    assert [200] == [response.status for response in responses]


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    reader = ResponseReader()

    assert [] == reader.feed(b"HTTP/1.1 200 OK\r\n\r\nab")
    assert [] == reader.feed(b"c")
    assert HttpResponse(200, {}, b"abc", keep_alive=False) == reader.end()


@pytest.mark.parametrize("cut", (PLAIN[:10], PLAIN[:40], PLAIN[:-1], CHUNKED[:-3], b""))
def test_a_connection_that_ends_in_the_middle_completes_nothing(cut: bytes) -> None:
    reader = ResponseReader()

    assert [] == reader.feed(cut)
    assert reader.end() is None


def test_nothing_is_left_over_after_a_whole_answer() -> None:
    reader = ResponseReader()
    reader.feed(PLAIN)

    assert reader.end() is None


@pytest.mark.parametrize(
    "content",
    (
        b"PONG\r\n\r\n",
        b"\x00\x01\x02\x03",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ),
)
def test_what_is_not_http_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedResponseError):
        ResponseReader().feed(content)


KEPT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
ALIKE = [
    KEPT + b"ok",
    KEPT + b"no",
    KEPT[:-2] + b"\r\n\n\r",
    b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nokok",
    b"HTTP/1.1 103 Hi\r\n\r\n" + KEPT + b"ok",
    CHUNKED,
    FULL,
]


@given(answers=st.lists(st.sampled_from(ALIKE), min_size=1, max_size=8), data=st.data())
def test_an_answer_with_a_head_seen_before_is_read_as_if_it_were_the_first(
    answers: list[bytes], data: st.DataObject
) -> None:
    reader = ResponseReader()
    for answer in answers:
        cut = data.draw(st.integers(0, len(answer)))
        pieces = [answer[:cut], answer[cut:]] if data.draw(st.booleans()) else [answer]

        assert ResponseReader().feed(answer) == [
            response for piece in pieces if piece for response in reader.feed(piece)
        ]


def test_a_head_seen_before_does_not_end_an_answer_that_is_under_way() -> None:
    reader = ResponseReader()
    reader.feed(KEPT + b"ok")
    inner = KEPT + b"ok"

    assert [] == reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(inner) + 1))
    assert [] == reader.feed(inner)
    assert [inner + b"."] == [response.body for response in reader.feed(b".")]


def test_a_head_seen_before_with_a_body_cut_short_is_not_whole() -> None:
    reader = ResponseReader()
    reader.feed(KEPT + b"ok")

    assert [] == reader.feed(KEPT + b"o")
    assert [b"ok"] == [response.body for response in reader.feed(b"k")]
    with pytest.raises(MalformedResponseError):
        reader.feed(KEPT + b"okx" + KEPT)


def test_only_a_length_in_the_head_says_where_an_answer_ends() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n"
    reader = ResponseReader()

    assert [b"0\r\n\r\n"] == [response.body for response in reader.feed(chunked)]
    with pytest.raises(MalformedResponseError):
        reader.feed(chunked[:-5] + b"zzzzz")
