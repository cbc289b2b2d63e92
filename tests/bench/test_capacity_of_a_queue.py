"""The whole search, real judge included, against simulated M/M/1 queues whose capacity has a closed form."""

import math

import numpy as np

from modeldyno.bench.capacity import Plan, Rules, search_capacity
from modeldyno.records.capacity import CapacitySettings, Probe
from modeldyno.records.objective import parse_objectives
from modeldyno.records.requests import Outcome, empty_requests
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.stats.capacity import bracket_of
from modeldyno.stats.probes import ProbeRun, joined_rows, judge_probe, requests_needed
from modeldyno.stats.summary import summarise
from modeldyno.testing.clock import ManualClock

S = 1_000_000_000
EFFECTIVE = EffectiveWorkload(
    connections=8, workers=1, client_cpu_fraction=0.2, server_cpu_ns=None, server_peak_memory_bytes=None
)


class Queue:
    """Serves requests in order, with exponential times; p90 of the response time is ln 10 / (served - rate)."""

    def __init__(self, clock: ManualClock, served_per_s: float, seed: int) -> None:
        self.clock, self.served_per_s = clock, served_per_s
        self.generator = np.random.default_rng(seed)
        self.limit_s = 0.004
        self.objectives = parse_objectives("p90<4ms, error_rate<1%")
        self.runs: dict[str, ProbeRun] = {}

    @property
    def capacity_per_s(self) -> float:
        return self.served_per_s - math.log(10) / self.limit_s

    def __call__(self, plan: Plan) -> Probe:
        self.clock.advance_ns(plan.duration_ns + 2 * S)
        kept = plan.earlier.runs if plan.earlier is not None else ()
        names = (*kept, str(len(self.runs)))
        self.runs[names[-1]] = self._run(plan.rate_per_s, plan.duration_ns)
        runs = [self.runs[name] for name in names]
        summary = summarise(joined_rows(runs), runs[-1].workload, self.objectives)
        return Probe(
            rate_per_s=plan.rate_per_s,
            purpose=plan.purpose,
            verdict=judge_probe(runs, self.objectives),
            runs=names,
            disturbed=0,
            duration_ns=plan.duration_ns + (plan.earlier.duration_ns if plan.earlier is not None else 0),
            requests=summary.requests,
            answered=summary.answered,
            rate_delivered_per_s=summary.rate_delivered_per_s,
            client_cpu_fraction=0.2,
            response_time=summary.response_time,
            measured_at="",
        )

    def _run(self, rate: float, duration_ns: int) -> ProbeRun:
        warmup, count = round(rate), round(rate * duration_ns / S)
        gaps = self.generator.exponential(1 / rate, warmup + count)
        service = self.generator.exponential(1 / self.served_per_s, warmup + count)
        walk = np.cumsum(np.concatenate([[0.0], service[:-1] - gaps[1:]]))  # Lindley, 1952
        response = walk - np.minimum.accumulate(walk) + service
        rows = empty_requests(warmup + count)
        rows["planned_ns"] = rows["sent_ns"] = np.cumsum(gaps) * S
        rows["done_ns"] = rows["first_byte_ns"] = rows["planned_ns"] + (response * S).astype(np.int64)
        rows["outcome"], rows["status"], rows["rows"] = Outcome.OK, 200, 1
        rows["measured"] = np.arange(warmup + count) >= warmup
        workload = Workload(url="http://x", model="m", rate_per_s=rate, requests=count, warmup_requests=warmup, seed=1)
        return ProbeRun(rows, workload, EFFECTIVE)


def found_share(seed: int, *, precision: float) -> float:
    """The claimed capacity over the true one."""
    clock = ManualClock()
    queue = Queue(clock, 1500 + 100 * seed, seed)
    settings = CapacitySettings(precision=precision, longest_probe_ns=240 * S)
    rules = Rules(settings, requests_needed(queue.objectives), overhead_ns=2 * S)
    end = search_capacity(queue, rules, clock=clock, deadline_ns=3600 * S)
    bracket = bracket_of(end.probes)
    assert bracket.passed is not None
    assert bracket.is_confirmed
    return bracket.passed.rate_per_s / queue.capacity_per_s


def test_the_capacity_of_a_queue_is_found_and_never_claimed_too_high() -> None:
    shares = [found_share(seed, precision=0.1) for seed in (0, 4, 5)]
    assert max(shares) <= 1.1
    assert min(shares) >= 1 / 1.11
