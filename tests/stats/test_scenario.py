"""Judging rows whose truth is known by construction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeldyno.records.requests import Outcome, empty_requests
from modeldyno.records.scenario import Scenario, ScenarioCheck, ScenarioResult, scenario_of
from modeldyno.stats.early_stopping import least_queries
from modeldyno.stats.scenario import judge_scenario

SECOND = 10**9
MS = 10**6
SERVER = scenario_of("server", target_latency_ns=15 * MS, min_duration_ns=10 * SECOND)
SINGLE = scenario_of("single-stream", min_duration_ns=10 * SECOND)
MULTI = scenario_of("multi-stream", min_duration_ns=10 * SECOND)
OFFLINE = scenario_of("offline", min_duration_ns=10 * SECOND)


def served(count: int, *, gap_ns: int = 10 * MS, latency_ns: int = MS, rows: int = 1, warmup: int = 0) -> np.ndarray:
    """Requests at equal gaps that are answered at equal speed."""
    made = empty_requests(count + warmup)
    made["planned_ns"] = np.arange(count + warmup) * gap_ns
    made["sent_ns"] = made["planned_ns"]
    made["done_ns"] = made["planned_ns"] + latency_ns
    made["outcome"], made["rows"] = Outcome.OK, rows
    made["measured"] = np.arange(count + warmup) >= warmup
    return made


def slowed(rows: np.ndarray, count: int, latency_ns: int = 20 * MS) -> np.ndarray:
    rows["done_ns"][:count] = rows["planned_ns"][:count] + latency_ns
    return rows


def late_end(rows: np.ndarray) -> np.ndarray:
    rows["done_ns"][-1] += 10 * MS + 1
    return rows


def check(result: ScenarioResult, rule: str) -> ScenarioCheck:
    return next(one for one in result.checks if one.rule == rule)


def unmet(result: ScenarioResult) -> set[str]:
    assert (result.result == "valid") == all(one.is_met for one in result.checks)
    return {one.rule for one in result.checks if not one.is_met}


@pytest.mark.parametrize(
    ("scenario", "rows"),
    (
        (SINGLE, served(1_001)),
        (MULTI, served(1_001, rows=8)),
        (SERVER, served(1_001)),
        (OFFLINE, served(24_576, gap_ns=MS)),
    ),
)
def test_a_run_that_meets_every_rule_is_valid(scenario: Scenario, rows: np.ndarray) -> None:
    result = judge_scenario(scenario, rows)
    assert set() == unmet(result)
    assert "pass" == result.answer


def test_the_metric_of_server_is_the_scheduled_rate_without_the_open_end() -> None:
    result = judge_scenario(SERVER, served(1_001))
    assert 100.0 == pytest.approx(result.samples_per_s)
    assert 1_000 / 10.001 == pytest.approx(result.completed_per_s)
    assert MS == result.latency_ns


def test_the_metric_of_offline_is_all_samples_over_the_time_to_the_last_answer() -> None:
    result = judge_scenario(OFFLINE, served(6_200, gap_ns=2 * MS, latency_ns=2 * MS, rows=4))
    assert 24_800 == result.samples
    assert 24_800 / 12.4 == pytest.approx(result.samples_per_s)


def test_the_metric_of_the_streams_is_the_estimate_by_early_stopping() -> None:
    rows = served(1_001)
    rows["done_ns"] += np.arange(1_001)  # latencies of 1 ms and 0 to 1,000 ns
    single, multi = judge_scenario(SINGLE, rows), judge_scenario(MULTI, rows)
    assert MS + 1_000 - 77 == single.latency_ns
    assert 77 == single.over_latency
    assert least_queries(78, 0.9) <= 1_001 < least_queries(79, 0.9)
    assert MS + 1_000 - 2 == multi.latency_ns
    assert 800.0 == pytest.approx(multi.samples_per_s)


def test_a_run_that_is_too_short_is_invalid_and_cannot_tell() -> None:
    for scenario in (SINGLE, MULTI, SERVER):
        result = judge_scenario(scenario, served(1_000))
        assert {"duration"} == unmet(result)
        assert "cannot_tell" == result.answer
        assert "9.990 s after the first query" in check(result, "duration").evidence
    assert {"duration"} == unmet(judge_scenario(OFFLINE, served(30_000, gap_ns=100)))


def test_the_duration_of_server_is_that_of_the_schedule_and_not_of_the_answers() -> None:
    assert {"duration"} == unmet(judge_scenario(SERVER, late_end(served(1_000))))


@pytest.mark.parametrize(
    ("scenario", "count", "needed"), ((SINGLE, 99, "100"), (MULTI, 661, "662"), (OFFLINE, 24_575, "24,576"))
)
def test_too_few_queries_are_invalid_and_the_time_they_would_take_is_told(
    scenario: Scenario, count: int, needed: str
) -> None:
    result = judge_scenario(scenario, served(count, gap_ns=200 * MS))
    assert "count" in unmet(result)
    assert f"at least {needed} are asked, which would take about" in check(result, "count").evidence
    assert "cannot_tell" == result.answer


def test_early_stopping_needs_more_queries_the_more_are_over_the_latency() -> None:
    for over in (0, 1, 7, 30):
        enough = least_queries(over, 0.99)
        plenty = judge_scenario(SERVER, slowed(served(enough, gap_ns=30 * MS), over))
        assert set() == unmet(plenty)
        assert over == plenty.over_latency
        short = judge_scenario(SERVER, slowed(served(enough - 1, gap_ns=30 * MS), over))
        assert {"early_stopping"} == unmet(short)
        assert "1 more would do" in check(short, "early_stopping").evidence
        assert "cannot_tell" == short.answer


def test_a_missed_target_latency_is_the_services_fault() -> None:
    result = judge_scenario(SERVER, slowed(served(1_001), 20))
    assert {"target_latency", "early_stopping"} == unmet(result)
    assert "fail" == result.answer
    assert "the p99 is 20.0 ms, the target 15.0 ms: lower the rate" in check(result, "target_latency").evidence


def test_a_latency_at_the_target_is_within_it() -> None:
    assert set() == unmet(judge_scenario(SERVER, served(1_001, latency_ns=15 * MS)))


def test_the_percentile_of_the_target_can_be_chosen() -> None:
    lenient = scenario_of("server", target_latency_ns=15 * MS, percentile=0.9, min_duration_ns=10 * SECOND)
    assert set() == unmet(judge_scenario(lenient, slowed(served(1_001), 60)))


def test_latency_counts_from_the_planned_moment() -> None:
    rows = served(1_001)
    rows["sent_ns"] += 20 * MS
    rows["done_ns"] += 20 * MS
    assert "target_latency" in unmet(judge_scenario(SERVER, rows))


@pytest.mark.parametrize("scenario", (SINGLE, MULTI, SERVER, OFFLINE))
@pytest.mark.parametrize(
    ("outcome", "kind"),
    ((Outcome.TIMEOUT, "timeout"), (Outcome.WRONG_ANSWER, "wrong_answer")),
)
def test_one_failed_query_makes_a_run_invalid(scenario: Scenario, outcome: Outcome, kind: str) -> None:
    rows = served(30_000)
    rows["outcome"][17] = outcome
    result = judge_scenario(scenario, rows)
    assert {"failures"} == unmet(result)
    assert f"1 of 30,000 queries failed ({kind} 1)" in check(result, "failures").evidence
    assert "fail" == result.answer


def test_a_run_that_was_cut_off_cannot_tell() -> None:
    rows = served(30_000)
    rows["outcome"][-5:-3], rows["outcome"][-3:] = Outcome.INTERRUPTED, Outcome.NOT_SENT
    result = judge_scenario(SINGLE, rows)
    assert {"complete"} == unmet(result)
    assert "3 of 30,000 queries were never sent, 2 were cut off" == check(result, "complete").evidence
    assert 29_995 == result.queries
    assert "cannot_tell" == result.answer


def test_failures_that_reach_the_percentile_leave_no_latency() -> None:
    rows = served(1_001)
    rows["outcome"][:200] = Outcome.TIMEOUT
    for scenario in (SINGLE, MULTI, SERVER):
        result = judge_scenario(scenario, rows)
        assert result.latency_ns is None
        assert "early_stopping" in unmet(result)
    assert "no answer" in check(judge_scenario(SERVER, rows), "target_latency").evidence


def test_slow_queries_in_bursts_are_told_to_say_less() -> None:
    apart, together = served(10_001), served(10_001)
    slow = np.random.default_rng(3).permutation(10_001)[:60]
    apart["done_ns"][slow] += 20 * MS
    together["done_ns"][5_000:5_060] += 20 * MS
    assert () == judge_scenario(SERVER, apart).notes
    assert "slow ones come in bursts: 10,001 queries tell as much" in judge_scenario(SERVER, together).notes[0]
    assert "bursts" in judge_scenario(SINGLE, slowed(served(10_001), 800)).notes[0]


def test_the_warmup_is_left_out() -> None:
    rows = served(1_001, warmup=500)
    rows["outcome"][:500] = Outcome.TIMEOUT
    result = judge_scenario(SERVER, rows)
    assert set() == unmet(result)
    assert 1_001 == result.queries


@pytest.mark.parametrize("scenario", (SINGLE, MULTI, SERVER, OFFLINE))
@pytest.mark.parametrize("count", (0, 1, 2))
def test_a_run_of_nearly_nothing_is_invalid_and_no_error(scenario: Scenario, count: int) -> None:
    result = judge_scenario(scenario, served(count))
    assert "invalid" == result.result
    assert {"duration", "count"} <= unmet(result)


@settings(max_examples=50)
@given(st.integers(0, 40), st.integers(500, 4_000), st.integers(0, 2**32 - 1))
def test_a_valid_server_run_met_its_target_at_the_percentile(over: int, count: int, seed: int) -> None:
    rows = served(count, gap_ns=30 * MS)
    chosen = np.random.default_rng(seed).permutation(count)[:over]
    rows["done_ns"][chosen] += 40 * MS
    result = judge_scenario(SERVER, rows)
    assert (count >= least_queries(over, 0.99)) == (result.result == "valid")
    if result.result == "valid":
        assert result.latency_ns is not None
        assert result.latency_ns <= 15 * MS
