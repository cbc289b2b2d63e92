"""Commands and answers of Redis, however the network cuts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.wire.errors import WireError
from modeldyno.wire.resp import RedisError, Reply, ReplyReader, encode_command

REPLIES: list[tuple[bytes, Reply]] = [
    (b"+OK\r\n", b"OK"),
    (b"+\r\n", b""),
    (b"$5\r\nhello\r\n", b"hello"),
    (b"$0\r\n\r\n", b""),
    (b"$4\r\n\r\n\r\n\r\n", b"\r\n\r\n"),
    (b"$-1\r\n", None),
    (b":42\r\n", 42),
    (b":-2\r\n", -2),
    (b"-OOM command not allowed\r\n", RedisError("OOM command not allowed")),
    (b"-\xff\r\n", RedisError("\ufffd")),
]


def test_a_command_is_an_array_of_its_words() -> None:
    assert b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n\r\n\x00\xff\r\n" == encode_command(b"SET", b"k", b"\r\n\x00\xff")


@given(st.lists(st.sampled_from(REPLIES), max_size=8), st.data())
def test_answers_are_the_same_however_they_are_cut(chosen: list[tuple[bytes, Reply]], data: st.DataObject) -> None:
    content = b"".join(one for one, _ in chosen)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=10)))
    reader = ReplyReader(1000)
    read: list[Reply] = []
    for start, stop in zip([0, *cuts], [*cuts, len(content)], strict=True):
        read += reader.feed(content[start:stop])
    assert [reply for _, reply in chosen] == read


def test_the_code_of_an_error_is_its_first_word() -> None:
    assert "WRONGTYPE" == RedisError("WRONGTYPE Operation against a key").code


@pytest.mark.parametrize(
    "content",
    (
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"*1\r\n",
        b"$x\r\n",
        b"$+5\r\n",
        b":1.5\r\n",
        b":\r\n",
        b"$1001\r\n",
        b"$99999999999999999999999\r\n",
        b"$2\r\nabc\r\n",
        b"+" + b"x" * 70_000,
    ),
)
def test_what_is_no_answer_of_redis_is_refused(content: bytes) -> None:
    with pytest.raises(WireError):
        ReplyReader(1000).feed(content)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        replies = ReplyReader(1000).feed(content)
    except WireError:
        return
    assert len(replies) <= len(content)
