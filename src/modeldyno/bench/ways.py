"""Ways of doing something, measured in turns: the median time of a call in each of several blocks.

The median of a block, not its mean: on a virtual machine a block of a few milliseconds either meets a stall or does
not, and a mean would be that of the stall.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from modeldyno.clock import Clock

FEWEST_BLOCKS = 6
"""The median of fewer has no interval."""
WARMUP_CALLS = 3
"""Of each way, before its first block."""


@dataclass(frozen=True, slots=True)
class Turns:
    """How long and how often."""

    blocks: int = 12
    block_ns: int = 4_000_000
    deadline_ns: int | None = None
    """No further round starts after this moment once `FEWEST_BLOCKS` are done."""
    most_calls: int = 2_000
    """In a block."""


def take_turns(ways: Mapping[str, Callable[[], object]], turns: Turns, *, clock: Clock) -> dict[str, list[float]]:
    """Call every way for a block, round by round, each other round in reverse order.

    Returns:
        For each way the median time of a call in ns, block by block; as many blocks for each.
    """
    calls = {name: _calls_in_a_block(way, turns, clock) for name, way in ways.items()}
    found: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(turns.blocks):
        late = turns.deadline_ns is not None and clock.now_ns() >= turns.deadline_ns
        if number >= FEWEST_BLOCKS and late:
            break
        for name in names if number % 2 == 0 else reversed(names):
            found[name].append(_block(ways[name], calls[name], clock))
    return found


def _calls_in_a_block(way: Callable[[], object], turns: Turns, clock: Clock) -> int:
    call_ns = min(_block(way, 1, clock) for _ in range(WARMUP_CALLS))
    return max(1, min(turns.most_calls, int(turns.block_ns // max(1.0, call_ns))))


def _block(way: Callable[[], object], calls: int, clock: Clock) -> float:
    now, times = clock.now_ns, []
    for _ in range(calls):
        started = now()
        way()
        times.append(now() - started)
    return float(median(times))
