import pytest
from msgspec.structs import replace
from tests.bench.test_capacity import NOTHING, probe

from modeldyno.bench.capacity import Plan
from modeldyno.records.base import Estimate
from modeldyno.records.capacity import Probe
from modeldyno.stats.knee import find_knee


def measured(rate: float, p99_ns: float | None, p50_ns: float | None = None) -> Probe:
    latency = replace(
        NOTHING,
        p99_ns=None if p99_ns is None else Estimate(value=p99_ns),
        p50_ns=None if p50_ns is None else Estimate(value=p50_ns),
    )
    return replace(probe(Plan(rate, "climb", 1), "pass"), response_time=latency)


def test_the_knee_of_a_queue_is_at_half_load() -> None:
    curve = [measured(rate, 1e9 / (1000 - rate)) for rate in (1, 100, 200, 400, 500, 600, 800, 950)]
    knee = find_knee(curve)
    assert knee is not None
    assert "p99" == knee.level
    assert 500 == pytest.approx(knee.rate_per_s, rel=0.02)


def test_an_idle_service_that_is_slow_to_wake_has_its_knee_at_the_other_end() -> None:
    knee = find_knee([measured(50, 5e6), measured(100, 2e6), measured(200, 2e6), measured(400, 8e6)])
    assert knee is not None
    assert 200 < knee.rate_per_s < 400
    assert 2e6 == knee.base_ns


def test_a_lower_level_serves_where_few_probes_support_the_highest() -> None:
    curve = [measured(50, None, 1e6), measured(100, None, 1.1e6), measured(200, 5e6, 4e6)]
    knee = find_knee(curve)
    assert knee is not None
    assert "p50" == knee.level


def test_a_flat_curve_and_a_short_one_have_no_knee() -> None:
    assert find_knee([measured(rate, 1e6) for rate in (50, 100, 200)]) is None
    assert find_knee([measured(50, 1e6), measured(100, 9e6)]) is None
