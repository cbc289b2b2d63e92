import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.loadgen.server_timing import ServerTimes, parse_server_timing


def test_milliseconds_become_nanoseconds_in_the_order_of_the_rows() -> None:
    value = b"total;dur=3.9, queue;dur=1, preprocess;dur=0.25, inference;dur=2.5, postprocess;dur=0.000001"

    assert ServerTimes(250_000, 1_000_000, 2_500_000, 1, 3_900_000) == parse_server_timing(value)


@pytest.mark.parametrize(
    "value",
    (
        b"", b"queue", b"queue;dur=", b"queue;dur=-1", b"queue;dur=fast", b"queue;dur=nan", b"xqueue;dur=1",
        b"Queue;dur=1", b"queue;desc=dur", b",,,", b"queue;dur=99999999999999999999", b"queue;dur=1e3",
    ),
)  # fmt: skip
def test_what_is_not_a_duration_is_not_reported(value: bytes) -> None:
    assert ServerTimes(-1, -1, -1, -1, -1) == parse_server_timing(value)


def test_metrics_of_others_and_quotes_do_not_disturb() -> None:
    value = b'cache;desc="hit";dur=9 , queue ; dur="1.5",db;dur=3'

    assert ServerTimes(-1, 1_500_000, -1, -1, -1) == parse_server_timing(value)


@given(value=st.binary(max_size=200))
def test_no_header_breaks_it(value: bytes) -> None:
    assert all(-1 <= time_ns < 2**62 for time_ns in parse_server_timing(value))
