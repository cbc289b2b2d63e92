"""Same against same must call a difference in at most 5 % of trials; a real difference must be found."""

from collections.abc import Callable

import numpy as np
import pytest

from modeldyno.errors import UsageError
from modeldyno.records.base import Estimate
from modeldyno.records.comparison import MetricComparison
from modeldyno.records.requests import Outcome, empty_requests
from modeldyno.records.workload import Workload
from modeldyno.stats.comparison import Measured, Terms, _longer, compare_measured

Queues = Callable[..., tuple[np.ndarray, np.ndarray]]
MakeRun = Callable[..., np.ndarray]
STRICT = Terms(margin=0.0, max_regression=0.0)


def runs_of(planned: np.ndarray, done: np.ndarray, workload: Workload) -> list[Measured]:
    runs = []
    for one_planned, one_done in zip(planned, done, strict=True):
        rows = empty_requests(len(one_planned))
        rows["planned_ns"] = rows["sent_ns"] = one_planned
        rows["done_ns"] = one_done
        rows["outcome"], rows["measured"], rows["rows"] = Outcome.OK, True, 1
        runs.append(Measured(rows=rows, workload=workload))
    return runs


def queues(make_queue: Queues, workload: Workload, count: int, load: float, *, runs: int, seed: int) -> list[Measured]:
    planned, done = make_queue(runs, count, load, seed=seed)
    return runs_of(planned, done, workload)


def by_metric(found: tuple[MetricComparison, ...]) -> dict[str, MetricComparison]:
    return {one.metric: one for one in found}


def is_difference_called(found: tuple[MetricComparison, ...]) -> bool:
    return any(one.change in ("better", "worse") for one in found)


@pytest.mark.parametrize("load", (0.3, 0.6, 0.8))
def test_two_runs_of_the_same_server_are_called_different_in_at_most_5_percent(
    load: float, make_queue: Queues, workload: Workload
) -> None:
    runs = queues(make_queue, workload, 4000, load, runs=240, seed=21)
    called = [
        is_difference_called(compare_measured([a], [b], STRICT)) for a, b in zip(runs[::2], runs[1::2], strict=True)
    ]
    assert 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / len(called)) >= np.mean(called)


@pytest.mark.parametrize("load", (0.3, 0.6, 0.8))
def test_blocks_of_the_same_server_are_called_different_in_at_most_5_percent(
    load: float, make_queue: Queues, workload: Workload
) -> None:
    pairs = 8
    blocks = queues(make_queue, workload, 600, load, runs=2 * pairs * 150, seed=22)
    called = []
    for start in range(0, len(blocks), 2 * pairs):
        trial = blocks[start : start + 2 * pairs]
        called.append(is_difference_called(compare_measured(trial[::2], trial[1::2], STRICT)))
    assert 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / len(called)) >= np.mean(called)


def slower(run: Measured, factor: float) -> Measured:
    rows = run.rows.copy()
    rows["done_ns"] = rows["planned_ns"] + ((rows["done_ns"] - rows["planned_ns"]) * factor).astype(np.int64)
    return Measured(rows=rows, workload=run.workload)


def test_a_server_that_is_a_third_slower_is_a_regression_by_either_method(
    make_queue: Queues, workload: Workload
) -> None:
    a = queues(make_queue, workload, 10_000, 0.3, runs=8, seed=1)
    b = [slower(run, 1.33) for run in queues(make_queue, workload, 10_000, 0.3, runs=8, seed=2)]
    for found in (compare_measured(a[:1], b[:1], Terms()), compare_measured(a, b, Terms())):
        assert ["worse", "fail"] == [by_metric(found)["p50"].change, by_metric(found)["p50"].regression]
        assert 1.33 == pytest.approx(by_metric(found)["p50"].ratio.value, rel=0.15)  # type: ignore[union-attr]
    for found in (compare_measured(b[:1], a[:1], Terms()), compare_measured(b, a, Terms())):
        assert ["better", "pass"] == [by_metric(found)["p50"].change, by_metric(found)["p50"].regression]


def test_long_runs_of_the_same_server_are_equal_within_the_margin(make_queue: Queues, workload: Workload) -> None:
    a, b = queues(make_queue, workload, 100_000, 0.3, runs=2, seed=4)
    found = by_metric(compare_measured([a], [b], Terms(metrics=("p50", "throughput"), margin=0.05)))
    assert [("equal", "pass")] * 3 == [(one.change, one.regression) for one in found.values()]


