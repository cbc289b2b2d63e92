from collections.abc import Mapping

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from modeldyno.bench.lanes import Lanes
from modeldyno.bench.race import Entrant, RaceRules, drop_the_slow, rules_for, run_race
from modeldyno.bench.standings import speed_ratio, standings
from modeldyno.protocols import Silent
from modeldyno.records.deployment import Batching, Deployment
from modeldyno.records.signature import Signature
from modeldyno.testing.clock import ManualClock


class PacedSession:
    """Takes a fixed time a call on a manual clock, times a drift that all sessions share."""

    signature = Signature(inputs=(), outputs=())

    def __init__(self, clock: ManualClock, call_ns: int, drift: list[float] | None = None) -> None:
        self.clock, self.call_ns, self.calls, self.closed = clock, call_ns, 0, False
        self.drift = drift if drift is not None else [1.0]

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        self.calls += 1
        self.clock.advance_ns(round(self.call_ns * self.drift[0]))
        return {}

    def close(self) -> None:
        self.closed = True


def entrant(clock: ManualClock, call_ns: int, *, batch: int = 1, drift: list[float] | None = None) -> Entrant:
    deployment = Deployment(artifact=f"takes-{call_ns}", runtime="onnxruntime", batching=Batching(max_rows=batch))
    return Entrant(deployment=deployment, lanes=Lanes([PacedSession(clock, call_ns, drift)], clock), batch={})


def race(entrants: list[Entrant], clock: ManualClock, rules: RaceRules | None = None) -> list[str]:
    outcome = run_race(entrants, rules or RaceRules(block_ns=1_000_000), clock=clock, progress=Silent())
    return [one.deployment.artifact for one in outcome.entrants]


def test_items_per_second_are_rows_over_time() -> None:
    clock = ManualClock()
    one = entrant(clock, 10_000, batch=4)
    race([one], clock)
    (best,) = standings([one])
    assert pytest.approx(400_000) == best.items_per_s.value
    assert pytest.approx(10_000) == best.batch_time_ns.value


def test_the_slow_are_dropped_early_and_the_close_run_on() -> None:
    clock = ManualClock()
    fast, close, slow = entrant(clock, 10_000), entrant(clock, 10_300), entrant(clock, 50_000)
    race([slow, fast, close], clock)
    assert (12, 12, 3) == (len(fast.blocks), len(close.blocks), len(slow.blocks))
    assert slow.dropped


def test_the_reference_stays_however_slow() -> None:
    clock = ManualClock()
    reference, fast = entrant(clock, 500_000), entrant(clock, 10_000)
    reference.keep = True
    race([reference, fast], clock)
    assert len(fast.blocks) == len(reference.blocks)


def test_a_drift_of_the_machine_does_not_change_the_ratio() -> None:
    clock, drift = ManualClock(), [1.0]
    one, other = entrant(clock, 10_000, drift=drift), entrant(clock, 12_000, drift=drift)

    def slow_down(_: object) -> None:
        drift[0] *= 1.3

    run_race([one, other], RaceRules(block_ns=1_000_000), clock=clock, progress=Silent(), on_round=slow_down)
    fast, slow = standings([one, other])
    ratio = speed_ratio(fast, slow)
    assert pytest.approx(1.2, rel=1e-3) == ratio.value
    assert fast.items_per_s.low is not None
    assert fast.items_per_s.low < 0.8 * fast.items_per_s.value, "the drift shows in the absolute number"


def test_the_deadline_ends_the_race_after_three_rounds_at_the_earliest() -> None:
    clock = ManualClock()
    one = entrant(clock, 10_000)
    race([one], clock, RaceRules(block_ns=1_000_000, deadline_ns=1))
    assert 3 == len(one.blocks)


def test_blocks_are_as_long_as_the_time_and_the_entrants_allow() -> None:
    def block_ns(entrants: int, seconds: float) -> int:
        return rules_for(entrants, now_ns=0, deadline_ns=round(seconds * 1e9), longest_call_ns=None).block_ns

    assert [30_000_000, 10_000_000, 4_000_000] == [block_ns(60, 60), block_ns(50, 6), block_ns(60, 0)]


def test_entrants_whose_turn_comes_after_the_deadline_are_named() -> None:
    clock = ManualClock()
    entrants = [entrant(clock, 10_000_000), entrant(clock, 20_000_000)]
    outcome = run_race(entrants, RaceRules(deadline_ns=1), clock=clock, progress=Silent())
    assert [("takes-20000000", "not tried: the budget was spent before its turn")] == [
        (deployment.artifact, reason) for deployment, reason in outcome.left_out
    ]


def test_a_batch_that_takes_longer_than_a_request_may_is_left_out_with_both_numbers() -> None:
    clock = ManualClock()
    entrants = [entrant(clock, 1_000_000), entrant(clock, 30_000_000, batch=64)]
    outcome = run_race(entrants, RaceRules(longest_call_ns=20e6), clock=clock, progress=Silent())
    ((_, reason),) = outcome.left_out
    assert "64 rows takes 30.0 ms" in reason
    assert "20.0 ms" in reason


def test_equal_speeds_are_a_tie() -> None:
    clock = ManualClock()
    one, other = entrant(clock, 10_000), entrant(clock, 10_000)
    race([one, other], clock)
    assert ["best", "tie"] == [point.standing for point in standings([one, other])]


def test_an_entrant_with_one_block_has_nothing_to_say() -> None:
    clock = ManualClock()
    one = entrant(clock, 10_000)
    one.blocks, one.call_times_ns = [1.0], [1]
    assert () == standings([one])


def test_nobody_is_dropped_for_being_slower_than_one_with_more_cores() -> None:
    clock = ManualClock()
    wide, narrow, slow = entrant(clock, 1), entrant(clock, 2), entrant(clock, 3)
    wide.deployment = msgspec.structs.replace(wide.deployment, instances=2)
    wide.blocks, narrow.blocks, slow.blocks = [100.0] * 6, [40.0] * 6, [10.0] * 6
    drop_the_slow([wide, narrow, slow])
    assert [False, False, True] == [wide.dropped, narrow.dropped, slow.dropped]


def test_one_unlucky_block_does_not_drop_anyone() -> None:
    clock = ManualClock()
    fast, unlucky = entrant(clock, 1), entrant(clock, 1)
    fast.blocks, unlucky.blocks = [100.0] * 6, [100.0, 100.0, 20.0, 100.0, 100.0, 100.0]
    drop_the_slow([fast, unlucky])
    assert not unlucky.dropped


def test_instances_run_side_by_side_and_are_closed_together() -> None:
    clock = ManualClock()
    sessions = [PacedSession(clock, 1000), PacedSession(clock, 1000)]
    lanes = Lanes(sessions, clock)
    lanes.run({}, calls=5)
    lanes.close()
    assert [5, 5] == [session.calls for session in sessions]
    assert all(session.closed for session in sessions)
