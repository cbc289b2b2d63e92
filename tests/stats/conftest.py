"""Simulated runs with known truth."""

from collections.abc import Callable

import numpy as np
import pytest

from modeldyno.records.requests import Outcome, empty_requests
from modeldyno.records.workload import EffectiveWorkload, Workload

Rows = np.ndarray


@pytest.fixture
def workload() -> Workload:
    return Workload(url="http://127.0.0.1:1", model="m", rate_per_s=500.0, requests=2000, warmup_requests=0, seed=1)


@pytest.fixture
def effective() -> EffectiveWorkload:
    return EffectiveWorkload(
        connections=8, workers=1, client_cpu_fraction=0.3, server_cpu_ns=None, server_peak_memory_bytes=50_000_000
    )


@pytest.fixture
def make_run() -> Callable[..., Rows]:
    """A run at 500/s whose service times are exponential, with a mean of 1 ms, and independent."""

    def make(count: int = 2000, *, seed: int = 1, service_ns: float = 1e6, late_ns: float = 30e3) -> Rows:
        random = np.random.default_rng(seed)
        rows = empty_requests(count)
        planned = np.cumsum(random.exponential(2e6, count)).astype(np.int64)
        rows["planned_ns"] = planned
        rows["sent_ns"] = planned + random.exponential(late_ns, count).astype(np.int64)
        rows["done_ns"] = rows["sent_ns"] + (2e5 + random.exponential(service_ns, count)).astype(np.int64)
        rows["first_byte_ns"] = rows["done_ns"] - 1000
        rows["outcome"] = Outcome.OK
        rows["status"] = 200
        rows["measured"] = True
        rows["rows"] = 1
        rows["sent_bytes"] = 300
        rows["received_bytes"] = 100
        return rows

    return make


@pytest.fixture
def make_queue() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Planned and done moments, ns, of `runs` M/M/1 queues with 1 ms of service, each shape [runs, count]."""

    def make(runs: int, count: int, load: float, *, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng(seed)
        service = random.exponential(1e6, (runs, count))
        gaps = random.exponential(1e6 / load, (runs, count))
        start = np.zeros(runs)
        if load < 1:  # the stationary waiting time: none with probability 1 - load, else exponential
            start = np.where(random.random(runs) < load, random.exponential(1e6 / (1 - load), runs), 0.0)
        steps = np.cumsum(service[:, :-1] - gaps[:, 1:], axis=1)
        walk = np.concatenate([np.zeros((runs, 1)), steps], axis=1)
        # Lindley's recursion W' = max(0, W + S - A) in closed form: the walk above its running minimum.
        wait = np.maximum(start[:, None] + walk, walk - np.minimum.accumulate(walk, axis=1))
        planned = np.cumsum(gaps, axis=1)
        return planned.astype(np.int64), (planned + wait + service).astype(np.int64)

    return make
