import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from modeldyno.wire.sse import EventReader


def _read(*pieces: bytes) -> list[bytes]:
    reader = EventReader()
    return [event for piece in pieces for event in reader.feed(piece)]


def test_one_event_is_its_data() -> None:
    assert [b'{"a": 1}'] == _read(b'data: {"a": 1}\n\n')


def test_several_events_in_one_read_come_in_order() -> None:
    assert [b"1", b"2", b"[DONE]"] == _read(b"data: 1\n\ndata: 2\n\ndata: [DONE]\n\n")


def test_the_blank_after_the_colon_may_be_missing_and_only_one_is_taken_off() -> None:
    assert [b"1", b" 2"] == _read(b"data:1\n\ndata:  2\n\n")


def test_comments_names_ids_and_unknown_fields_are_read_over() -> None:
    assert [b"1"] == _read(b": keep-alive\n\nevent: token\nid: 7\nretry: 10\nfoo: bar\ndata: 1\n\n")


def test_data_of_several_lines_is_joined_by_line_feeds() -> None:
    assert [b"YHOO\n+2\n10"] == _read(b"data: YHOO\ndata: +2\ndata: 10\n\n")


def test_an_event_without_data_is_none_but_one_with_empty_data_is_one() -> None:
    # The third example of the standard's section 9.2.6: two events, and one that never ended.
    assert [b"", b"\n"] == _read(b"data\n\ndata\ndata\n\ndata:")


def test_a_byte_order_mark_is_taken_off_the_first_line_only() -> None:
    assert [b"1"] == _read(b"\xef\xbb\xbfdata: 1\n\n\xef\xbb\xbfdata: 2\n\n")


def test_an_event_that_no_blank_line_ended_is_told_at_the_end() -> None:
    reader = EventReader()
    assert [] == reader.feed(b"data: [DONE]")
    assert b"[DONE]" == reader.end()
    assert reader.end() is None


def test_nothing_is_left_after_a_whole_event() -> None:
    reader = EventReader()
    reader.feed(b"data: 1\n\n")
    assert reader.end() is None


def test_a_line_feed_that_belongs_to_a_carriage_return_of_the_read_before_ends_no_second_line() -> None:
    assert [b"1\n2"] == _read(b"data: 1\r", b"\ndata: 2\r", b"\n\r", b"\n")


@given(
    events=st.lists(st.text().map(json.dumps), max_size=6),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    note=st.sampled_from(["", ": ping"]),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_where_the_bytes_are_cut_changes_nothing(events: list[str], end: str, note: str, cuts: list[int]) -> None:
    stream = "".join(f"{note}{end}data: {event}{end}{end}" for event in events).encode()
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:stop] for start, stop in itertools.pairwise(edges)]
    assert [event.encode() for event in events] == _read(*pieces)
