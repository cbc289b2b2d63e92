"""Requests whose answer is looked for at other servers: whatever comes back, and whenever, they get what is theirs."""

import numpy as np
import pytest

from modeldyno.records.deployment import Batching, Cache, Lane
from modeldyno.server.call import Refusal
from modeldyno.server.metrics.totals import CacheTotals
from modeldyno.testing.gated_service import MS, GatedService, gated_deployment
from modeldyno.testing.manual_store import ManualStore

CACHE = Cache(max_bytes=10**6, ttl_ns=1000 * MS)


def rows_of(value: float, count: int = 1) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    return np.full((count, 4), value, np.float32)


def gated_with(store: ManualStore, batching: Batching | None = None, *, max_queued_rows: int = 4096) -> GatedService:
    deployment = gated_deployment(batching or Batching(max_rows=8), max_queued_rows=max_queued_rows, cache=CACHE)
    return GatedService(deployment, store=store)


def totals_of(gated: GatedService) -> CacheTotals:
    return gated.service._counts.own_totals().cache


def teach(store: ManualStore, *values: float) -> None:
    """Let another server answer these, and share its answers."""
    other = gated_with(store)
    for value in values:
        other.ask(rows_of(value))
        store.answer()
        other.settle()
        other.end_batch(other.sessions[0])
    other.close()


def batches_of(gated: GatedService) -> int:
    return sum(len(session.batches) for session in gated.sessions)


@pytest.fixture
def store() -> ManualStore:
    return ManualStore()


@pytest.fixture
def gated(store: ManualStore) -> GatedService:
    return gated_with(store)


def test_what_another_server_computed_is_not_computed_again(store: ManualStore, gated: GatedService) -> None:
    teach(store, 1)
    asked = gated.ask(rows_of(1))
    assert (None, 1, 0) == (asked.status, gated.service.in_progress, gated.service.queued_calls)
    store.answer()
    assert ([4.0], 0) == (asked.values, batches_of(gated))
    again = gated.ask(rows_of(1))
    assert ([4.0], 2) == (again.values, store.looks)  # one by whoever computed it, one here
    statistics = gated.service.statistics()
    assert (2, 0, 2) == (statistics.cache_hit.count, statistics.cache_miss.count, statistics.success.count)
    assert statistics.cache_saved_ns > 0
    assert (1, 0, 0) == (totals_of(gated).shared_hits, totals_of(gated).shared_misses, totals_of(gated).shared_errors)
    gated.close()


def test_what_nobody_computed_is_computed_and_shared(store: ManualStore, gated: GatedService) -> None:
    asked = gated.ask(rows_of(1))
    gated.advance_ns(3 * MS)
    store.answer()
    gated.settle()
    gated.end_batch(gated.sessions[0])
    assert ([4.0], 1) == (asked.values, len(store.contents))
    totals = totals_of(gated)
    assert (0, 1, 1, 0, 3 * MS) == (
        totals.shared_hits,
        totals.shared_misses,
        totals.shared,
        totals.unshared,
        totals.look_ns,
    )
    assert 1 == gated.service.statistics().cache_miss.count
    gated.close()


def test_equal_requests_wait_for_one_look_and_one_computation(store: ManualStore, gated: GatedService) -> None:
    asked = [gated.ask(rows_of(1)) for _ in range(5)]
    assert (1, 5) == (store.waiting, gated.service.in_progress)
    store.answer()
    gated.settle()
    asked += [gated.ask(rows_of(1)) for _ in range(5)]
    gated.end_batch(gated.sessions[0])
    assert [[4.0]] * 10 == [one.values for one in asked]
    assert (1, 1) == (store.looks, batches_of(gated))
    gated.close()


def test_all_who_wait_for_a_look_get_what_it_finds(store: ManualStore, gated: GatedService) -> None:
    teach(store, 1)
    asked = [gated.ask(rows_of(1)) for _ in range(5)]
    store.answer()
    assert [[4.0]] * 5 == [one.values for one in asked]
    assert (5, 0) == (gated.service.statistics().cache_hit.count, gated.service.in_progress)
    gated.close()


@pytest.mark.parametrize("fails", (False, True))
def test_a_look_that_fails_is_a_miss(store: ManualStore, gated: GatedService, *, fails: bool) -> None:
    teach(store, 1)
    if not fails:
        store.contents.clear()
    asked = gated.ask(rows_of(1))
    store.answer(fails=fails)
    gated.settle()
    gated.end_batch(gated.sessions[0])
    assert [4.0] == asked.values
    assert int(fails) == totals_of(gated).shared_errors
    gated.close()


def test_without_a_connection_nobody_waits(store: ManualStore, gated: GatedService) -> None:
    store.is_up = False
    asked = gated.ask(rows_of(1))
    assert gated.sessions[0].batches or gated.service.in_progress == 1
    gated.end_batch(gated.sessions[0])
    totals = totals_of(gated)
    assert ([4.0], 0, 1, 1) == (asked.values, store.looks, totals.shared_errors, totals.unshared)
    gated.close()


