from hypothesis import given
from hypothesis import strategies as st

from modeldyno.loadgen.messages import Finished, Frames, FromWorker, Ready, Unreachable, to_frame

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
MESSAGES = st.one_of(st.just(Ready()), st.builds(Unreachable, st.text()), st.just(FINISHED))


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
