"""Runs with a scenario of MLPerf, judged from the rows of `samples.requests`."""

import numpy as np
from msgspec.structs import replace
from tests.reports import samples

from modeldyno.records.run import Run
from modeldyno.records.scenario import Scenario, scenario_of
from modeldyno.stats.scenario import judge_scenario

ROWS = samples.requests()


def valid_server() -> Run:
    return _run(scenario_of("server", target_latency_ns=15_000_000, min_duration_ns=10 * 10**9), ROWS)


def missed_server() -> Run:
    return _run(scenario_of("server", target_latency_ns=1_500_000, min_duration_ns=10 * 10**9), ROWS)


def short_single_stream() -> Run:
    return _run(scenario_of("single-stream"), ROWS)


def valid_multi_stream() -> Run:
    rows = ROWS.copy()
    rows["rows"] = 8
    return _run(scenario_of("multi-stream", min_duration_ns=10 * 10**9), rows)


def failed_offline() -> Run:
    rows = samples.requests(failed=14)
    rows["rows"] = 8
    return _run(replace(scenario_of("offline", min_duration_ns=10 * 10**9), samples_per_query=8), rows)


def _run(scenario: Scenario, rows: np.ndarray) -> Run:
    run = samples.run(rows)
    assert run.verdict is not None
    calm = replace(run.verdict, objectives=())
    return replace(run, objectives=(), verdict=calm, scenario=judge_scenario(scenario, rows))
