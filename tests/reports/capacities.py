"""Searches for capacity, one for each way to end, concluded by the code that concludes real ones."""

from tests.reports import samples

from modeldyno.records.base import Estimate
from modeldyno.records.capacity import Capacity, CapacitySettings, Probe, ProbeAnswer, ProbeVerdict, Purpose
from modeldyno.records.objective import parse_objectives
from modeldyno.records.run import LatencySummary
from modeldyno.stats.capacity import concluded

REASONS: dict[ProbeAnswer, str] = {
    "pass": "12 of 6,000 requests took longer than the limit or failed: at most 0.4 %, where p99 allows 1.0 %",
    "fail": "the backlog grew: 4.1, 19.0, 38.7, 61.2 requests outstanding on average in the four quarters of the run",
    "undecided": "p99 18.8 ms [16.1 ms, 23.9 ms] over 16,000 requests; the limit is 20.0 ms",
    "client_limited": "the busiest sending process used 97 % of a core: the client is the bottleneck",
}


def latency(p50_ms: float, p99_ms: float | None) -> LatencySummary:
    def at(value: float | None) -> Estimate | None:
        return None if value is None else Estimate(value=value * 1e6, low=value * 0.95e6, high=value * 1.08e6)

    return LatencySummary(
        mean_ns=at(p50_ms * 1.2),
        p50_ns=at(p50_ms),
        p90_ns=at(p50_ms * 2),
        p95_ns=at(p50_ms * 3),
        p99_ns=at(p99_ms),
        p999_ns=None,
        max_ns=None,
    )


def probe(
    rate: float,
    answer: ProbeAnswer,
    p99_ms: float | None,
    *,
    purpose: Purpose = "bisect",
    seconds: float = 3,
    cpu: float = 0.11,
) -> Probe:
    requests = round(rate * seconds)
    return Probe(
        rate_per_s=rate,
        purpose=purpose,
        verdict=ProbeVerdict(
            answer=answer, reason=REASONS[answer], leans_to_pass=answer in ("pass", "undecided"), objectives=()
        ),
        runs=("probes/0001",),
        disturbed=0,
        duration_ns=round(seconds * 1e9),
        requests=requests,
        answered=requests - (answer == "fail") * requests // 50,
        rate_delivered_per_s=rate,
        client_cpu_fraction=cpu,
        response_time=latency(1.1 if p99_ms is None else p99_ms / 2.4, p99_ms),
        measured_at="2026-03-14T12:00:00+00:00",
    )


CLIMB = (
    probe(50, "undecided", None, purpose="climb"),
    probe(200, "pass", 2.4, purpose="climb"),
    probe(400, "pass", 3.1, purpose="climb"),
    probe(800, "pass", 5.9, purpose="climb"),
)
BEYOND = (probe(1600, "fail", None, purpose="climb"), probe(1131, "fail", 61.0))
CLOSE = (probe(951, "pass", 11.2), probe(1037, "undecided", 18.8, seconds=30), probe(1080, "fail", 31.0))
CONFIRMED = (probe(951, "pass", 11.6, purpose="confirm", seconds=12),)


def capacity(*probes: Probe, why: str = "settled", up_to: float | None = None) -> Capacity:
    return concluded(
        Capacity(
            tool_version="0.1.0",
            fingerprint=samples.digest("d"),
            started_at="2026-03-14T11:58:00+00:00",
            state="complete" if why == "settled" else "interrupted",
            elapsed_ns=97_300_000_000,
            environment=samples.ENVIRONMENT,
            target="http://127.0.0.1:8000",
            model="digits",
            data="digits.npz, 599 rows, 64 features, labels y",
            objectives=parse_objectives("p99<20ms, error_rate<0.1%"),
            settings=CapacitySettings(up_to_per_s=up_to),
            probes=probes,
            report="out/digits.capacity.html",
        ),
        why,
    )


def found() -> Capacity:
    return capacity(*CLIMB, *BEYOND, *CLOSE, *CONFIRMED)


def ceiling() -> Capacity:
    return capacity(*CLIMB, probe(800, "pass", 6.0, purpose="confirm", seconds=12), up_to=800)


def lowest_fails() -> Capacity:
    return capacity(probe(50, "fail", 61.0, purpose="climb"))


def client_limited() -> Capacity:
    return capacity(*CLIMB, probe(1600, "client_limited", None, purpose="climb", cpu=0.97))


def out_of_budget() -> Capacity:
    return capacity(*CLIMB, *BEYOND, why="budget")


def interrupted() -> Capacity:
    return capacity(why="interrupted")
