"""B against A, metric by metric: better, worse, equal within a margin, or cannot tell.

Two questions are answered from one interval of the ratio B over A. What is the change: `worse` and `better` when the
interval excludes 1, `equal` when it lies within the margin, else `cannot_tell`. Is it acceptable: `fail` when even
the near end of the interval is beyond the regression allowed, `pass` when even the far end is within, else
`cannot_tell`.

All intervals of one comparison hold together with 95 % confidence (Bonferroni): comparing four metrics must not call
a difference between equals four times as often as comparing one. tests/stats/test_comparison.py simulates both
methods on queues at 30 to 80 % load.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modeldyno.errors import UsageError
from modeldyno.records.base import Estimate
from modeldyno.records.comparison import Change, MetricComparison
from modeldyno.records.objective import LATENCY_METRICS
from modeldyno.records.requests import Outcome
from modeldyno.records.verdict import Answer
from modeldyno.records.workload import Workload
from modeldyno.stats.blocks import paired_ratio
from modeldyno.stats.intervals import TAIL, mean_estimate, proportion_estimate
from modeldyno.stats.quantiles import quantile_bounds
from modeldyno.stats.ratios import independent_difference, independent_ratio
from modeldyno.stats.summary import response_times
from modeldyno.stats.throughput import throughput_estimate
from modeldyno.stats.validity import LEAST_REQUESTS
from modeldyno.units import format_duration, format_fraction, format_number, format_rate

FRACTIONS = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
METRICS = ("mean", *FRACTIONS, "throughput")
"""What can be asked for; `error_rate` is always compared besides."""
DEFAULT_METRICS = ("p50", "p99", "throughput")
ERROR_RATE = "error_rate"
LEAST_BLOCKS = 4
_LEAST_BEYOND = 5
_MOST_TIMES = 30


@dataclass(frozen=True, slots=True)
class Measured:
    """The measured rows of one run in the order of their plan, and what was asked of it."""

    rows: np.ndarray
    workload: Workload


@dataclass(frozen=True, slots=True)
class Terms:
    """What is compared, and how much of a change matters.

    Raises:
        UsageError: an unknown metric or none, or limits that make no sense together.
    """

    metrics: tuple[str, ...] = DEFAULT_METRICS
    margin: float = 0.02
    max_regression: float = 0.05

    def __post_init__(self) -> None:
        known = ", ".join(METRICS)
        for metric in self.metrics:
            if metric not in METRICS:
                raise UsageError(f"{metric!r} cannot be compared", hint=f"choose among {known}")
        if not self.metrics or len(set(self.metrics)) < len(self.metrics):
            raise UsageError("name each metric to compare once", hint=f"--metric p50,p99; choose among {known}")
        if not 0 <= self.margin <= self.max_regression < 1:
            raise UsageError(
                f"a margin of {self.margin:.1%} with an allowed regression of {self.max_regression:.1%} makes no sense",
                why="what is called equal must be allowed, and less than 100 % of a rate can be lost",
                hint="--margin 2% --max-regression 5%",
            )

    @property
    def tail(self) -> float:
        """Probability outside each interval on each side, so that all of them hold together with 95 %."""
        return TAIL / (len(self.metrics) + 1)


def compare_measured(a: Sequence[Measured], b: Sequence[Measured], terms: Terms) -> tuple[MetricComparison, ...]:
    """Every metric of `terms`, and the share of failures.

    Args:
        a: one run, or the blocks that took turns with those of `b`, pair by pair.
        b: as many.
        terms: what to compare.

    Raises:
        ValueError: the two are not equally many.
    """
    if len(a) != len(b) or not a:
        raise ValueError(f"{len(a)} and {len(b)} runs make no pairs")
    compare = _compare_blocks if len(a) > 1 else _compare_runs
    return (*(compare(metric, a, b, terms) for metric in terms.metrics), _compare_failures(a, b, terms))


def _compare_runs(metric: str, a: Sequence[Measured], b: Sequence[Measured], terms: Terms) -> MetricComparison:
    first, second = _bounds(metric, a[0]), _bounds(metric, b[0])
    if first is None or second is None:
        short = " and ".join(name for name, found in (("A", first), ("B", second)) if found is None)
        return _undecided(metric, f"too few independent requests for {metric} in {short}; measure longer")
    reaching = [not np.isfinite(found.high or 0) for found in (first, second)]
    if any(reaching):
        surely = [bool(np.isinf(found.low or 0)) for found in (first, second)]
        return _reaching_failures(metric, is_a=surely[0] and not reaching[1], is_b=surely[1] and not reaching[0])
    ratio = independent_ratio(first, second, tail=terms.tail)
    return _judged(metric, first, second, ratio, terms)


def _bounds(metric: str, run: Measured) -> Estimate | None:
    """The value with its interval, which may hold infinities."""
    if metric == "throughput":
        return throughput_estimate(run.rows, run.workload)
    times_ns = response_times(run.rows)
    if metric in FRACTIONS:
        return quantile_bounds(times_ns, (FRACTIONS[metric],))[0]
    if np.isinf(times_ns).any():
        return Estimate(value=np.inf, low=np.inf, high=np.inf)
    return mean_estimate(times_ns)


def _compare_blocks(metric: str, a: Sequence[Measured], b: Sequence[Measured], terms: Terms) -> MetricComparison:
    first, second = [_value(metric, one) for one in a], [_value(metric, one) for one in b]
    if None in first or None in second:
        return _undecided(metric, f"the blocks hold too few requests for {metric}; measure longer or in fewer blocks")
    values = np.array([first, second], np.float64)
    if np.isinf(values).any():
        # The sign test over the pairs in which exactly one of the two reached its failures.
        only_a, only_b = np.isinf(values[0]) & ~np.isinf(values[1]), np.isinf(values[1]) & ~np.isinf(values[0])
        is_decided = 0.5 ** int((only_a | only_b).sum()) <= terms.tail
        return _reaching_failures(metric, is_a=is_decided and not only_b.any(), is_b=is_decided and not only_a.any())
    ratio = paired_ratio(values[1].tolist(), values[0].tolist(), tail=terms.tail)
    return _judged(metric, _geometric_mean(values[0]), _geometric_mean(values[1]), ratio, terms)


def _geometric_mean(values: np.ndarray) -> Estimate:
    """What the ratio is the ratio of, with Student's interval on the logarithms."""
    return paired_ratio(values.tolist(), [1.0] * len(values))


