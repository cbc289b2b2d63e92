"""Equal requests are computed once; whatever becomes of one of them, the others get what they would get alone."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from numpy.typing import NDArray

from modeldyno.protocols import Tensors
from modeldyno.records.deployment import Batching, Cache, Lane
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.server.caching.answers import AnswerCache
from modeldyno.server.call import Answer, Refusal
from modeldyno.testing.gated_service import MS, Asked, GatedService, gated_deployment
from modeldyno.testing.manual_store import ManualStore
from modeldyno.testing.sessions import sum_rows
from modeldyno.wire.v2_request import InferRequest
from modeldyno.wire.v2_wishes import OutputWish

PAIR = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 4)),),
    outputs=tuple(TensorSpec(name=name, datatype="FP32", shape=("batch", 4)) for name in "ab"),
)
CACHE = Cache(max_bytes=10**6, ttl_ns=1000 * MS)


def rows_of(value: float, count: int = 1) -> NDArray[np.float32]:
    return np.full((count, 4), value, np.float32)


def raise_error(_: Tensors) -> dict[str, NDArray[np.generic]]:
    raise ZeroDivisionError


def exhaust_memory(_: Tensors) -> dict[str, NDArray[np.generic]]:
    raise MemoryError


def give_both(inputs: Tensors) -> dict[str, NDArray[np.generic]]:
    x = inputs["x"].astype(np.float32)
    return {"a": x, "b": -x}


def give_nonsense(_: Tensors) -> dict[str, NDArray[np.generic]]:
    return {}


@pytest.fixture
def gated() -> GatedService:
    return GatedService(gated_deployment(Batching(max_rows=8), cache=CACHE))


def computed_of(gated: GatedService) -> int:
    return sum(len(session.batches) for session in gated.sessions)


def test_an_equal_request_is_answered_again_without_a_computation(gated: GatedService) -> None:
    gated.ask(rows_of(1))
    gated.end_batch(gated.sessions[0])
    again = gated.ask(rows_of(1))
    assert ([4.0], None) == (again.values, again.call)
    assert 1 == computed_of(gated)
    gated.close()


def test_concurrent_equal_requests_are_computed_once(gated: GatedService) -> None:
    asked = [gated.ask(rows_of(1)) for _ in range(100)]
    gated.end_batch(gated.sessions[0])
    assert [[4.0]] * 100 == [one.values for one in asked]
    assert [1] == gated.sessions[0].batches
    statistics = gated.service.statistics()
    assert (99, 1, 100, 1) == (
        statistics.cache_hit.count,
        statistics.cache_miss.count,
        statistics.success.count,
        statistics.compute_infer.count,
    )
    gated.close()


def test_an_answer_is_computed_again_when_its_time_is_over(gated: GatedService) -> None:
    gated.ask(rows_of(1))
    gated.end_batch(gated.sessions[0])
    gated.advance_ns(1000 * MS)
    assert gated.ask(rows_of(1)).status is None
    gated.end_batch(gated.sessions[0])
    assert 2 == computed_of(gated)
    gated.close()


def test_of_a_merged_batch_each_answer_is_kept_for_itself(gated: GatedService) -> None:
    gated.ask(rows_of(9))
    merged = [gated.ask(rows_of(value, count)) for value, count in ((1, 2), (2, 1), (3, 3))]
    gated.end_batch(gated.sessions[0])
    gated.end_batch(gated.sessions[0])
    assert [1, 6] == gated.sessions[0].batches
    again = [gated.ask(rows_of(value, count)) for value, count in ((1, 2), (2, 1), (3, 3))]
    assert [[4.0, 4.0], [8.0], [12.0, 12.0, 12.0]] == [one.values for one in merged] == [one.values for one in again]
    gated.close()


def test_of_a_merged_batch_also_those_outputs_are_kept_that_nobody_wanted() -> None:
    gated = GatedService(
        gated_deployment(Batching(max_rows=8), cache=CACHE),
        signature=PAIR,
        compute=give_both,
    )

    def ask(value: float, output: str) -> list[float]:
        rows = rows_of(value)
        wishes = (OutputWish(output, binary=True),)
        replies: list[Answer | Refusal] = []
        gated.service.accept(
            InferRequest({"x": rows}, 1, 4, ((4,),), wishes, None),
            started_ns=gated.clock.now_ns(),
            reply=replies.append,
        )
        gated.settle()
        if not replies:
            return []
        (reply,) = replies
        assert isinstance(reply, Answer)
        content: list[float] = np.frombuffer(reply.body.body[reply.body.header_length :], np.float32).tolist()
        return content

    assert [[], [], []] == [ask(value, "a") for value in (9, 1, 2)]
    gated.end_batch(gated.sessions[0])
    gated.end_batch(gated.sessions[0])
    assert [1, 2] == gated.sessions[0].batches
    assert [-1.0] * 4 == ask(1, "b")
    assert [2.0] * 4 == ask(2, "a")
    gated.close()


def test_an_answer_does_not_change_when_the_model_uses_its_array_again() -> None:
    buffer = np.zeros(1, np.float32)

    def fill(inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        buffer[:] = sum_rows(inputs)["sum"]
        return {"sum": buffer}

    gated = GatedService(gated_deployment(Batching(max_rows=1), cache=CACHE), compute=fill)
    for value in (1, 2):
        gated.ask(rows_of(value))
        gated.end_batch(gated.sessions[0])
    assert [4.0] == gated.ask(rows_of(1)).values
    gated.close()


@pytest.mark.parametrize(("order", "status"), ((raise_error, 500), (exhaust_memory, 503), (give_nonsense, 500)))
def test_an_error_is_told_to_all_who_wait_and_is_not_kept(gated: GatedService, order: object, status: int) -> None:
    asked = [gated.ask(rows_of(1)) for _ in range(3)]
    gated.end_batch(gated.sessions[0], order)  # type: ignore[arg-type]
    assert [status] * 3 == [one.status for one in asked]
    later = gated.ask(rows_of(1))
    gated.end_batch(gated.sessions[0])
    assert [4.0] == later.values
    assert 0 == gated.tally.account().unaccounted
    gated.close()


def test_a_follower_leads_when_the_client_of_the_leader_goes_away(gated: GatedService) -> None:
    busy = gated.ask(rows_of(9))
    leader, *followers = [gated.ask(rows_of(1)) for _ in range(3)]
    gated.cancel(leader)
    gated.end_batch(gated.sessions[0])
    gated.end_batch(gated.sessions[0])
    assert [36.0] == busy.values
    assert [[4.0]] * 2 == [one.values for one in followers]
    assert [1, 1] == gated.sessions[0].batches
    assert leader.status is None
    gated.close()


def test_a_follower_leads_when_the_leader_s_time_is_over(gated: GatedService) -> None:
    gated.ask(rows_of(9))
    leader = gated.ask(rows_of(1), timeout_us=5_000)
    follower = gated.ask(rows_of(1))
    gated.advance_ns(6 * MS)
    assert (504, None) == (leader.status, follower.status)
    gated.end_batch(gated.sessions[0])
    gated.end_batch(gated.sessions[0])
    assert [4.0] == follower.values
    gated.close()


def test_the_time_of_a_follower_ends_before_that_of_its_leader(gated: GatedService) -> None:
    leader = gated.ask(rows_of(1))
    follower = gated.ask(rows_of(1), timeout_us=5_000)
    gated.advance_ns(4 * MS)
    assert (None, None) == (leader.status, follower.status)
    gated.advance_ns(2 * MS)
    assert 504 == follower.status
    gated.end_batch(gated.sessions[0])
    assert [4.0] == leader.values
    gated.close()


def test_a_follower_whose_client_goes_away_is_told_nothing(gated: GatedService) -> None:
    leader, follower = gated.ask(rows_of(1)), gated.ask(rows_of(1))
    gated.cancel(follower)
    gated.end_batch(gated.sessions[0])
    assert ([4.0], None) == (leader.values, follower.status)
    assert 0 == gated.tally.account().unaccounted
    gated.close()


def test_one_of_a_higher_priority_does_not_wait_behind_those_of_the_lower_one() -> None:
    batching = Batching(max_rows=1, lanes=(Lane(), Lane()), default_priority=2)
    gated = GatedService(gated_deployment(batching, cache=CACHE))
    first, other, low = (gated.ask(rows_of(value), priority=2) for value in (9, 8, 1))
    high = gated.ask(rows_of(1), priority=1)
    gated.end_batch(gated.sessions[0])
    gated.end_batch(gated.sessions[0])
    assert ([36.0], [4.0], [4.0]) == (first.values, high.values, low.values)
    assert other.status is None
    gated.end_batch(gated.sessions[0])
    assert 3 == computed_of(gated)
    gated.close()


def test_one_of_a_higher_priority_waits_for_what_is_being_computed() -> None:
    batching = Batching(max_rows=1, lanes=(Lane(), Lane()), default_priority=2)
    gated = GatedService(gated_deployment(batching, cache=CACHE))
    low, high = gated.ask(rows_of(1), priority=2), gated.ask(rows_of(1), priority=1)
    assert 0 == gated.service.queued_calls
    gated.end_batch(gated.sessions[0])
    assert [4.0] == low.values == high.values
    gated.close()


def test_a_full_queue_refuses_neither_what_is_kept_nor_what_is_on_its_way() -> None:
    gated = GatedService(gated_deployment(Batching(max_rows=1), max_queued_rows=1, cache=CACHE))
    gated.ask(rows_of(1))
    gated.end_batch(gated.sessions[0])
    gated.ask(rows_of(2))
    queued = gated.ask(rows_of(3))
    assert 503 == gated.ask(rows_of(4)).status
    assert [4.0] == gated.ask(rows_of(1)).values
    joined, beyond = gated.ask(rows_of(3)), gated.ask(rows_of(3))
    assert (None, 503) == (joined.status, beyond.status)  # those who wait for others are bounded too
    gated.end_batch(gated.sessions[0])
    gated.end_batch(gated.sessions[0])
    assert [12.0] == queued.values == joined.values
    gated.close()


def test_who_waits_for_a_model_that_hangs_is_told_with_the_one_it_waits_for() -> None:
    gated = GatedService(gated_deployment(stall_limit_ns=10 * MS, cache=CACHE))
    asked = [gated.ask(rows_of(1)) for _ in range(2)]
    gated.advance_ns(20 * MS)
    assert [503, 503] == [one.status for one in asked]
    assert 2 == gated.tally.lost
    gated.close()


def test_what_waits_when_the_server_ends_is_lost_and_counted(gated: GatedService) -> None:
    for _ in range(3):
        gated.ask(rows_of(1))
    gated.ask(rows_of(2))
    gated.service.close(0)
    assert (4, 0) == (gated.tally.lost, gated.tally.account().unaccounted)
    gated.close()


def test_a_request_too_large_to_be_kept_is_computed_each_time() -> None:
    gated = GatedService(gated_deployment(cache=Cache(max_bytes=8 * 64)))
    for _ in range(2):
        assert gated.ask(rows_of(1, 5)).status is None
        gated.end_batch(gated.sessions[0])
    assert 2 == computed_of(gated)
    gated.close()


class Fates(RuleBasedStateMachine):
    """Requests of few kinds come, go away, are computed or not, in any order."""

    store: ManualStore | None = None

    def __init__(self) -> None:
        super().__init__()
        batching = Batching(max_rows=2, lanes=(Lane(), Lane(max_queued_rows=3)))
        deployment = gated_deployment(batching, instances=2, max_queued_rows=4, cache=CACHE)
        self.gated = GatedService(deployment, instances=2, store=self.store)
        self.values: list[tuple[Asked, float]] = []

    def busy(self) -> list[int]:
        return [number for number, instance in enumerate(self.gated.sessions) if self.is_busy(number)]

    def is_busy(self, number: int) -> bool:
        session = self.gated.sessions[number]
        return any(one.session is session and one.calls for one in self.gated.working())

    @rule(value=st.integers(0, 2), priority=st.integers(1, 2), timeout_us=st.sampled_from([None, None, 3_000, 20_000]))
    def ask(self, value: int, priority: int, timeout_us: int | None) -> None:
        asked = self.gated.ask(rows_of(value), priority=priority, timeout_us=timeout_us)
        self.values.append((asked, 4.0 * value))

    @precondition(lambda self: self.values)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        asked, _ = data.draw(st.sampled_from(self.values))
        self.gated.cancel(asked)

    @precondition(lambda self: self.busy())
    @rule(data=st.data(), fails=st.sampled_from([False, False, True]))
    def end_batch(self, data: st.DataObject, fails: bool) -> None:  # noqa: FBT001 - hypothesis names it
        number = data.draw(st.sampled_from(self.busy()))
        self.gated.end_batch(self.gated.sessions[number], raise_error if fails else None)

    @rule(duration_ns=st.sampled_from([MS, 10 * MS, 1100 * MS]))
    def wait(self, duration_ns: int) -> None:
        self.gated.advance_ns(duration_ns)

    @invariant()
    def each_is_told_at_most_once_and_nothing_wrong(self) -> None:
        for asked, value in self.values:
            assert len(asked.replies) <= 1
            if asked.status == 200:
                assert [value] == asked.values

    @invariant()
    def the_sums_agree(self) -> None:
        waiting = sum(one.call is not None and not one.call.is_over for one, _ in self.values)
        assert waiting == self.gated.tally.account().unaccounted
        statistics = self.gated.service.statistics()
        assert self.gated.tally.answered == statistics.success.count
        assert statistics.success.count == statistics.compute_infer.count + statistics.cache_hit.count
        parts = (statistics.queue, statistics.compute_input, statistics.compute_infer, statistics.compute_output)
        cache_ns = self.gated.service._counts.own_totals().stages["cache"].total
        assert statistics.success.ns == cache_ns + sum(part.ns for part in parts)
        assert self.store is not None or cache_ns == 0  # a manual clock: finding takes no time

    def teardown(self) -> None:
        while self.store is not None and self.store.waiting:
            self.store.answer()
            self.gated.settle()
        while busy := self.busy():
            self.gated.end_batch(self.gated.sessions[busy[0]])
        flights = self.gated.service._flights
        assert flights is not None
        assert ({}, 0) == (flights.under_way, flights._following_rows)
        assert 0 == self.gated.tally.account().unaccounted
        ends = Counter(one.status for one, _ in self.values if not one.was_cancelled)
        assert set(ends) <= {200, 500, 503, 504}
        self.gated.close()


class SharedFates(Fates):
    """The same with answers that other servers know: from an earlier life, or from a later moment of this one."""

    def __init__(self) -> None:
        self.store: ManualStore = ManualStore()
        super().__init__()

    @precondition(lambda self: self.store.waiting)
    @rule(fails=st.sampled_from([False, False, True]))
    def answer_look(self, fails: bool) -> None:  # noqa: FBT001 - hypothesis names it
        self.store.answer(fails=fails)
        self.gated.settle()

    @rule()
    def lose_and_find_the_store(self) -> None:
        self.store.is_up = not self.store.is_up

    @rule()
    def forget_what_is_kept_here(self) -> None:
        flights = self.gated.service._flights
        assert flights is not None
        flights.cache = AnswerCache(CACHE)


for fates in (Fates, SharedFates):
    fates.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestFates = Fates.TestCase
TestSharedFates = SharedFates.TestCase
