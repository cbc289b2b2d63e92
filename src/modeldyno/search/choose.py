"""Pure choices of the search: who is good enough, who goes to the final, who wins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modeldyno.records.objective import LATENCY_METRICS, Objective
from modeldyno.records.search import Assessed, Finalist
from modeldyno.records.speed import SpeedPoint

_PRECISION_ORDER = {"fp64": 0, "fp32": 0, "mixed": 1, "fp16": 1, "bf16": 1, "int8": 2, "int4": 3}
COMPUTE_SHARE = 0.5
"""Of a latency limit: a batch that computes longer leaves too little for the queue and the wire."""
HEADROOM = 10
"""A deployment that computes this many times the asked rate is fast enough: more speed in process is of no use to a
service at that rate, and what a request costs the server decides instead."""
SAME_COST = 0.1
"""Server CPU times a request closer than this are equal."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What decides between deployments, beside the measurements."""

    objectives: tuple[Objective, ...]
    rate_per_s: float
    precisions: Mapping[str, str]
    """Artifact name to precision."""

    @property
    def latency_limit_ns(self) -> float | None:
        """The tightest limit on any latency."""
        limits = [one.limit for one in self.objectives if one.kind == "latency" and one.limit is not None]
        return min(limits, default=None)

    @property
    def direction(self) -> Objective | None:
        """What the user asked to maximise or minimise, if anything."""
        return next((one for one in self.objectives if not one.is_limit), None)


def passes_quality(assessed: Assessed) -> bool:
    """Whether every quality objective passes; one that fails or cannot be told does not."""
    return all(verdict.verdict == "pass" for verdict in assessed.verdicts)


def quality_gate(assessed: Sequence[Assessed]) -> tuple[list[Assessed], list[tuple[str, str]]]:
    """Who may go on, and who may not with the reason.

    A candidate that cannot be told goes on only when nobody passes: it is never preferred to one that does.
    """
    passing = [one for one in assessed if passes_quality(one)]
    if passing:
        return passing, [(one.artifact.name, _reason(one)) for one in assessed if one not in passing]
    unsure = [one for one in assessed if all(verdict.verdict != "fail" for verdict in one.verdicts)]
    return unsure, [(one.artifact.name, _reason(one)) for one in assessed if one not in unsure]


def _reason(assessed: Assessed) -> str:
    words = {"fail": "fails", "cannot_tell": "cannot tell"}
    return "; ".join(f"{words[v.verdict]}: {v.evidence}" for v in assessed.verdicts if v.verdict in words)


def simplicity(point: SpeedPoint, wishes: Wishes) -> tuple[int, int, int, int]:
    """What decides between ties, smaller first: precision closest to the original, fewest cores, smallest batch."""
    deployment = point.deployment
    precision = wishes.precisions.get(deployment.artifact, "")
    return (_PRECISION_ORDER.get(precision, 3), cores_of(point), deployment.instances, point.batch_rows)


def cores_of(point: SpeedPoint) -> int:
    """Cores that a deployment keeps busy when it computes."""
    return point.deployment.session.threads * point.deployment.instances


def shortlist(points: Sequence[SpeedPoint], wishes: Wishes) -> list[SpeedPoint]:
    """Who is put under real load: the fastest by items per second, and the fastest on one core.

    When the fastest needs one core only, the second is the fastest of another artifact. Of a group of ties the
    simplest is taken. A batch that computes longer than `COMPUTE_SHARE` of the latency limit is left out, unless
    nothing else is there.
    """
    limit_ns = wishes.latency_limit_ns
    roomy = [p for p in points if limit_ns is None or p.batch_time_ns.value <= COMPUTE_SHARE * limit_ns] or list(points)
    if not roomy:
        return []
    lead = _simplest_of_the_fastest(roomy, wishes)
    if cores_of(lead) > 1:
        others = [p for p in roomy if cores_of(p) == 1]
    else:
        others = [p for p in roomy if p.deployment.artifact != lead.deployment.artifact]
    return [lead, _simplest_of_the_fastest(others, wishes)] if others else [lead]


def _simplest_of_the_fastest(points: Sequence[SpeedPoint], wishes: Wishes) -> SpeedPoint:
    lead = max(points, key=lambda p: p.items_per_s.value)
    return min((p for p in points if _is_tied(p, lead)), key=lambda p: simplicity(p, wishes))


def _is_tied(point: SpeedPoint, lead: SpeedPoint) -> bool:
    """Whether the intervals touch."""
    if point is lead:
        return True
    mine, theirs = point.items_per_s, lead.items_per_s
    highest = mine.high if mine.high is not None else mine.value
    lowest = theirs.low if theirs.low is not None else theirs.value
    return highest >= lowest


def best_finalist(finalists: Sequence[Finalist], wishes: Wishes) -> Finalist:
    """The winner: objectives kept first, then the user's direction, then speed, then what a request costs.

    Speed beyond `HEADROOM` times the asked rate counts as equal. Among those that are equal in speed the one whose
    server spends the least CPU time a request wins; within `SAME_COST` of it, the fastest, and of ties the simplest.

    Only an objective that failed is held against a deployment. That a proof was too short or not valid says nothing
    about what was proven: a noisy minute must not hand the win to a slower deployment.
    """
    lead = max(finalists, key=lambda f: (-failures(f), _worth(f, wishes)))
    rivals = [f for f in finalists if failures(f) == failures(lead) and _is_equal(f, lead, wishes)]
    costs = [f.proof.server_cpu_ns_per_request for f in rivals]
    known = [cost for cost in costs if cost is not None]
    if known:
        limit = min(known) * (1 + SAME_COST)
        rivals = [f for f, cost in zip(rivals, costs, strict=True) if cost is not None and cost <= limit]
    fastest = max(rivals, key=lambda f: f.speed.items_per_s.value)
    tied = [f for f in rivals if _is_tied(f.speed, fastest.speed)]
    return min(tied, key=lambda f: simplicity(f.speed, wishes))


def failures(finalist: Finalist) -> int:
    """How many objectives failed under load."""
    return sum(one.verdict == "fail" for one in finalist.proof.verdict.objectives)


def _worth(finalist: Finalist, wishes: Wishes) -> float:
    direction = wishes.direction
    if direction is None:
        return min(finalist.speed.items_per_s.value, HEADROOM * wishes.rate_per_s)
    if direction.metric == "throughput":
        return finalist.speed.items_per_s.value
    value = _measured(finalist, direction)
    return float("-inf") if value is None else -value


def _measured(finalist: Finalist, direction: Objective) -> float | None:
    if direction.metric == "memory":
        return finalist.proof.server_peak_memory_bytes
    if direction.kind == "latency":
        estimate = getattr(finalist.proof.summary.response_time, f"{LATENCY_METRICS[direction.metric]}_ns")
        return None if estimate is None else float(estimate.value)
    return None


def _is_equal(one: Finalist, lead: Finalist, wishes: Wishes) -> bool:
    if one is lead:
        return True
    direction = wishes.direction
    if direction is not None and direction.metric != "throughput":
        return False
    is_enough = direction is None and _worth(one, wishes) >= HEADROOM * wishes.rate_per_s
    return is_enough or _is_tied(one.speed, lead.speed)
