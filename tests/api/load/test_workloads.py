from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modeldyno.api.load.questions.v2 import v2_requests
from modeldyno.api.load.workloads import Shape, distinct_of, replay_of, sizes_of, workload_of
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.errors import DataError, InputError, UsageError
from modeldyno.records.workload import Repeats, parse_row_mix
from modeldyno.testing.null_server import SIGNATURE

S = 1_000_000_000


def write_trace(directory: Path, seconds: list[float]) -> Path:
    path = directory / "trace.csv"
    path.write_text(
        "\n".join(["timestamp,rows", *(f"{moment},{1 + number % 2}" for number, moment in enumerate(seconds))])
    )
    return path


def test_the_rate_of_a_ramp_is_the_mean_of_the_run_and_its_warm_up_has_the_first_one() -> None:
    plan = workload_of(
        "http://x", "m", 500, Shape(arrivals="ramp", from_per_s=100, duration_ns=10 * S, warmup_ns=2 * S)
    )

    assert (300, 3_000, 200) == (plan.rate_per_s, plan.requests, plan.warmup_requests)
    assert (100, 500) == (plan.from_per_s, plan.to_per_s)


def test_a_ramp_begins_with_a_tenth_when_nobody_says_where() -> None:
    assert 50 == workload_of("http://x", "m", 500, Shape(arrivals="ramp")).from_per_s


def test_a_closed_loop_has_as_many_connections_as_users_and_ends_by_time_or_by_number() -> None:
    by_time = workload_of("http://x", "m", 0, Shape(concurrency=32, duration_ns=7 * S))
    by_number = workload_of("http://x", "m", 0, Shape(concurrency=32, requests=100))

    assert by_time.is_closed
    assert ("closed", 32, 32, 7 * S, 0) == (
        by_time.arrivals, by_time.connections, by_time.max_connections, by_time.duration_ns, by_time.requests
    )  # fmt: skip
    assert (0, 100) == (by_number.duration_ns, by_number.requests)


def test_a_mix_of_one_size_is_a_number_of_rows() -> None:
    plan = workload_of("http://x", "m", 5, Shape(row_mix=parse_row_mix("8")))

    assert (8, ()) == (plan.rows_per_request, plan.row_mix)
    assert (8,) == sizes_of(plan)
    assert 8 == plan.mean_rows


def test_a_mix_is_kept_with_its_mean() -> None:
    plan = workload_of("http://x", "m", 5, Shape(row_mix=parse_row_mix("1:0.9,32:0.1")))

    assert (1, 32) == sizes_of(plan)
    assert 4.1 == pytest.approx(plan.mean_rows)


def test_a_replay_takes_its_first_seconds_for_the_warm_up_and_its_sizes_for_the_mix(tmp_path: Path) -> None:
    trace = write_trace(tmp_path, [float(number) for number in range(10)])
    plan, arrivals = replay_of("http://x", "m", trace, Shape(warmup_ns=1 * S, speed=2))

    assert (2, 8) == (plan.warmup_requests, plan.requests)
    assert 2.0 == pytest.approx(plan.rate_per_s)
    assert 4_500_000_000 == arrivals.moments_ns[-1]
    assert (1, 2) == sizes_of(plan)
    assert plan.trace is not None
    assert 2 == plan.trace.speed


def test_a_replay_can_be_cut(tmp_path: Path) -> None:
    trace = write_trace(tmp_path, [float(number) for number in range(10)])
    plan, arrivals = replay_of("http://x", "m", trace, Shape(warmup_ns=0, requests=4))

    assert 4 == plan.requests == len(arrivals.moments_ns)


def test_a_trace_shorter_than_the_warm_up_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leaves 0 requests"):
        replay_of("http://x", "m", write_trace(tmp_path, [0.0, 0.5]), Shape(warmup_ns=1 * S))


def test_a_trace_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        replay_of("http://x", "m", tmp_path / "nope.csv", Shape())


@pytest.mark.parametrize(
    "shape",
    (
        Shape(burstiness=0), Shape(burstiness=float("nan")), Shape(steps=1), Shape(concurrency=-1), Shape(requests=0),
        Shape(speed=-1), Shape(scale=0), Shape(from_per_s=0), Shape(arrivals="replay"), Shape(arrivals="closed"),
    ),
)  # fmt: skip
def test_numbers_that_cannot_be_are_refused(shape: Shape) -> None:
    with pytest.raises(UsageError):
        workload_of("http://x", "m", 10, shape)


def test_requests_of_every_size_are_prepared() -> None:
    prepared = v2_requests("m", synthetic_dataset(SIGNATURE, rows=64, seed=1), SIGNATURE, 1, 32)

    assert [1, 32] == np.unique([request.rows for request in prepared]).tolist()


def test_a_request_larger_than_the_data_is_refused() -> None:
    with pytest.raises(DataError, match="hold 4 rows"):
        v2_requests("m", synthetic_dataset(SIGNATURE, rows=4, seed=1), SIGNATURE, 8)


@pytest.mark.parametrize(
    ("repeats", "words"),
    (
        (Repeats(share=1.0), "a share of 1 of the requests"),
        (Repeats(share=float("nan")), "a share of nan of the requests"),
        (Repeats(share=-0.1), "a share of -0.1 of the requests"),
        (Repeats(share=0.5, pool=0), "pool of 0 questions"),
        (Repeats(share=0.5, exponent=-1.0), "the exponent -1"),
        (Repeats(share=0.5, exponent=float("inf")), "the exponent inf"),
    ),
)
def test_repeats_that_cannot_be_are_refused(repeats: Repeats, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        workload_of("http://x", "m", 10, Shape(repeats=repeats))


def test_a_load_wants_as_many_unlike_requests_as_it_asks_new_ones() -> None:
    plan = workload_of("http://x", "m", 100, Shape(requests=900, repeats=Repeats(share=0.3)))

    assert (700, 500) == (distinct_of(plan, 10_000), distinct_of(plan, 500))
    assert distinct_of(workload_of("http://x", "m", 100, Shape()), 10_000) is None
    closed = workload_of("http://x", "m", 0, Shape(concurrency=2, repeats=Repeats(share=0.3)))
    assert 10_000 == distinct_of(closed, 10_000)


def test_a_trace_that_names_its_questions_says_itself_what_repeats(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("timestamp,question\n0,a\n1,b\n2,a\n3,c\n")
    shape = Shape(warmup_ns=0)

    plan, _ = replay_of("http://x", "m", trace, shape)

    assert plan.trace is not None
    assert 3 == plan.trace.questions
    assert 3 == distinct_of(plan, 10_000)
    with pytest.raises(UsageError, match="says itself how many repeat"):
        replay_of("http://x", "m", trace, replace(shape, repeats=Repeats(share=0.3)))
