"""The waiting line driven by simulated time: mean waits are those of queueing theory, and every run is the same."""

from collections import deque
from dataclasses import dataclass

import numpy as np
import pytest

from modeldyno.policies.waiting import Line
from modeldyno.records.deployment import Batching, Lane

SERVICE_NS = 1_000_000


@dataclass(eq=False, slots=True)
class Job:
    """One that waits."""

    queued_ns: int
    lane: int = 0
    rows: int = 1
    key: str = ""
    due_ns: int = 0


def arrivals(load: float, count: int, *, seed: int, lanes: int = 1) -> list[Job]:
    """Poisson arrivals that keep one instance of `SERVICE_NS` a request busy for this share of the time."""
    generator = np.random.default_rng(seed)
    moments = np.cumsum(generator.exponential(SERVICE_NS / load, count)).astype(int).tolist()
    chosen = generator.integers(0, lanes, count).tolist()
    return [Job(moment, lane) for moment, lane in zip(moments, chosen, strict=True)]


def waits_ns(jobs: list[Job], batching: Batching, *, lane: int | None = None) -> list[int]:
    """How long each waited for an instance that takes `SERVICE_NS` for a batch of any size."""
    line: Line[Job] = Line(batching)
    coming = deque(jobs)
    waits: list[int] = []
    now_ns = 0
    while coming or line.rows:
        if not line.rows:
            now_ns = max(now_ns, coming[0].queued_ns)
        while coming and coming[0].queued_ns <= now_ns:
            line.add(coming.popleft())
        batch, _ = line.take(idle_instances=1, now_ns=now_ns)
        assert batch  # no delay is allowed: whoever waits is taken
        waits += [now_ns - job.queued_ns for job in batch if lane in {None, job.lane}]
        now_ns += SERVICE_NS
    return waits


def test_one_at_a_time_waits_as_pollaczek_and_khinchine_say() -> None:
    found = np.mean(waits_ns(arrivals(0.7, 60_000, seed=1), Batching(max_rows=1)))
    # W = ρ s / 2 (1 - ρ) for M/D/1: Kleinrock, Queueing Systems I, section 5.6.
    assert found == pytest.approx(0.7 * SERVICE_NS / (2 * 0.3), rel=0.05)


def test_two_priorities_wait_as_cobham_says() -> None:
    batching = Batching(max_rows=1, lanes=(Lane(), Lane()))
    # W1 = W0 / (1 - ρ1) and W2 = W0 / (1 - ρ1)(1 - ρ) with W0 = λ s² / 2: Cobham, Operations Research 2 (1954).
    rest = 0.7 * SERVICE_NS / 2
    jobs = arrivals(0.7, 60_000, seed=2, lanes=2)
    assert np.mean(waits_ns(jobs, batching, lane=0)) == pytest.approx(rest / 0.65, rel=0.05)
    assert np.mean(waits_ns(jobs, batching, lane=1)) == pytest.approx(rest / (0.65 * 0.3), rel=0.05)


def test_batches_carry_a_load_that_one_at_a_time_could_not_and_nobody_is_lost() -> None:
    jobs = arrivals(4.0, 20_000, seed=3)
    waits = waits_ns(jobs, Batching(max_rows=8))
    assert len(jobs) == len(waits)
    assert max(waits) < 20 * SERVICE_NS


def test_the_same_arrivals_end_the_same_way() -> None:
    batching = Batching(max_rows=4, lanes=(Lane(), Lane()))
    jobs = arrivals(2.0, 2000, seed=4, lanes=2)
    assert waits_ns(jobs, batching) == waits_ns(jobs, batching)
