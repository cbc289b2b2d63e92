from collections.abc import Callable

import numpy as np
import pytest
from msgspec.structs import replace
from tests.reports import samples

from modeldyno.records.base import Estimate
from modeldyno.records.observation import ServerUse
from modeldyno.records.run import Floor, LatencySummary
from modeldyno.records.verdict import MeasurementVerdict
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.stats.judge import judge_run
from modeldyno.stats.summary import summarise

Judge = Callable[..., MeasurementVerdict]
Make = Callable[..., np.ndarray]


def latency(p50_ns: float, p99_ns: float | None) -> LatencySummary:
    return LatencySummary(
        mean_ns=None,
        p50_ns=Estimate(value=p50_ns),
        p90_ns=None,
        p95_ns=None,
        p99_ns=None if p99_ns is None else Estimate(value=p99_ns),
        p999_ns=None,
        max_ns=None,
    )


FLOOR = Floor(
    rate_per_s=500,
    response_time=latency(1e5, 4e5),
    lateness=latency(3e4, 2e5),
    client_cpu_ns_per_request=1e5,
    highest_rate_per_s=10_000,
)


@pytest.fixture
def judge(workload: Workload, effective: EffectiveWorkload) -> Judge:
    def run(rows: np.ndarray, floor: Floor | None, server: ServerUse | None = None) -> MeasurementVerdict:
        summary = summarise(rows, workload, ())
        return judge_run(summary, rows, workload, effective, (), interrupted=False, floor=floor, server=server)

    return run


def test_a_run_far_from_the_floor_has_nothing_to_note(make_run: Make, judge: Judge) -> None:
    verdict = judge(make_run(), FLOOR)
    assert ("valid", []) == (verdict.measurement, [note for note in verdict.notes if "floor" in note])


def test_an_unknown_floor_is_said_with_the_command_that_measures_it(make_run: Make, judge: Judge) -> None:
    assert any("dyno doctor" in note for note in judge(make_run(), None).notes)


def test_a_response_time_near_the_floor_is_mostly_the_instrument(make_run: Make, judge: Judge) -> None:
    near = replace(FLOOR, response_time=latency(6e5, None))
    verdict = judge(make_run(), near)
    assert "valid" == verdict.measurement
    (note,) = [note for note in verdict.notes if "floor" in note]
    assert "most of what was measured is the instrument" in note
    assert "p50" in note
    assert "p99" not in note


def test_a_rate_beyond_the_floor_is_noted_when_the_client_kept_its_schedule(make_run: Make, judge: Judge) -> None:
    verdict = judge(make_run(), replace(FLOOR, highest_rate_per_s=400))
    assert "valid" == verdict.measurement
    assert any("more than the 400/s" in note for note in verdict.notes)


def test_a_rate_beyond_the_floor_is_a_reason_when_the_client_was_late(make_run: Make, judge: Judge) -> None:
    verdict = judge(make_run(late_ns=800e3), replace(FLOOR, highest_rate_per_s=400))
    assert any("starved" in reason for reason in verdict.reasons)
    assert any("more than the 400/s" in reason for reason in verdict.reasons)


def test_a_late_client_within_the_floor_is_not_blamed_on_the_rate(make_run: Make, judge: Judge) -> None:
    assert 1 == len(judge(make_run(late_ns=800e3), FLOOR).reasons)


def test_throttling_is_noted_and_its_absence_is_not(make_run: Make, judge: Judge) -> None:
    held = replace(samples.SERVER, throttled_ns=2_000_000_000, throttled_periods=31)
    assert any("2.00 s in 31 periods" in note for note in judge(make_run(), FLOOR, held).notes)
    calm = replace(samples.SERVER, throttled_ns=0, throttled_periods=0)
    assert not any("quota" in note for note in judge(make_run(), FLOOR, calm).notes)
