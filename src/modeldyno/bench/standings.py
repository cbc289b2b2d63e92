"""From the blocks of a race to points that can be compared: best, ties, slower, with intervals."""

from collections.abc import Sequence

from modeldyno.bench.race import CLEARLY_SLOWER, Entrant, fastest
from modeldyno.records.base import Estimate
from modeldyno.records.speed import Comparative, SpeedPoint
from modeldyno.stats.blocks import block_estimate, is_tie, paired_ratio

SAME = 0.03
"""Two speeds whose ratio cannot be told from 1, or differs from it by less than this, are a tie: nobody would
change a deployment for 3 %, and the machine's own drift is of that size."""


def standings(entrants: Sequence[Entrant]) -> tuple[SpeedPoint, ...]:
    """One point for each entrant with at least two blocks, fastest first."""
    measured = [entrant for entrant in entrants if len(entrant.blocks) >= 2]
    if not measured:
        return ()
    best = fastest(measured)
    return tuple(sorted((_point(entrant, best) for entrant in measured), key=_rank))


def speed_ratio(one: SpeedPoint, other: SpeedPoint) -> Estimate:
    """Items per second of `one` over `other`, paired over the blocks that both ran side by side."""
    shared = min(len(one.blocks), len(other.blocks))
    return paired_ratio(one.blocks[:shared], other.blocks[:shared])


def _rank(point: SpeedPoint) -> tuple[bool, float]:
    return (point.standing != "best", -point.items_per_s.value)


def _point(entrant: Entrant, best: Entrant) -> SpeedPoint:
    shared = min(len(entrant.blocks), len(best.blocks))
    ratio = None if entrant is best else paired_ratio(entrant.blocks[:shared], best.blocks[:shared])
    return SpeedPoint(
        deployment=entrant.deployment,
        batch_rows=entrant.batch_rows,
        items_per_s=block_estimate(entrant.blocks),
        batch_time_ns=block_estimate([float(time_ns) for time_ns in entrant.call_times_ns]),
        blocks=tuple(entrant.blocks),
        calls=entrant.calls_per_block * len(entrant.blocks) * entrant.lanes.width,
        stopped_early=entrant.dropped,
        standing=_standing(entrant, ratio),
        ratio_to_best=ratio,
    )


def _standing(entrant: Entrant, ratio: Estimate | None) -> Comparative:
    if ratio is None:
        return "best"
    if entrant.dropped or (ratio.high is not None and ratio.high < CLEARLY_SLOWER):
        return "clearly_slower"
    return "tie" if is_tie(ratio, margin=SAME) else "slower"
