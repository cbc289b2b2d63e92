"""A server held against its own twin, live: what is called a difference there is none."""

from pathlib import Path

import pytest

from modeldyno.api.comparing import compare
from modeldyno.api.load.questions.ask import Ask
from modeldyno.api.load.turns import BlockPlan
from modeldyno.api.load.workloads import Shape
from modeldyno.records.comparison import Comparison
from modeldyno.stats.comparison import Terms
from modeldyno.testing.known_servers import Behaviour, known_server
from modeldyno.testing.service_times import ServiceTimes

TRIALS = 6
MOST_DIFFERENT = 2
"""Of six where each is called different with a chance of 5 %: three or more are in one of 450 series."""
METRICS = ("p50", "p90", "throughput")


def compared(directory: Path, seed: int) -> Comparison:
    """Two M/M/1 queues at 40 % load, alike in all but the seed of their service times."""
    one, other = (
        Behaviour(service=ServiceTimes(shape="exponential", mean_ns=2_000_000), seed=seed + series)
        for series in (0, 1_000)
    )
    shape = Shape(duration_ns=3_000_000_000, warmup_ns=100_000_000, seed=seed)
    plan = BlockPlan(rate_per_s=200, blocks=6, ask=Ask(model="known"), shape=shape)
    with known_server(one) as a, known_server(other) as b:
        return compare(a.url, b.url, terms=Terms(metrics=METRICS), plan=plan, out=directory)[0]


@pytest.mark.slow
@pytest.mark.real_time
@pytest.mark.timeout(600)
def test_twins_are_seldom_called_different(tmp_path: Path) -> None:
    found = [compared(tmp_path / f"{seed}.compare", seed) for seed in range(TRIALS)]

    different = [one for one in found if {metric.change for metric in one.metrics} & {"better", "worse"}]
    assert len(different) <= MOST_DIFFERENT
    assert all(600 == one.a.requests == one.b.requests for one in found)
    # It does look: what was measured of each has a ratio, or was too disturbed for one.
    assert any(metric.ratio is not None for one in found for metric in one.metrics if metric.metric == "p50")
