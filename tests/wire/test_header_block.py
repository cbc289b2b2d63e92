import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.wire.header_block import BlockReader, encode_block
from modeldyno.wire.http1_response import MalformedResponseError

NAMES = st.text("abcdefghijklmnopqrstuvwxyz-_.0123456789", min_size=1, max_size=20)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=10, unique_by=lambda header: header[0])


@given(headers=HEADERS, again=HEADERS)
def test_a_block_means_the_same_to_any_decoder_whatever_came_before(
    headers: list[tuple[str, str]], again: list[tuple[str, str]]
) -> None:
    decoder = hpack.Decoder()
    decoder.decode(encode_block(again))

    expected = [(name.encode(), value.encode()) for name, value in headers]
    assert expected == [tuple(header) for header in decoder.decode(encode_block(headers), raw=True)]


@given(headers=HEADERS)
def test_a_block_is_read_the_same_the_first_and_the_second_time(headers: list[tuple[str, str]]) -> None:
    reader = BlockReader()
    block = encode_block(headers)
    expected = {name.encode(): value.encode() for name, value in headers}

    assert expected == reader.decode(block)
    assert expected == reader.decode(block)


def test_what_another_encoder_compresses_without_a_table_is_understood() -> None:
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    headers = [(":status", "200"), ("content-type", "application/grpc"), ("x-long", "a" * 500)]
    reader = BlockReader()

    first, second = encoder.encode(headers), encoder.encode(headers)

    assert first != second  # the first one says that the table is gone
    assert reader.decode(first) == reader.decode(second)
    assert b"application/grpc" == reader.decode(second)[b"content-type"]


def test_values_of_a_repeated_header_are_joined() -> None:
    assert b"1, 2" == BlockReader().decode(encode_block([("x-a", "1"), ("x-a", "2")]))[b"x-a"]


def test_a_block_that_needs_a_table_breaks_the_agreement() -> None:
    encoder = hpack.Encoder()
    headers = [("x-a", "1")]
    reader = BlockReader()
    reader.decode(encoder.encode(headers))  # to be kept for the next one, which is allowed as long as nobody does

    with pytest.raises(MalformedResponseError):
        reader.decode(encoder.encode(headers))


@given(block=st.binary(max_size=200))
def test_any_bytes_are_headers_or_malformed(block: bytes) -> None:
    try:
        headers = BlockReader().decode(block)
    except MalformedResponseError:
        return

    assert len(headers) <= len(block)


def test_a_server_whose_every_answer_differs_does_not_fill_the_memory() -> None:
    reader = BlockReader()
    for number in range(1_000):
        reader.decode(encode_block([("x-number", str(number))]))

    assert len(reader._known) <= 256