def test_the_next_one_waits_on_when_the_client_of_the_first_goes_away(store: ManualStore, gated: GatedService) -> None:
    first, second = gated.ask(rows_of(1)), gated.ask(rows_of(1))
    gated.cancel(first)
    assert 1 == gated.service.in_progress
    store.answer()
    gated.settle()
    gated.end_batch(gated.sessions[0])
    assert (None, [4.0]) == (first.status, second.values)
    assert 0 == gated.tally.account().unaccounted
    gated.close()


def test_nothing_is_computed_when_all_clients_are_gone_before_the_answer_to_the_look(
    store: ManualStore, gated: GatedService
) -> None:
    asked = [gated.ask(rows_of(1)) for _ in range(2)]
    for one in asked:
        gated.cancel(one)
    assert 0 == gated.service.in_progress
    store.answer()
    gated.settle()
    assert [None, None] == [one.status for one in asked]
    assert (0, 0) == (batches_of(gated), gated.service.in_progress)
    gated.close()


def test_one_that_comes_after_those_are_gone_has_a_look_of_its_own(store: ManualStore, gated: GatedService) -> None:
    gated.cancel(gated.ask(rows_of(1)))
    later = gated.ask(rows_of(1))
    assert 2 == store.waiting
    store.answer()  # for nobody
    assert (None, 1) == (later.status, gated.service.in_progress)
    store.answer()
    gated.settle()
    gated.end_batch(gated.sessions[0])
    assert [4.0] == later.values
    gated.close()


def test_time_goes_on_while_it_is_looked_for(store: ManualStore, gated: GatedService) -> None:
    hurried, patient = gated.ask(rows_of(1), timeout_us=5_000), gated.ask(rows_of(1))
    gated.advance_ns(6 * MS)
    assert (504, None) == (hurried.status, patient.status)
    (reply,) = hurried.replies
    assert isinstance(reply, Refusal)
    assert "5.000 ms, the request waiting for the answer to an equal one" in reply.message
    store.answer()
    gated.settle()
    gated.end_batch(gated.sessions[0])
    assert [4.0] == patient.values
    assert (1, 0) == (gated.tally.expired, gated.tally.account().unaccounted)
    gated.close()


def test_one_that_cannot_be_in_time_after_the_look_is_told_at_once(store: ManualStore, gated: GatedService) -> None:
    asked = gated.ask(rows_of(1), deadline_ns=gated.clock.now_ns() + MS // 2)
    gated.clock.sleep_until_ns(gated.clock.now_ns() + MS // 2)  # no timer has rung yet
    store.answer()
    gated.settle()
    assert (504, 1, 0) == (asked.status, gated.tally.expired, gated.service.in_progress)
    gated.close()


def test_a_queue_that_is_full_after_the_look_refuses_all_who_wait(store: ManualStore) -> None:
    gated = gated_with(store, Batching(max_rows=1), max_queued_rows=2)
    store.is_up = False
    for value in (7, 8, 9):
        gated.ask(rows_of(value))
    store.is_up = True
    asked = [gated.ask(rows_of(1)) for _ in range(3)]
    store.answer()
    gated.settle()
    assert [503, 503, 503] == [one.status for one in asked]
    assert (3, 0) == (gated.tally.failed, gated.tally.account().unaccounted - 3)
    gated.close()


def test_one_of_a_higher_priority_leads_after_the_look(store: ManualStore) -> None:
    gated = gated_with(store, Batching(max_rows=1, lanes=(Lane(), Lane()), default_priority=2))
    store.is_up = False
    busy, other = gated.ask(rows_of(9)), gated.ask(rows_of(8))
    store.is_up = True
    low, high = gated.ask(rows_of(1), priority=2), gated.ask(rows_of(1), priority=1)
    store.answer()
    gated.settle()
    gated.end_batch(gated.sessions[0])
    gated.end_batch(gated.sessions[0])
    assert ([36.0], None, [4.0], [4.0]) == (busy.values, other.status, low.values, high.values)
    gated.end_batch(gated.sessions[0])
    gated.close()


@pytest.mark.parametrize("reason", ("", "the model is unloaded"))
def test_what_waits_for_a_look_when_the_server_ends_is_lost_and_counted(
    store: ManualStore, gated: GatedService, reason: str
) -> None:
    teach(store, 2)
    asked = [gated.ask(rows_of(value)) for value in (1, 1, 2)]
    gated.service.close(0, reason)
    while store.waiting:
        store.answer()
    gated.loop.run()
    assert [503 if reason else None] * 3 == [one.status for one in asked]
    assert (3, 0) == (gated.tally.lost, gated.tally.account().unaccounted)
    assert 0 == gated.service._batcher.in_progress  # nothing is computed for nobody
    gated.close()


def test_an_answer_is_not_given_for_longer_because_it_passed_through_a_store(
    store: ManualStore, gated: GatedService
) -> None:
    teach(store, 1)
    store.left_ms = 400  # of 1000
    gated.ask(rows_of(1))
    store.answer()
    gated.advance_ns(399 * MS)
    assert [4.0] == gated.ask(rows_of(1)).values
    gated.advance_ns(MS)
    assert gated.ask(rows_of(1)).status is None
    gated.close()
