"""What becomes of calls, step by step, on a clock and a loop that only the test moves."""

import logging
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from numpy.typing import NDArray

from modeldyno.protocols import Tensors
from modeldyno.records.deployment import Batching, Buckets, Lane
from modeldyno.server.call import Refusal
from modeldyno.testing.gated_service import MS, GatedService, GatedSession, gated_deployment
from modeldyno.testing.sessions import echo_signature, sum_rows

Outputs = dict[str, NDArray[np.generic]]
Gated = Callable[..., GatedService]


def row(value: float, count: int = 1) -> NDArray[np.float32]:
    return np.full((count, 4), value, np.float32)


def fail(_inputs: Tensors) -> Outputs:
    raise ZeroDivisionError


def run_out_of_memory(_inputs: Tensors) -> Outputs:
    raise MemoryError


def leave(_inputs: Tensors) -> Outputs:
    raise SystemExit


def answer_too_few(inputs: Tensors) -> Outputs:
    return {"sum": sum_rows(inputs)["sum"][1:]}


def answer_nothing(_inputs: Tensors) -> Outputs:
    return cast("Outputs", None)


@pytest.fixture
def gated() -> Iterator[Gated]:
    made: list[GatedService] = []

    def make(*arguments: Any, **settings: Any) -> GatedService:
        made.append(GatedService(*arguments, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()
        assert one.tally.account().unaccounted == 0


@pytest.fixture
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


def test_a_queued_call_expires_at_its_deadline_and_does_not_harm_its_batch(gated: Gated) -> None:
    house = gated()
    (session,) = house.sessions
    first = house.ask(row(1))
    early, mate = house.ask(row(2), timeout_us=5_000), house.ask(row(3))
    house.advance_ns(5 * MS - 1)
    assert [] == early.replies
    house.advance_ns(MS)
    (reply,) = early.replies
    assert isinstance(reply, Refusal)
    assert reply.status == 504
    assert "waiting for an instance" in reply.message
    house.end_batch(session)
    house.end_batch(session)
    assert ([4.0], [12.0]) == (first.values, mate.values)
    assert [1, 1] == session.batches
    assert (3, 2, 1) == (house.tally.accepted, house.tally.answered, house.tally.expired)


def test_a_computing_call_expires_at_its_deadline_its_result_is_dropped_and_its_batch_answered(gated: Gated) -> None:
    house = gated()
    (session,) = house.sessions
    first = house.ask(row(1))
    impatient, mate = house.ask(row(2, 2), timeout_us=20_000), house.ask(row(3))
    house.end_batch(session)
    house.advance_ns(30 * MS)
    assert (504, None) == (impatient.status, mate.status)
    house.end_batch(session)
    assert (504, [12.0]) == (impatient.status, mate.values)
    assert [1, 3] == session.batches
    assert first.status == 200


def test_a_cancelled_call_never_harms_its_batch_and_is_never_told(gated: Gated) -> None:
    house = gated()
    (session,) = house.sessions
    first = house.ask(row(1))
    queued, computed, mate = house.ask(row(2)), house.ask(row(3)), house.ask(row(4))
    house.cancel(queued)
    house.end_batch(session)
    house.cancel(computed)
    house.cancel(first)  # it was answered: there is nothing to cancel
    house.end_batch(session)
    assert ([4.0], [16.0]) == (first.values, mate.values)
    assert (None, None) == (queued.status, computed.status)
    assert [1, 2] == session.batches
    assert (4, 2, 2) == (house.tally.accepted, house.tally.answered, house.tally.cancelled)


def test_the_first_of_all_deadlines_counts(gated: Gated) -> None:
    house = gated(gated_deployment(timeout_ns=50 * MS))
    now_ns = house.clock.now_ns()
    calls = [
        house.ask(row(1)),
        house.ask(row(1), timeout_us=10_000),
        house.ask(row(1), timeout_us=90_000),
        house.ask(row(1), deadline_ns=now_ns + 20 * MS, timeout_us=30_000),
    ]
    expected = [now_ns + ms * MS for ms in (50, 10, 50, 20)]
    assert expected == [asked.call.deadline_ns for asked in calls if asked.call is not None]


def test_a_lane_has_its_own_timeout_and_its_own_limit(gated: Gated) -> None:
    lanes = (Lane(timeout_ns=9 * MS), Lane(max_queued_rows=2))
    house = gated(gated_deployment(Batching(max_rows=4, lanes=lanes, default_priority=2), timeout_ns=50 * MS))
    house.ask(row(0))
    low = [house.ask(row(1)) for _ in range(3)]
    high = house.ask(row(2), priority=1)
    assert [None, None, 503] == [asked.status for asked in low]
    assert high.status is None
    house.advance_ns(9 * MS)
    assert [504, None] == [asked.status for asked in (high, low[0])]


def test_a_higher_priority_overtakes_whoever_waits(gated: Gated) -> None:
    house = gated(gated_deployment(Batching(max_rows=2, lanes=(Lane(), Lane()), default_priority=2)))
    (session,) = house.sessions
    house.ask(row(0))
    low = [house.ask(row(1)), house.ask(row(2)), house.ask(row(3))]
    high = house.ask(row(9), priority=1)
    house.end_batch(session)
    house.end_batch(session)
    assert [200, 200, None, None] == [asked.status for asked in (high, *low)]


def test_what_cannot_meet_its_deadline_is_refused_at_once(gated: Gated) -> None:
    house = gated(gated_deployment(Batching(max_rows=1)))
    (session,) = house.sessions
    house.ask(row(0))
    house.end_batch(session, after_ns=100 * MS)  # now it is known: 100 ms a row
    busy, queued = house.ask(row(1)), house.ask(row(2))
    late = house.ask(row(3), timeout_us=250_000)
    in_time = house.ask(row(4), timeout_us=450_000)
    assert [None, None, 503, None] == [asked.status for asked in (busy, queued, late, in_time)]
    reply = late.replies[0]
    assert isinstance(reply, Refusal)
    assert "what waits already would take longer than the 250.000 ms" in reply.message
    assert reply.retry_after_s == 1
    assert 504 == house.ask(row(5), deadline_ns=house.clock.now_ns()).status
    assert 2 == house.tally.refused


def test_company_is_waited_for_half_of_the_time_that_is_left_at_most(gated: Gated) -> None:
    house = gated(gated_deployment(Batching(max_rows=8, max_delay_ns=100 * MS)))
    (session,) = house.sessions
    asked = house.ask(row(1), timeout_us=10_000)
    house.advance_ns(5 * MS)
    house.end_batch(session)
    assert [4.0] == asked.values


@pytest.mark.usefixtures("_quiet")
def test_only_the_request_at_fault_fails_when_its_batch_does(gated: Gated) -> None:
    def choke(inputs: Tensors) -> Outputs:
        if (inputs["x"] == 2).any():
            raise ValueError
        return sum_rows(inputs)

    house = gated(compute=choke)
    (session,) = house.sessions
    house.ask(row(0))
    asked = [house.ask(row(1)), house.ask(row(2)), house.ask(row(3))]
    gone = house.ask(row(4))
    house.end_batch(session)
    house.end_batch(session)
    house.cancel(gone)
    for _ in asked:
        house.end_batch(session)
    assert [200, 500, 200] == [one.status for one in asked]
    assert [1, 4, 1, 1, 1] == session.batches


@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize(
    ("order", "status"),
    ((fail, 500), (leave, 500), (answer_too_few, 500), (answer_nothing, 500), (run_out_of_memory, 503)),
)
def test_after_a_fault_the_next_batch_is_computed(
    gated: Gated, order: Callable[[Tensors], Outputs], status: int
) -> None:
    house = gated()
    (session,) = house.sessions
    bad, good = house.ask(row(1)), house.ask(row(2, 2))
    house.end_batch(session, order)
    house.end_batch(session)
    assert status == bad.status
    assert [8.0, 8.0] == good.values
    assert (1, 1) == (house.tally.failed, house.tally.answered)


@pytest.mark.usefixtures("_quiet")
def test_an_answer_that_cannot_be_given_does_not_keep_its_batch_from_theirs(gated: Gated) -> None:
    house = gated()
    (session,) = house.sessions
    house.ask(row(0))
    broken, mate = house.ask(row(1)), house.ask(row(2))
    assert broken.call is not None

    def hang_up(_reply: object) -> None:
        raise ConnectionResetError

    broken.call.reply = hang_up
    house.end_batch(session)
    house.end_batch(session)
    assert [8.0] == mate.values


@pytest.mark.usefixtures("_quiet")
def test_a_hanging_instance_is_given_up_and_replaced(gated: Gated) -> None:
    house = gated(gated_deployment(stall_limit_ns=1000 * MS), opens_more=True)
    (hanging,) = house.sessions
    stuck, waiting = house.ask(row(1)), house.ask(row(2))
    house.advance_ns(1000 * MS - 1)
    assert (1, None) == (len(house.working()), stuck.status)
    house.advance_ns(MS)
    assert (503, None) == (stuck.status, waiting.status)
    house.wait_for_thread()  # the new session
    assert house.service.is_able
    house.end_batch(house.sessions[1])
    assert [8.0] == waiting.values
    hanging.orders.put(None)  # it ends after all: nobody waits for that, and it gets no work any more
    house.wait_for_thread()
    assert 1 == len(house.working())
    assert (2, 1, 1) == (house.tally.accepted, house.tally.answered, house.tally.lost)
    house.close()
    assert house.sessions[1].is_closed
    assert not hanging.is_closed  # whoever opened it closes it


@pytest.mark.usefixtures("_quiet")
def test_without_a_replacement_the_model_is_not_able_until_its_session_ends_after_all(gated: Gated) -> None:
    house = gated(gated_deployment(stall_limit_ns=1000 * MS))
    stuck, waiting = house.ask(row(1)), house.ask(row(2))
    house.advance_ns(1001 * MS)
    refused = house.ask(row(3))
    assert not house.service.is_able
    assert (503, 503, 503) == (stuck.status, waiting.status, refused.status)
    house.sessions[0].orders.put(None)
    house.wait_for_thread()
    again = house.ask(row(4))
    house.end_batch(house.sessions[0])
    assert [16.0] == again.values


@pytest.mark.usefixtures("_quiet")
def test_a_session_that_cannot_be_opened_is_tried_again_later_and_later(gated: Gated) -> None:
    house = gated(gated_deployment(stall_limit_ns=1000 * MS))
    attempts: list[int] = []

    def refuse() -> GatedSession:
        attempts.append(house.clock.now_ns())
        raise OSError

    house.service._batcher._instances._open_session = refuse
    house.ask(row(1))
    house.advance_ns(1000 * MS)
    for wait_ms in (1000, 2000, 4000):
        house.wait_for_thread()
        house.advance_ns(wait_ms * MS)
    house.wait_for_thread()
    steps = [later - earlier for earlier, later in pairwise(attempts)]
    assert [1000 * MS, 2000 * MS, 4000 * MS] == steps


def test_thousands_of_calls_that_are_cancelled_leave_nothing_behind(gated: Gated) -> None:
    house = gated(gated_deployment(Batching(max_rows=8), max_queued_rows=10_000))
    (session,) = house.sessions
    first = house.ask(row(1))
    crowd = [house.ask(row(2), timeout_us=10**9) for _ in range(5000)]
    for asked in reversed(crowd):
        house.cancel(asked)
    assert 0 == house.service.queued_calls
    house.end_batch(session)
    assert [4.0] == first.values
    assert (5001, 5000, 1) == (house.tally.accepted, house.tally.cancelled, house.tally.answered)
    assert 0 == len(house.service._batcher._deadlines)


PADDED = Batching(max_rows=8, buckets=(Buckets(dimension="seq", sizes=(4, 8)),))


def test_requests_of_unlike_sizes_are_padded_into_one_batch_and_the_waste_is_counted(gated: Gated) -> None:
    def double(inputs: Tensors) -> Outputs:
        return {"y": 2 * np.asarray(inputs["x"], np.float32)}

    house = gated(gated_deployment(PADDED), signature=echo_signature("FP32", ("batch", "seq")), compute=double)
    (session,) = house.sessions
    alone = house.ask(np.ones((1, 3), np.float32))
    asked = [house.ask(np.full((rows, size), size, np.float32)) for rows, size in ((1, 2), (2, 3), (1, 5), (1, 9))]
    for _ in range(4):
        house.end_batch(session)
    assert [2.0] * 3 == alone.values
    assert [[4.0] * 2, [6.0] * 6, [10.0] * 5, [18.0] * 9] == [one.values for one in asked]
    assert [1, 3, 1, 1] == session.batches  # 5 and 9 are in other buckets than 2 and 3
    found = house.service._counts.own_totals()
    assert (3 + 9 + 5 + 9, 1) == (found.elements, found.padding_elements)


class Fates(RuleBasedStateMachine):
    """Requests, cancellations, deadlines, faults and hanging sessions in any order: every call ends, once."""

    @initialize(
        instances=st.integers(1, 3),
        delay_ms=st.sampled_from([0, 0, 3]),
        lanes=st.integers(0, 2),
        max_rows=st.integers(1, 6),
        opens_more=st.booleans(),
    )
    def begin(self, instances: int, delay_ms: int, lanes: int, max_rows: int, *, opens_more: bool) -> None:
        batching = Batching(max_rows=max_rows, max_delay_ns=delay_ms * MS, lanes=(Lane(),) * lanes)
        self.house = GatedService(
            gated_deployment(batching, instances=instances, max_queued_rows=12, stall_limit_ns=500 * MS),
            instances=instances,
            opens_more=opens_more,
        )
        self.given_up = 0
        self.opens_more = opens_more
        self.replacements = 3 * instances if opens_more else 0

    @rule(rows=st.integers(1, 4), priority=st.integers(0, 2), timeout_ms=st.none() | st.integers(1, 40))
    def ask(self, rows: int, priority: int, timeout_ms: int | None) -> None:
        number = len(self.house.asked)
        timeout_us = None if timeout_ms is None else timeout_ms * 1000
        self.house.ask(row(number, rows), priority=priority, timeout_us=timeout_us)
        self.settle()

    @precondition(lambda self: self.house.asked)
    @rule(index=st.integers(0, 99))
    def cancel(self, index: int) -> None:
        self.house.cancel(self.house.asked[index % len(self.house.asked)])

    @rule(ms=st.integers(1, 30))
    def wait(self, ms: int) -> None:
        self.house.advance_ns(ms * MS)
        self.settle()

    @rule(index=st.integers(0, 9), order=st.sampled_from([None, None, fail, run_out_of_memory, answer_too_few]))
    def end(self, index: int, order: Callable[[Tensors], Outputs] | None) -> None:
        busy = [instance for instance in self.house.working() if instance.calls]
        if busy:
            session = busy[index % len(busy)].session
            assert isinstance(session, GatedSession)
            self.house.advance_ns(MS)
            self.settle()
            session.orders.put(order)
            self.house.wait_for_thread()

    @rule()
    def hang(self) -> None:
        self.house.advance_ns(501 * MS)
        self.settle()

    def settle(self) -> None:
        """Wait for the sessions that are being opened in place of those that were just given up."""
        while self.house.service._batcher._instances._missing:
            self.house.wait_for_thread()

    @invariant()
    def every_call_ends_at_most_once_with_its_own_answer(self) -> None:
        if not hasattr(self, "house"):
            return
        for number, asked in enumerate(self.house.asked):
            if asked.was_cancelled:
                assert [] == asked.replies
            assert len(asked.replies) <= 1
            if asked.status == 200:
                assert [4.0 * number] * asked.request.rows == asked.values

    @invariant()
    def the_sums_agree(self) -> None:
        if not hasattr(self, "house"):
            return
        house = self.house
        accepted = [asked for asked in house.asked if asked.call is not None]
        on_their_way = [asked for asked in accepted if asked.call is not None and not asked.call.is_over]
        assert len(on_their_way) == house.tally.account().unaccounted
        assert all(asked.replies or asked.was_cancelled or asked in on_their_way for asked in house.asked)
        told = [asked.status for asked in accepted]
        assert told.count(200) == house.tally.answered == house.service.statistics().success.count
        assert told.count(504) == house.tally.expired
        failures = house.tally.expired + house.tally.failed + house.tally.lost
        assert failures == house.service.statistics().fail.count

    def teardown(self) -> None:
        if hasattr(self, "house"):
            self.house.close()
            assert 0 == self.house.tally.account().unaccounted


Fates.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestFates = pytest.mark.usefixtures("_quiet")(Fates.TestCase)