def _value(metric: str, block: Measured) -> float | None:
    """The value alone: the spread is that between the blocks. None where a block cannot support it."""
    if metric == "throughput":
        found = throughput_estimate(block.rows, block.workload)
        return found.value if found else None
    times_ns = response_times(block.rows)
    if metric == "mean":
        return float(times_ns.mean()) if len(times_ns) else None
    if len(times_ns) < least_requests(metric):
        return None
    return float(np.quantile(times_ns, FRACTIONS[metric], method="inverted_cdf"))


def least_requests(metric: str) -> int:
    """How many requests a block must hold for a metric: for a percentile so many that five lie beyond it."""
    fraction = FRACTIONS.get(metric)
    return LEAST_REQUESTS if fraction is None else math.ceil(_LEAST_BEYOND / min(fraction, 1 - fraction) - 1e-6)


def _compare_failures(a: Sequence[Measured], b: Sequence[Measured], terms: Terms) -> MetricComparison:
    """The difference of the shares of failures; any rise that is shown is a regression, whatever is allowed."""
    failed = [np.concatenate([_failed(one.rows) for one in side]) for side in (a, b)]
    if not len(failed[0]) or not len(failed[1]):
        return _undecided(ERROR_RATE, "no request was measured")
    first, second = proportion_estimate(failed[0]), proportion_estimate(failed[1])
    difference = independent_difference(first, second, tail=terms.tail)
    low, high = _ends(difference)
    change: Change = "cannot_tell"
    if low > 0:
        change = "worse"
    elif high < 0:
        change = "better"
    elif -terms.margin <= low and high <= terms.margin:
        change = "equal"
    regression: Answer = "fail" if low > 0 else "pass" if high <= terms.max_regression else "cannot_tell"
    counts = [f"{int(events.sum()):,} of {len(events):,}" for events in failed]
    evidence = (
        f"{counts[0]} requests failed at A, {counts[1]} at B: a difference between {format_fraction(low, 2)} and "
        f"{format_fraction(high, 2)}"
    )
    return MetricComparison(
        metric=ERROR_RATE,
        a=first,
        b=second,
        ratio=difference,
        change=change,
        regression=regression,
        evidence=evidence,
    )