def test_a_short_run_cannot_tell_and_says_what_to_do(make_queue: Queues, workload: Workload) -> None:
    a, b = queues(make_queue, workload, 200, 0.6, runs=2, seed=5)
    found = by_metric(compare_measured([a], [b], Terms()))["p99"]
    assert ["cannot_tell", "cannot_tell", None] == [found.change, found.regression, found.ratio]
    assert "measure longer" in found.evidence


@pytest.mark.parametrize("limit", (1.05, 1 / 1.05))
def test_an_undecided_ratio_says_how_much_longer_would_decide(limit: float) -> None:
    # An interval of 10 % either way must become one of 5 %: twice as narrow in logarithms, so four times as long.
    found = _longer(Estimate(value=1.0, low=1.05**-2, high=1.05**2), limit)
    assert "about 4.0 times as long would decide, if what was seen holds" == found


def test_a_ratio_at_the_limit_is_said_to_be_undecidable(make_run: MakeRun, workload: Workload) -> None:
    a = Measured(rows=make_run(2000, seed=3), workload=workload)
    found = by_metric(compare_measured([a], [slower(a, 1.05)], Terms(metrics=("p50",))))["p50"]
    assert "no reasonable length would decide" in found.evidence


def test_blocks_too_short_for_a_percentile_cannot_tell(make_queue: Queues, workload: Workload) -> None:
    blocks = queues(make_queue, workload, 499, 0.3, runs=8, seed=6)
    assert "cannot_tell" == by_metric(compare_measured(blocks[:4], blocks[4:], Terms()))["p99"].change


def failing(run: Measured, share: float) -> Measured:
    rows = run.rows.copy()
    rows["outcome"][:: round(1 / share)] = Outcome.TIMEOUT
    return Measured(rows=rows, workload=run.workload)


def test_a_percentile_that_reaches_the_failures_of_one_side_only_is_worse_than_any_number(
    make_queue: Queues, workload: Workload
) -> None:
    a = queues(make_queue, workload, 5000, 0.3, runs=8, seed=7)
    b = [failing(run, 0.1) for run in a]
    for first, second in ((a[:1], b[:1]), (a, b)):
        worse = by_metric(compare_measured(first, second, Terms()))
        better = by_metric(compare_measured(second, first, Terms()))
        assert ["worse", "fail"] == [worse["p99"].change, worse["p99"].regression]
        assert ["better", "pass"] == [better["p99"].change, better["p99"].regression]
        assert ["worse", "fail"] == [worse["error_rate"].change, worse["error_rate"].regression]
        both = by_metric(compare_measured(second, second, Terms()))
        assert "cannot_tell" == both["p99"].regression


def test_one_pair_of_blocks_that_reaches_failures_decides_nothing(make_queue: Queues, workload: Workload) -> None:
    a = queues(make_queue, workload, 1000, 0.3, runs=8, seed=8)
    b = [failing(a[0], 0.1), *a[1:]]
    assert "cannot_tell" == by_metric(compare_measured(a, b, Terms()))["p99"].change


def test_less_throughput_is_a_regression(make_run: MakeRun, workload: Workload) -> None:
    run = Measured(rows=make_run(5000), workload=workload)
    found = by_metric(compare_measured([run], [failing(run, 0.2)], Terms(metrics=("throughput",))))["throughput"]
    assert ["worse", "fail"] == [found.change, found.regression]


def test_an_equal_share_of_failures_is_equal(make_run: MakeRun, workload: Workload) -> None:
    run = Measured(rows=make_run(5000), workload=workload)
    found = by_metric(compare_measured([run], [run], Terms()))["error_rate"]
    assert ["equal", "pass"] == [found.change, found.regression]


@pytest.mark.parametrize(
    "fields",
    (
        {"metrics": ("p98",)},
        {"metrics": ()},
        {"metrics": ("p50", "p50")},
        {"margin": 0.1, "max_regression": 0.05},
        {"max_regression": 1.0},
    ),
)
def test_terms_that_make_no_sense_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Terms(**fields)  # type: ignore[arg-type]


def test_unequal_numbers_of_blocks_make_no_pairs(make_run: MakeRun, workload: Workload) -> None:
    run = Measured(rows=make_run(100), workload=workload)
    with pytest.raises(ValueError, match="no pairs"):
        compare_measured([run], [run, run], Terms())
