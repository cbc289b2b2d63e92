"""Whether a run was steady: no trend, no level shift, no growing backlog, and Little's law holds.

Each function returns a finding or None when all is well, and raises `TooShortError` where it cannot be checked.
A change must be both significant (so that a short noisy run is not blamed) and material (so that a long run is not
blamed for a change nobody would care about). Batches are at least five autocorrelation times long, so that their
medians are nearly independent; where fewer than `_LEAST_BATCHES` fit, the check cannot be made.
"""

import itertools
import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from modeldyno.stats.quantiles import mid_ranks, rank_autocorrelation_time
from modeldyno.units import format_duration

Floats = NDArray[np.float64]

_MOST_BATCHES = 40
_LEAST_BATCHES = 10
_SIGNIFICANCE = 0.002
MATERIAL_CHANGE = 0.3
"""A median that moves by less than this share of itself is not held against a run."""
_MATERIAL_NS = 200_000
"""Nor is one that moves by less than this: timer and scheduler noise of a shared machine."""


class TooShortError(Exception):
    """The run is too short, or too strongly correlated, for this check; the text says which numbers lack."""


def batch_medians(response_ns: Floats) -> Floats:
    """Medians of equal batches in time order, long enough to be nearly independent.

    Raises:
        TooShortError: when fewer than ten such batches fit.
    """
    time = _local_autocorrelation_time(response_ns)
    batches = min(_MOST_BATCHES, int(len(response_ns) / max(20.0, 5 * time)))
    if batches < _LEAST_BATCHES:
        raise TooShortError(
            f"{len(response_ns):,} requests with an autocorrelation time of {time:,.0f} make {batches} independent "
            f"batches, and {_LEAST_BATCHES} are needed"
        )
    width = len(response_ns) // batches
    return np.asarray(np.median(response_ns[: batches * width].reshape(batches, width), axis=1), np.float64)


def find_trend(response_ns: Floats) -> str | None:
    """A response time that rises or falls through the run: Spearman's rank correlation of batch medians with time."""
    medians = batch_medians(response_ns)
    count = len(medians)
    correlation = _correlation(np.arange(count, dtype=np.float64), mid_ranks(medians))
    if abs(correlation) >= 1:
        chance = 0.0
    else:
        # Student's t approximation of the null distribution (Kendall and Stuart, vol. 2, 31.19).
        statistic = abs(correlation) * math.sqrt((count - 2) / (1 - correlation**2))
        chance = 2 * float(special.stdtr(count - 2, -statistic))
    quarter = max(1, count // 4)
    before, after = float(np.median(medians[:quarter])), float(np.median(medians[-quarter:]))
    if chance > _SIGNIFICANCE or not _is_material(before, after):
        return None
    direction = "rose" if after > before else "fell"
    return (
        f"the median response time {direction} through the run, from {_show(before)} in its first quarter to "
        f"{_show(after)} in its last (Spearman {correlation:+.2f} over {count} batches)"
    )


def find_level_shift(response_ns: Floats) -> str | None:
    """A response time that jumps: the change point of Pettitt (1979), Applied Statistics 28(2), on batch medians."""
    medians = batch_medians(response_ns)
    count = len(medians)
    later, earlier = medians[None, :], medians[:, None]
    # Not the sign of a difference: two batches without an answer are equal, and infinity minus infinity is not 0.
    signs = (later > earlier).astype(np.float64) - (later < earlier)
    before_after = np.array([signs[:split, split:].sum() for split in range(1, count)])
    split = int(np.abs(before_after).argmax()) + 1
    statistic = float(np.abs(before_after).max())
    chance = 2 * math.exp(-6 * statistic**2 / (count**3 + count**2))
    before, after = float(np.median(medians[:split])), float(np.median(medians[split:]))
    if chance > _SIGNIFICANCE or not _is_material(before, after):
        return None
    return (
        f"the median response time shifted from {_show(before)} to {_show(after)} after {split / count:.0%} of the run"
    )


def find_growing_backlog(planned_ns: NDArray[np.int64], ended_ns: NDArray[np.int64]) -> str | None:
    """More and more requests waiting: the server is offered more than it can do.

    Compares the mean number outstanding (planned, not yet ended) in the four quarters of the plan.

    Args:
        planned_ns: ascending.
        ended_ns: when each ended in whatever way; -1 for never.
    """
    if len(planned_ns) < 100:
        raise TooShortError(f"{len(planned_ns)} requests are too few to see a backlog grow")
    quarters = [float(part.mean()) for part in np.array_split(outstanding(planned_ns, ended_ns), 4)]
    growth = quarters[3] - quarters[0]
    rises = all(later > earlier for earlier, later in itertools.pairwise(quarters))
    # 2 % of all requests in one half of the run: an overload of about 3 % or more. Ten requests is what a bursty
    # queue holds now and then without being overloaded.
    if not (rises and quarters[3] > 2 * quarters[0] and growth > max(10.0, 0.02 * len(planned_ns))):
        return None
    shown = ", ".join(f"{quarter:,.1f}" for quarter in quarters)
    return f"the backlog grew: {shown} requests outstanding on average in the four quarters of the run"


def outstanding(planned_ns: NDArray[np.int64], ended_ns: NDArray[np.int64]) -> Floats:
    """How many earlier requests had not ended yet when each was due."""
    ends = np.sort(ended_ns[ended_ns >= 0])
    return np.asarray(np.arange(len(planned_ns)) - np.searchsorted(ends, planned_ns, side="right"), np.float64)


def find_breach_of_littles_law(planned_ns: NDArray[np.int64], ended_ns: NDArray[np.int64]) -> str | None:
    """Number in the system = rate of arrival x time in the system (Little, 1961), over the middle 80 % of the plan.

    The left side counts what is there at each moment, the right side follows the requests that arrive: they agree
    when as much flows out as flows in, and when the stamps of planned and ended moments belong together.
    """
    if len(planned_ns) < 100 or (ended_ns < planned_ns).any():
        raise TooShortError("Little's law needs 100 answered requests or more")
    first, last = planned_ns[0], planned_ns[-1]
    start, stop = first + (last - first) * 0.1, last - (last - first) * 0.1
    present = np.clip(np.minimum(ended_ns, stop) - np.maximum(planned_ns, start), 0, None).sum() / (stop - start)
    arrives = (planned_ns >= start) & (planned_ns < stop)
    times_ns = (ended_ns - planned_ns)[arrives]
    expected = float(times_ns.sum() / (stop - start))
    if abs(present - expected) <= 0.2 * max(present, expected) + float(times_ns.max()) / (stop - start) * 4:
        return None
    return (
        f"Little's law does not hold: {present:,.2f} requests were in the system on average, but rate times response "
        f"time makes {expected:,.2f}"
    )


def _local_autocorrelation_time(response_ns: Floats) -> float:
    # Within quarters of the run: the change that is looked for would itself look like a long correlation, and a
    # check that is switched off by what it should find is none. The median: a step sits in one quarter only.
    quarters = [rank_autocorrelation_time(part) for part in np.array_split(response_ns, 4)]
    return float(np.median(quarters))


def _is_material(before: float, after: float) -> bool:
    if math.isinf(before) or math.isinf(after):
        return before != after
    return abs(after - before) > max(MATERIAL_CHANGE * min(before, after), _MATERIAL_NS)


def _show(value_ns: float) -> str:
    return "no answer" if math.isinf(value_ns) else format_duration(value_ns)


def _correlation(first: Floats, second: Floats) -> float:
    first, second = first - first.mean(), second - second.mean()
    scale = math.sqrt(float((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / scale if scale > 0 else 0.0
