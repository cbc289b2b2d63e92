"""`modeldyno.loadgen.assignments`: the plan is dealt out whole, each part of it to one sending process."""

import itertools
from pathlib import Path

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.loadgen.assignments import assignments_of
from modeldyno.loadgen.messages import Assignment
from modeldyno.loadgen.wiring import Expectations, PreparedRequest, Wiring
from modeldyno.records.workload import KindShare, Workload
from modeldyno.traffic.replay import Arrivals
from modeldyno.traffic.schedules import planned_moments

OPEN = Workload(
    url="null:", model="digits", arrivals="constant", rate_per_s=200, requests=40, warmup_requests=10, seed=1
)
CLOSED = msgspec.structs.replace(OPEN, rate_per_s=0, warmup_requests=0, concurrency=5)
PREPARED = [PreparedRequest(b"%d" % number, (), rows=number + 1, kind="ab"[number % 2]) for number in range(4)]


def dealt(workload: Workload, wiring: Wiring | None = None) -> list[Assignment]:
    arrivals = Arrivals(np.empty(0, np.int64) if workload.is_closed else planned_moments(workload), None)
    wiring = wiring or Wiring(transport="null")
    target, assignments = assignments_of(workload, PREPARED, arrivals, wiring, Path("run"))
    assert target is None
    return assignments


@given(workers=st.integers(1, 60), requests=st.integers(1, 50), warmup=st.integers(0, 20))
def test_every_moment_of_the_plan_is_in_one_share_and_the_shares_say_which_are_measured(
    workers: int, requests: int, warmup: int
) -> None:
    workload = msgspec.structs.replace(OPEN, workers=workers, requests=requests, warmup_requests=warmup)
    shares = dealt(workload)
    moments = [np.frombuffer(one.planned, "<i8").tolist() for one in shares]

    assert min(workers, requests + warmup) == len(shares) == shares[0].workers
    assert planned_moments(workload).tolist() == sorted(itertools.chain(*moments))
    assert warmup == sum(one.first_measured for one in shares)
    assert all(len(one.choice) // 4 == len(own) for one, own in zip(shares, moments, strict=True))


@given(workers=st.integers(1, 9), users=st.integers(1, 20), requests=st.integers(1, 50))
def test_every_user_of_a_closed_loop_and_every_request_is_in_one_share(workers: int, users: int, requests: int) -> None:
    shares = dealt(msgspec.structs.replace(CLOSED, workers=workers, concurrency=users, requests=requests))

    assert min(workers, users) == len(shares)
    assert users == sum(one.concurrency for one in shares)
    assert requests == sum(one.most_requests for one in shares)
    assert users == sum(one.connections for one in shares)


def test_processes_of_a_closed_loop_begin_at_different_requests() -> None:
    shares = dealt(msgspec.structs.replace(CLOSED, workers=2))

    assert [[0, 1, 2, 3], [1, 2, 3, 0]] == [np.frombuffer(one.choice, "<i4").tolist() for one in shares]


def test_each_process_is_told_all_that_it_may_send_and_what_to_hold_the_answers_against() -> None:
    kinds = (KindShare(kind="b", share=0.5), KindShare(kind="a", share=0.5))
    expectations = Expectations(answers=[b"w", b"x", b"y", b"z"], checked_share=0.25, tolerance=0.1)
    wiring = Wiring(transport="in-process", reader="v2", expectations=expectations, session=b"model")
    for one in dealt(msgspec.structs.replace(OPEN, workers=2, kind_mix=kinds), wiring):
        assert [b"0", b"1", b"2", b"3"] == one.requests
        assert [1, 2, 3, 4] == one.rows
        assert [1, 0, 1, 0] == one.kinds
        assert ([b"w", b"x", b"y", b"z"], 0.25, 0.1) == (one.expected, one.checked_share, one.tolerance)
        assert ("in-process", "v2", b"model") == (one.transport, one.reader, one.session)


def test_without_expectations_nothing_is_checked() -> None:
    assert [[]] == [one.expected for one in dealt(OPEN)]
