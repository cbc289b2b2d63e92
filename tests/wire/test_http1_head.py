from hypothesis import given
from hypothesis import strategies as st

from modeldyno.wire.http1_head import format_server_timing

TIMES = st.integers(-5, 3_000_000)


def slowly(preprocess: int, queue: int, inference: int, postprocess: int, batch: int, padding: int) -> bytes:
    """The same line, each part written alone."""
    parts = {"preprocess": preprocess, "queue": queue, "inference": inference, "postprocess": postprocess}
    parts |= {name: ns for name, ns in (("batch", batch), ("padding", padding)) if ns}
    parts["total"] = preprocess + queue + inference + postprocess
    return f"Server-Timing: {', '.join(f'{name};dur={ns / 1e6:.6f}' for name, ns in parts.items())}\r\n".encode()


@given(TIMES, TIMES, TIMES, TIMES, TIMES | st.just(0), TIMES | st.just(0))
def test_every_time_is_told_in_ms_to_the_ns(
    preprocess: int, queue: int, inference: int, postprocess: int, batch: int, padding: int
) -> None:
    times = (preprocess, queue, inference, postprocess, batch, padding)
    assert slowly(*times) == format_server_timing(times)


@given(*[st.integers(0, 249_999)] * 4, st.integers(0, 1000))
def test_short_times_are_told_alike(a: int, b: int, c: int, d: int, padding: int) -> None:
    assert slowly(a, b, c, d, 0, padding) == format_server_timing((a, b, c, d, 0, padding))
