"""In-process inference speed of several deployments at once: warmed up apart, then measured in interleaved blocks.

Interleaving is what makes the comparison fair on a machine whose speed drifts: block k of every entrant is
measured within moments of block k of every other, so that ratios are taken between neighbours in time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from modeldyno.bench.lanes import Lanes
from modeldyno.clock import Clock
from modeldyno.protocols import Progress, Tensors
from modeldyno.records.deployment import Deployment
from modeldyno.stats.blocks import paired_ratio

MIN_BLOCKS = 6
"""Fewer paired blocks give a t interval too wide to tell anything."""
CLEARLY_SLOWER = 0.85
"""An entrant whose ratio to the best lies wholly below this is dropped."""
HOPELESS = 0.5
"""An entrant that is below this in every one of the first `HOPELESS_BLOCKS` pairs is dropped at once."""
HOPELESS_BLOCKS = 3
FEWEST_ROUNDS = 3
"""A ratio needs this many pairs to have an interval at all."""
WARMUP_CALLS = 3
ROUNDS = 12
LONGEST_BLOCK_NS = 30_000_000
SHORTEST_BLOCK_NS = 4_000_000


@dataclass(slots=True)
class Entrant:
    """A deployment in the race, with what was measured so far."""

    deployment: Deployment
    lanes: Lanes
    batch: Tensors
    calls_per_block: int = 1
    blocks: list[float] = field(default_factory=list)
    """Items per second of each block."""
    call_times_ns: list[int] = field(default_factory=list)
    """Mean time of a call in each block."""
    dropped: bool = False
    keep: bool = False
    """A yardstick stays to the end, however slow: others are compared with it."""

    @property
    def cores(self) -> int:
        """Cores it keeps busy."""
        return self.deployment.session.threads * self.deployment.instances

    @property
    def batch_rows(self) -> int:
        """Rows in each call."""
        return self.deployment.batching.max_rows


@dataclass(frozen=True, slots=True)
class RaceRules:
    """How long and how hard to compare."""

    block_ns: int = LONGEST_BLOCK_NS
    """Wanted length of a block: long against the scheduler's slices, short against the machine's drift."""
    rounds: int = ROUNDS
    deadline_ns: int | None = None
    """No round starts after this moment once `FEWEST_ROUNDS` are done."""
    longest_call_ns: float | None = None
    """A call that takes longer than a request may is out before the race."""


def rules_for(entrants: int, *, now_ns: int, deadline_ns: int, longest_call_ns: float | None) -> RaceRules:
    """Rules under which so many entrants can run all rounds before the deadline, if their calls are short enough."""
    block_ns = max(0, deadline_ns - now_ns) // (entrants * ROUNDS)
    return RaceRules(
        block_ns=min(LONGEST_BLOCK_NS, max(SHORTEST_BLOCK_NS, block_ns)),
        rounds=ROUNDS,
        deadline_ns=deadline_ns,
        longest_call_ns=longest_call_ns,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """Who ran, and who was left out and why."""

    entrants: tuple[Entrant, ...]
    left_out: tuple[tuple[Deployment, str], ...]


def run_race(
    entrants: Sequence[Entrant],
    rules: RaceRules,
    *,
    clock: Clock,
    progress: Progress,
    on_round: Callable[[Sequence[Entrant]], None] = lambda _: None,
) -> Outcome:
    """Measure all entrants in interleaved blocks, dropping after each round those that are clearly slower.

    The order is reversed every other round, so that nobody always follows the same neighbour. `on_round` is
    called after each round with those that run; if it raises, the race ends there.
    """
    running, left_out = _warm_up_all(entrants, rules, clock, progress)
    progress.start("measuring inference speed", total=rules.rounds)
    for number in range(1, rules.rounds + 1):
        still = [entrant for entrant in running if not entrant.dropped]
        for entrant in still if number % 2 else reversed(still):
            measure_block(entrant, clock)
        drop_the_slow(still)
        on_round(running)
        left = sum(not entrant.dropped for entrant in running)
        progress.advance(number, f"measuring inference speed, {left} of {len(entrants)} in the race")
        if number >= FEWEST_ROUNDS and rules.deadline_ns is not None and clock.now_ns() >= rules.deadline_ns:
            break
    progress.end()
    return Outcome(tuple(running), tuple(left_out))


def _warm_up_all(
    entrants: Sequence[Entrant], rules: RaceRules, clock: Clock, progress: Progress
) -> tuple[list[Entrant], list[tuple[Deployment, str]]]:
    running: list[Entrant] = []
    left_out: list[tuple[Deployment, str]] = []
    progress.start("warming up", total=len(entrants))
    for number, entrant in enumerate(entrants):
        if running and rules.deadline_ns is not None and clock.now_ns() >= rules.deadline_ns:
            left_out.append((entrant.deployment, "not tried: the budget was spent before its turn"))
            continue
        call_ns = warm_up(entrant, rules, clock)
        is_reference = entrant.keep and entrant.batch_rows == 1
        if rules.longest_call_ns is not None and call_ns > rules.longest_call_ns and not is_reference:
            left_out.append((entrant.deployment, _too_long(entrant, call_ns, rules.longest_call_ns)))
        else:
            running.append(entrant)
        progress.advance(number + 1)
    progress.end()
    return running, left_out


def _too_long(entrant: Entrant, call_ns: int, limit_ns: float) -> str:
    from modeldyno.units import format_duration

    return (
        f"one call with {entrant.batch_rows} rows takes {format_duration(call_ns)}, "
        f"and a request may take {format_duration(limit_ns)} in all"
    )


def warm_up(entrant: Entrant, rules: RaceRules, clock: Clock) -> int:
    """Run an entrant unrecorded, choose how many calls make a block, and return the time of a call in ns."""
    call_ns = 1
    for _ in range(WARMUP_CALLS):
        started = clock.now_ns()
        entrant.lanes.run(entrant.batch, calls=1)
        call_ns = max(1, clock.now_ns() - started)
        if call_ns > rules.block_ns:
            return call_ns  # one call is a block already, and long ones would eat the budget here
    # The first calls pay for lazy allocation, so a second look over more calls sizes the block.
    calls = max(1, min(256, rules.block_ns // (4 * call_ns)))
    if calls > 1:
        started = clock.now_ns()
        entrant.lanes.run(entrant.batch, calls=calls)
        call_ns = max(1, (clock.now_ns() - started) // calls)
    entrant.calls_per_block = max(1, min(20_000, rules.block_ns // call_ns))
    return call_ns


def measure_block(entrant: Entrant, clock: Clock) -> None:
    """Measure one block of one entrant and note its speed."""
    started = clock.now_ns()
    call_ns = entrant.lanes.run(entrant.batch, calls=entrant.calls_per_block)
    elapsed_ns = max(1, clock.now_ns() - started)
    rows = entrant.batch_rows * entrant.calls_per_block * entrant.lanes.width
    entrant.blocks.append(rows * 1e9 / elapsed_ns)
    entrant.call_times_ns.append(call_ns)


def drop_the_slow(running: Sequence[Entrant]) -> None:
    """Drop who cannot win any more: hopeless after a few blocks, or clearly slower once the interval says so.

    Nobody is dropped for being slower than somebody who uses more cores: a service may have to do with few.
    """
    for entrant in running:
        best = fastest([rival for rival in running if rival.cores <= entrant.cores])
        if entrant is best or entrant.keep:
            continue
        pairs = [mine / theirs for mine, theirs in zip(entrant.blocks, best.blocks, strict=True)]
        if len(pairs) >= HOPELESS_BLOCKS and max(pairs) < HOPELESS:
            entrant.dropped = True
        elif len(pairs) >= MIN_BLOCKS:
            ratio = paired_ratio(entrant.blocks, best.blocks)
            entrant.dropped = ratio.high is not None and ratio.high < CLEARLY_SLOWER


def fastest(entrants: Sequence[Entrant]) -> Entrant:
    """The entrant with the highest median over its blocks, among those that ran the most blocks."""
    most = max(len(entrant.blocks) for entrant in entrants)
    full = [entrant for entrant in entrants if len(entrant.blocks) == most]
    return max(full, key=lambda entrant: sorted(entrant.blocks)[most // 2])
