"""Pure choices of the search: who is good enough, who goes to the final, who wins."""

from collections.abc import Sequence

from modeldyno.records.objective import Objective
from modeldyno.records.search import Assessed, Finalist
from modeldyno.records.speed import SpeedPoint
from modeldyno.records.verdict import ObjectiveVerdict

_PRECISION_ORDER = {"fp64": 0, "fp32": 0, "mixed": 1, "fp16": 1, "int8": 2}


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
    return "; ".join(f"{_VERB[v.verdict]}: {v.evidence}" for v in assessed.verdicts if v.verdict != "pass")


_VERB = {"fail": "fails", "cannot_tell": "cannot tell", "pass": "passes"}


def simplicity(point: SpeedPoint, precision: str) -> tuple[int, int, int, int]:
    """What decides between ties, smaller first: precision closest to the original, fewest cores, smallest batch."""
    deployment = point.deployment
    cores = deployment.session.threads * deployment.instances
    return (_PRECISION_ORDER.get(precision, 3), cores, deployment.instances, point.batch_rows)


def shortlist(
    points: Sequence[SpeedPoint], precisions: dict[str, str], *, size: int, reserve: float = 0.5, limit_ns: float | None
) -> list[SpeedPoint]:
    """The points to prove, best first: the fastest by items per second, at most one for each artifact and shape.

    Of each group of ties the simplest is taken. A batch whose compute time uses more than `reserve` of the latency
    limit is left out, for the queue and the wire need the rest, unless nothing else is there.
    """
    roomy = [p for p in points if limit_ns is None or p.batch_time_ns.value <= reserve * limit_ns] or list(points)
    order = sorted(roomy, key=lambda p: -p.items_per_s.value)
    chosen: list[SpeedPoint] = []
    while order and len(chosen) < size:
        lead = order[0]
        tied = [p for p in order if _is_tied(p, lead)]
        pick = min(tied, key=lambda p: simplicity(p, precisions.get(p.deployment.artifact, "")))
        chosen.append(pick)
        group = _group(pick)
        order = [p for p in order if _group(p) != group]
    return chosen


def _is_tied(point: SpeedPoint, lead: SpeedPoint) -> bool:
    if point is lead:
        return True
    mine, theirs = point.items_per_s, lead.items_per_s
    return (mine.high if mine.high is not None else mine.value) >= (
        theirs.low if theirs.low is not None else theirs.value
    )


def _group(point: SpeedPoint) -> tuple[str, str, int, int]:
    d = point.deployment
    return (d.artifact, d.runtime, d.session.threads, d.instances)


def best_finalist(
    finalists: Sequence[Finalist], objectives: Sequence[Objective], precisions: dict[str, str]
) -> Finalist:
    """The winner: most objectives kept first, then what the user asked to maximise or minimise, then speed.

    Among equals in speed the simplest wins.
    """
    direction = next((objective for objective in objectives if not objective.is_limit), None)
    lead = max(finalists, key=lambda f: (*_standing(f), _worth(f, direction)))
    rivals = [f for f in finalists if _standing(f) == _standing(lead) and _equal_worth(f, lead, direction)]
    return min(rivals, key=lambda f: simplicity(f.speed, precisions.get(f.deployment.artifact, "")))


def _standing(finalist: Finalist) -> tuple[int, int]:
    """Objectives not failed, then whether the measurement is valid: both more is better."""
    verdicts: tuple[ObjectiveVerdict, ...] = finalist.proof.verdict.objectives
    score = -sum({"fail": 2, "cannot_tell": 1, "pass": 0}[v.verdict] for v in verdicts)
    return (score, int(finalist.proof.verdict.measurement == "valid"))


def _worth(finalist: Finalist, direction: Objective | None) -> float:
    if direction is None or direction.metric == "throughput":
        return finalist.speed.items_per_s.value
    value = _measured(finalist, direction)
    return float("-inf") if value is None else -value


def _measured(finalist: Finalist, direction: Objective) -> float | None:
    if direction.metric == "memory":
        return finalist.proof.server_peak_memory_bytes
    if direction.kind == "latency":
        from modeldyno.records.objective import LATENCY_METRICS

        estimate = getattr(finalist.proof.summary.response_time, f"{LATENCY_METRICS[direction.metric]}_ns")
        return None if estimate is None else estimate.value
    return None


def _equal_worth(one: Finalist, lead: Finalist, direction: Objective | None) -> bool:
    if one is lead:
        return True
    if direction is None or direction.metric == "throughput":
        return _is_tied(one.speed, lead.speed)
    return False
