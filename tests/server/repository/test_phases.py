"""A change in two phases, as several processes make it together: all prepare, and only when all can do they commit."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from tests.server.shelf import BrokenError, Shelf

from modeldyno.records.server import ServerSettings
from modeldyno.server.call import Refusal
from modeldyno.server.plane import Plane
from modeldyno.server.repository.lifecycle import Lifecycle, Prepared
from modeldyno.testing.clock import ManualClock
from modeldyno.testing.manual_loop import ManualLoop
from modeldyno.testing.running_server import make_model


class House(NamedTuple):
    shelf: Shelf
    loop: ManualLoop
    plane: Plane
    lifecycle: Lifecycle

    def prepare(self, name: str = "sums") -> list[Prepared | Refusal]:
        """What `done` was called with, sooner or later."""
        outcomes: list[Prepared | Refusal] = []
        self.lifecycle.prepare(name, outcomes.append)
        return outcomes

    def prepared(self) -> Prepared:
        outcomes = self.prepare()
        self.loop.wait_for_thread()
        (outcome,) = outcomes
        assert isinstance(outcome, Prepared)
        return outcome

    def served(self) -> list[str]:
        return self.plane.versions("sums")


@pytest.fixture
def house() -> Iterator[House]:
    clock = ManualClock(10**9)
    loop = ManualLoop(clock)
    plane = Plane([], loop=loop, clock=clock)
    shelf = Shelf(sums=[make_model])
    lifecycle = Lifecycle(plane, shelf, loop=loop, clock=clock, settings=ServerSettings())
    lifecycle.open_first(skip_broken=False)
    shelf.models["sums"] = [lambda: make_model(version="2")]
    yield House(shelf, loop, plane, lifecycle)
    plane.close(0)
    lifecycle.close(clock.now_ns() + 30 * 10**9)
    assert shelf.wait_closed(*range(len(shelf.opened)))


def test_nothing_that_is_served_changes_until_the_commit(house: House) -> None:
    prepared = house.prepared()
    assert ["1"] == house.served()
    house.lifecycle.commit(prepared)
    assert ["2"] == house.served()
    house.loop.run()
    assert house.shelf.wait_closed(0)
    assert ["2"] == house.shelf.still_open


def test_what_is_abandoned_is_closed_and_what_is_served_stays(house: House) -> None:
    house.lifecycle.abandon(house.prepared())
    assert ["1"] == house.served()
    assert house.shelf.wait_closed(1)
    assert ["1"] == house.shelf.still_open


def test_what_is_neither_committed_nor_abandoned_is_closed_at_the_end(house: House) -> None:
    house.prepared()


def test_a_model_that_cannot_be_opened_changes_nothing_and_is_in_the_index_with_the_reason(house: House) -> None:
    house.shelf.problem = BrokenError("no such luck")
    outcomes = house.prepare()
    house.loop.wait_for_thread()
    assert [Refusal(400, "failed to load 'sums': no such luck")] == outcomes
    assert ["1"] == house.served()
    assert [("1", "READY", ""), ("2", "UNAVAILABLE", "failed to load 'sums': no such luck")] == [
        tuple(one[1:]) for one in house.lifecycle.index()
    ]


def test_whoever_waits_is_told_when_the_server_stops_and_what_comes_then_is_closed(house: House) -> None:
    house.shelf.gate.clear()
    outcomes = house.prepare()
    house.lifecycle.stop()
    assert [Refusal(503, "the server is shutting down")] == outcomes
    assert outcomes == house.prepare()
    house.shelf.gate.set()
    house.loop.wait_for_thread()
    assert house.shelf.wait_closed(1)
    assert 1 == len(outcomes)


def test_a_second_attempt_waits_for_none_that_hangs(house: House) -> None:
    house.shelf.gate.clear()
    outcomes = house.prepare()
    house.loop.advance_ns(ServerSettings().load_timeout_ns)
    assert [Refusal(503, "failed to load 'sums': it was not opened within 300 s")] == outcomes
    (second,) = house.prepare()
    assert isinstance(second, Refusal)
    assert "still being opened" in second.message
    house.shelf.gate.set()
    house.loop.wait_for_thread()
    assert house.shelf.wait_closed(1)
    assert isinstance(house.prepared(), Prepared)
