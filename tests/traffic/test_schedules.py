import numpy as np
import pytest

from modeldyno.records.workload import Workload
from modeldyno.traffic.constant import constant
from modeldyno.traffic.gamma import gamma
from modeldyno.traffic.poisson import poisson
from modeldyno.traffic.schedules import planned_moments


def workload(**changes: object) -> Workload:
    return Workload(
        **{
            "url": "http://x", "model": "m", "rate_per_s": 100.0, "requests": 2_000, "warmup_requests": 100, "seed": 3,
            **changes,
        }  # type: ignore[arg-type]
    )  # fmt: skip


def test_the_named_processes_are_those_of_their_functions() -> None:
    assert (
        constant(rate_per_s=100.0, requests=2_100, seed=3).tolist()
        == planned_moments(workload(arrivals="constant")).tolist()
    )
    assert (
        poisson(rate_per_s=100.0, requests=2_100, seed=3).tolist()
        == planned_moments(workload(arrivals="poisson")).tolist()
    )
    bursts = planned_moments(workload(arrivals="gamma", burstiness=0.5))
    assert gamma(rate_per_s=100.0, requests=2_100, seed=3, burstiness=0.5).tolist() == bursts.tolist()


@pytest.mark.parametrize("name", ("ramp", "step", "spike"))
def test_the_warm_up_of_a_changing_rate_has_the_rate_it_begins_with(name: str) -> None:
    planned = planned_moments(
        workload(arrivals=name, rate_per_s=1_000.0, requests=4_000, from_per_s=400.0, to_per_s=1_600.0,
                 warmup_requests=4_000)
    )  # fmt: skip

    assert 8_000 == len(planned)
    assert abs(planned[4_000] / 1e9 - 10) < 10 * 5 / np.sqrt(4_000)


def test_replays_and_closed_loops_have_no_formula() -> None:
    assert 0 == len(planned_moments(workload(arrivals="replay")))
    assert 0 == len(planned_moments(workload(arrivals="closed", concurrency=2)))
