from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from modeldyno.records.objective import parse_objectives
from modeldyno.records.verdict import MeasurementVerdict
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.stats.judge import judge_run
from modeldyno.stats.summary import summarise

Make = Callable[..., np.ndarray]
Judge = Callable[..., MeasurementVerdict]
CLOSED = {"arrivals": "closed", "concurrency": 4, "rate_per_s": 0.0, "requests": 0, "duration_ns": 10**9}


@pytest.fixture
def judge(workload: Workload, effective: EffectiveWorkload) -> Judge:
    def run(rows: np.ndarray, slo: str = "", **changes: Any) -> MeasurementVerdict:
        asked = msgspec.structs.replace(workload, **changes)
        objectives = parse_objectives(slo) if slo else ()
        summary = summarise(rows, asked, objectives)
        return judge_run(summary, rows, asked, effective, objectives, interrupted=False)

    return run


def closed(rows: np.ndarray) -> np.ndarray:
    """Four users in turn, each sending when its answer is there; planned is sent."""
    service = (rows["done_ns"] - rows["sent_ns"]).reshape(-1, 4)
    rows["done_ns"] = np.cumsum(service, axis=0).ravel()
    rows["sent_ns"] = rows["planned_ns"] = rows["done_ns"] - service.ravel()
    return rows[np.argsort(rows["planned_ns"], kind="stable")]


def test_a_closed_loop_is_valid_and_says_what_it_hides(make_run: Make, judge: Judge) -> None:
    verdict = judge(closed(make_run()), **CLOSED)

    assert ("valid", ()) == (verdict.measurement, verdict.reasons)
    assert any("hide the queue" in note for note in verdict.notes)
    assert any("growing backlog" in note for note in verdict.notes)


def test_a_closed_loop_that_ended_early_is_invalid(make_run: Make, judge: Judge) -> None:
    verdict = judge(closed(make_run()), **{**CLOSED, "requests": 5_000, "duration_ns": 0})

    assert "invalid" == verdict.measurement
    assert "2,000 of 5,000" in verdict.reasons[0]


def test_the_throughput_of_a_closed_loop_is_what_was_answered(make_run: Make, judge: Judge) -> None:
    rows = closed(make_run())
    answers = [judge(rows, f"throughput>={limit}/s", **CLOSED).objectives[0].verdict for limit in (100, 1_000_000)]

    assert ["pass", "fail"] == answers


def test_a_ramp_into_overload_is_a_result_and_not_an_invalid_run(make_run: Make, judge: Judge) -> None:
    rows = make_run()
    rows["done_ns"] += np.linspace(0, 2e8, len(rows)).astype(np.int64)

    assert "invalid" == judge(rows).measurement
    reasons = judge(rows, arrivals="ramp", from_per_s=10.0, to_per_s=990.0).reasons
    assert not any("rose" in reason or "shifted" in reason or "more than it can do" in reason for reason in reasons)


def test_the_throughput_of_a_mix_counts_the_rows_of_all_its_sizes(make_run: Make, judge: Judge) -> None:
    from modeldyno.records.workload import parse_row_mix

    rows = make_run()
    rows["rows"] = np.tile([1, 1, 1, 9], 500)
    verdict = judge(rows, "throughput>=1400/s", row_mix=parse_row_mix("1:3,9:1")).objectives[0]

    assert "pass" == verdict.verdict
    assert "1,500/s" in verdict.evidence