def _failed(rows: np.ndarray) -> np.ndarray:
    outcomes = rows["outcome"][rows["outcome"] != Outcome.INTERRUPTED]
    return np.asarray(outcomes != Outcome.OK)


def _judged(metric: str, a: Estimate, b: Estimate, ratio: Estimate | None, terms: Terms) -> MetricComparison:
    if ratio is None or ratio.low is None or ratio.high is None:
        return _undecided(metric, f"a ratio of {metric} needs values and limits above zero", a=a, b=b)
    higher_is_better = metric == "throughput"
    limit = 1 - terms.max_regression if higher_is_better else 1 + terms.max_regression
    shown = (
        f"{metric} {_shown(metric, b.value)} against {_shown(metric, a.value)}: between {format_number(ratio.low)} and "
        f"{format_number(ratio.high)} times A's; {format_number(limit)} is allowed"
    )
    regression = _regression(ratio.low, ratio.high, limit, higher_is_better=higher_is_better)
    if regression == "cannot_tell":
        shown += f"; {_longer(ratio, limit)}"
    return MetricComparison(
        metric=metric,
        a=a,
        b=b,
        ratio=ratio,
        change=_change(ratio.low, ratio.high, terms.margin, higher_is_better=higher_is_better),
        regression=regression,
        evidence=shown,
    )


def _longer(ratio: Estimate, limit: float) -> str:
    """How much longer would bring the interval's end to the limit: its width shrinks with the square root."""
    distance = math.log(limit / ratio.value)
    end = (ratio.high if distance > 0 else ratio.low) or ratio.value
    times = math.inf if distance == 0 else (math.log(end / ratio.value) / distance) ** 2
    if times > _MOST_TIMES:
        return "it is close to the limit, and no reasonable length would decide"
    return f"about {max(1.1, times):.1f} times as long would decide, if what was seen holds"


def _change(low: float, high: float, margin: float, *, higher_is_better: bool) -> Change:
    if low >= 1 / (1 + margin) and high <= 1 + margin:
        return "equal"
    if low > 1:
        return "better" if higher_is_better else "worse"
    if high < 1:
        return "worse" if higher_is_better else "better"
    return "cannot_tell"


def _regression(low: float, high: float, limit: float, *, higher_is_better: bool) -> Answer:
    best, worst = (high, low) if higher_is_better else (low, high)
    is_beyond = best < limit if higher_is_better else best > limit
    is_within = worst >= limit if higher_is_better else worst <= limit
    return "fail" if is_beyond else "pass" if is_within else "cannot_tell"


def _reaching_failures(metric: str, *, is_a: bool, is_b: bool) -> MetricComparison:
    """One of the two surely is among its failures, which count as unbounded, and the other surely is not; or not."""
    if is_a:
        return _answered(metric, "better", "pass", f"{metric} of A reaches its failures, that of B does not")
    if is_b:
        return _answered(metric, "worse", "fail", f"{metric} of B reaches its failures, that of A does not")
    return _undecided(metric, f"{metric} reaches the failures, which count as unbounded: there is no ratio")


def _undecided(metric: str, evidence: str, *, a: Estimate | None = None, b: Estimate | None = None) -> MetricComparison:
    return MetricComparison(
        metric=metric, a=a, b=b, ratio=None, change="cannot_tell", regression="cannot_tell", evidence=evidence
    )


def _answered(metric: str, change: Change, regression: Answer, evidence: str) -> MetricComparison:
    return MetricComparison(
        metric=metric, a=None, b=None, ratio=None, change=change, regression=regression, evidence=evidence
    )


def _ends(found: Estimate | None) -> tuple[float, float]:
    return (-1.0, 1.0) if found is None or found.low is None or found.high is None else (found.low, found.high)


def _shown(metric: str, value: float) -> str:
    return format_duration(value) if metric in LATENCY_METRICS else format_rate(value)
