import select

from hypothesis import given
from hypothesis import strategies as st

from modeldyno.loadgen.buckets import COUNT
from modeldyno.loadgen.messages import Finished, Frames, FromWorker, Ready, Tally, Unreachable, to_frame
from modeldyno.records.requests import Outcome

TALLIES = st.builds(
    Tally,
    st.integers(0, 2**60),
    st.integers(0, 2**40),
    st.lists(st.integers(0, 2**40), max_size=len(Outcome)),
    st.just([1, 2]),
    st.integers(0, 2**40),
    st.integers(0, 2**40),
)
FINISHED = Finished(
    rows_bytes=7,
    rows=b"\0" * 1000,
    tokens_bytes=0,
    tokens=b"",
    cpu_fraction=0.5,
    connections=3,
    reconnects=1,
    notes=("x",),
)
MESSAGES = st.one_of(TALLIES, st.just(Ready()), st.builds(Unreachable, st.text()), st.just(FINISHED))


@given(messages=st.lists(MESSAGES, max_size=5), data=st.data())
def test_messages_come_back_whole_however_the_pipe_cuts_them(messages: list[FromWorker], data: st.DataObject) -> None:
    stream = b"".join(map(to_frame, messages))
    frames: Frames[FromWorker] = Frames(FromWorker)
    heard: list[FromWorker] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        heard += frames.feed(stream[:size])
        stream = stream[size:]

    assert messages == heard


def test_the_largest_tally_fits_into_a_pipe_whole_or_not_at_all() -> None:
    frame = to_frame(Tally(2**60, 2**40, [2**40] * len(Outcome), [2**32] * COUNT, 2**40, 2**40))

    assert len(frame) <= select.PIPE_BUF
