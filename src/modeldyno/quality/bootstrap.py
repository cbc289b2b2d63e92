"""Intervals of whatever is made of sums over rows: rows drawn with replacement as counts, never gathered one by one."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from modeldyno.quality.proportions import Z, effective_rows
from modeldyno.records.base import Estimate

Floats = NDArray[np.float64]
MetricsOfSums = Callable[[Floats], dict[str, Floats]]
"""From sums, shape [tables, columns], to each metric, shape [tables]."""

RESAMPLES = 2000
MOST_UNITS = 10_000
FEWEST_ROWS = 10
"""With fewer rows a bootstrap promises far more than it keeps, so there is no interval."""
_CHUNK_CELLS = 2_000_000


class Summed(NamedTuple):
    """Rows as what is drawn: each unit is a row, or the sum of a few where there are many."""

    units: Floats
    """Shape [units, columns]."""
    rows: int


def summed(moments: Floats) -> Summed:
    """More than 10,000 rows are added up in 10,000 groups, in turn.

    The groups are then as independent as the rows, and drawing them has the same spread at a fraction of the work.
    """
    rows = len(moments)
    if rows <= MOST_UNITS:
        return Summed(moments, rows)
    return Summed(np.asarray(np.add.reduceat(moments, unit_starts(rows), axis=0), np.float64), rows)


def unit_starts(rows: int) -> NDArray[np.intp]:
    """The first row of each unit."""
    return np.linspace(0, rows, min(MOST_UNITS, rows), endpoint=False).astype(np.intp)


def draw_sums(units: Floats, generator: np.random.Generator) -> Floats:
    """Sums over units drawn with replacement, as many as there are, shape [RESAMPLES, columns]."""
    count = len(units)
    chunk = max(1, _CHUNK_CELLS // count)
    return np.concatenate(
        [draw_counts(count, min(chunk, RESAMPLES - start), generator) @ units for start in range(0, RESAMPLES, chunk)]
    )


def draw_counts(units: int, tables: int, generator: np.random.Generator) -> Floats:
    """How often each unit is drawn in each table, shape [tables, units]."""
    drawn = generator.integers(0, units, (tables, units))
    drawn += np.arange(tables)[:, None] * units
    counts = np.bincount(drawn.reshape(-1), minlength=tables * units)
    return counts.reshape(tables, units).astype(np.float64)


def estimates(
    moments: Floats,
    metrics: MetricsOfSums,
    generator: np.random.Generator,
    *,
    basic: frozenset[str] = frozenset(),
) -> dict[str, Estimate]:
    """Each metric of the sums of all rows, with its 95 % interval (BCa: Efron, 1987, JASA 82(397)).

    Args:
        moments: what is summed, shape [rows, columns].
        metrics: what is made of the sums.
        generator: seeded by the caller.
        basic: metrics whose resampled values are biased, such as calibration errors, which noise always raises: these
            have the basic interval, which takes the bias off again.
    """
    found = summed(moments)
    total = found.units.sum(axis=0)
    values = {name: float(value[0]) for name, value in metrics(total[None]).items()}
    if found.rows < FEWEST_ROWS:
        return {name: Estimate(value=value) for name, value in values.items()}
    samples = metrics(draw_sums(found.units, generator))
    without_one = metrics(total - found.units)
    return {
        name: basic_interval(value, samples[name])
        if name in basic
        else bca_interval(value, samples[name], without_one[name])
        for name, value in values.items()
    }


def bca_interval(value: float, samples: Floats, without_one: Floats) -> Estimate:
    """Bias-corrected and accelerated: from resampled values, and from those without one unit each."""
    below = ((samples < value).sum() + (samples == value).sum() / 2) / len(samples)
    shift = float(special.ndtri(np.clip(below, 1 / len(samples), 1 - 1 / len(samples))))
    distance = without_one.mean() - without_one
    spread = float((distance**2).sum()) ** 1.5
    acceleration = float((distance**3).sum()) / (6 * spread) if spread > 0 else 0.0
    levels = [_level(shift, end, acceleration) for end in (-Z, Z)]
    low, high = np.quantile(samples, levels).tolist()
    return Estimate(value=value, low=min(value, low), high=max(value, high))


def _level(shift: float, end: float, acceleration: float) -> float:
    slope = 1 - acceleration * (shift + end)
    # Beyond its pole the correction means nothing; the outermost sample is then all that is known.
    moved = shift + (shift + end) / slope if slope > 0 else end * 10
    return float(special.ndtr(moved))


def bounded_mean(values: Floats, weights: Floats | None = None, *, span: float = 1.0) -> Estimate:
    """The mean of values within bounds that are `span` apart, with an interval that never promises there is no other.

    To the variance is added what rows without any spread cannot exclude, as in `ranks.area_drop`. Without at least
    FEWEST_ROWS there is no interval.
    """
    given = np.ones(len(values)) if weights is None else weights
    value = float(np.average(values, weights=given))
    rows = effective_rows(given)
    if rows < FEWEST_ROWS:
        return Estimate(value=value)
    variance = float((given**2 * (values - value) ** 2).sum()) / float(given.sum()) ** 2
    half = float(np.sqrt(Z**2 * variance + (span * Z**2 / (rows + Z**2)) ** 2))
    return Estimate(value=value, low=value - half, high=value + half)


def share_like(estimate: Estimate) -> Estimate:
    """The interval kept within 0 and 1."""
    if estimate.low is None or estimate.high is None:
        return estimate
    return Estimate(value=estimate.value, low=max(0.0, estimate.low), high=min(1.0, estimate.high))


def basic_interval(value: float, samples: Floats, *, least: float = 0.0) -> Estimate:
    """The value minus the spread of the resampled values about it (Davison and Hinkley, 1997, section 5.2)."""
    low, high = (2 * value - np.quantile(samples, (0.975, 0.025))).tolist()
    return Estimate(value=value, low=min(value, max(least, low)), high=max(value, high))


def spread_estimate(value: float, *samples: Floats) -> Estimate:
    """A value with the hull of the 95 % percentile intervals of one or more resamplings."""
    lows, highs = zip(*(np.quantile(sample, (0.025, 0.975)).tolist() for sample in samples), strict=True)
    return Estimate(value=value, low=min(value, *lows), high=max(value, *highs))


Direction = Literal[1, -1]


def worsening(metrics: MetricsOfSums, columns: int, signs: dict[str, Direction]) -> MetricsOfSums:
    """From sums of the original's columns and then the candidate's to how much worse the candidate is.

    Args:
        metrics: of one side.
        columns: of one side.
        signs: 1 where higher is better, -1 for errors.
    """

    def changes(sums: Floats) -> dict[str, Floats]:
        old, new = metrics(sums[:, :columns]), metrics(sums[:, columns:])
        return {name: signs[name] * (old[name] - new[name]) for name in old}

    return changes
