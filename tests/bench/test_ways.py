from collections.abc import Callable

from modeldyno.bench.ways import FEWEST_BLOCKS, WARMUP_CALLS, Turns, take_turns
from modeldyno.testing.clock import ManualClock

MS = 1_000_000


def way(clock: ManualClock, name: str, takes_ns: int, called: list[str]) -> Callable[[], None]:
    def call() -> None:
        called.append(name)
        clock.advance_ns(takes_ns)

    return call


def test_each_way_is_timed_in_blocks_of_about_the_wanted_length() -> None:
    clock, called = ManualClock(), list[str]()
    ways = {"short": way(clock, "short", MS, called), "long": way(clock, "long", 3 * MS, called)}
    found = take_turns(ways, Turns(blocks=6, block_ns=6 * MS), clock=clock)
    assert {"short": [1.0 * MS] * 6, "long": [3.0 * MS] * 6} == found
    assert WARMUP_CALLS + 6 * 6 == called.count("short")
    assert WARMUP_CALLS + 6 * 2 == called.count("long")


def test_every_other_round_goes_the_other_way() -> None:
    clock, called = ManualClock(), list[str]()
    ways = {name: way(clock, name, MS, called) for name in "abc"}
    take_turns(ways, Turns(blocks=2, block_ns=MS), clock=clock)
    assert "abccba" == "".join(called[3 * WARMUP_CALLS :])


def test_a_stall_within_a_block_is_not_the_blocks_time() -> None:
    clock, calls = ManualClock(), [0]

    def call() -> None:
        calls[0] += 1
        clock.advance_ns(500 * MS if calls[0] % 5 == 0 else MS)

    found = take_turns({"stalls": call}, Turns(blocks=6, block_ns=10 * MS), clock=clock)
    assert [1.0 * MS] * 6 == found["stalls"]


def test_no_round_starts_after_the_deadline_but_those_an_interval_needs() -> None:
    clock, called = ManualClock(), list[str]()
    turns = Turns(blocks=50, block_ns=MS, deadline_ns=2 * MS)
    assert FEWEST_BLOCKS == len(take_turns({"slow": way(clock, "slow", 10 * MS, called)}, turns, clock=clock)["slow"])


def test_a_block_has_no_more_calls_than_are_allowed() -> None:
    clock, called = ManualClock(), list[str]()
    take_turns({"a": way(clock, "a", 1, called)}, Turns(blocks=1, block_ns=MS, most_calls=7), clock=clock)
    assert WARMUP_CALLS + 7 == len(called)
