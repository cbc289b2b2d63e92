"""What a search found, picked out of its record: the winner's measurements, the reference, the counts."""

from modeldyno.records.artifact import Model
from modeldyno.records.base import Record
from modeldyno.records.bundle import Proof
from modeldyno.records.quality import Quality
from modeldyno.records.run import Summary
from modeldyno.records.search import Assessed, Finalist, Refusal, Search
from modeldyno.records.signature import TensorSpec
from modeldyno.records.speed import SpeedPoint


class Tally(Record, frozen=True, kw_only=True):
    """How many candidates went which way; the three parts add up to `tried`."""

    tried: int
    measured: int
    clearly_slower: int
    refused: int


def tally(search: Search) -> Tally:
    """Count the candidates of a search."""
    slower = sum(is_clearly_slower(point) for point in search.points)
    return Tally(
        tried=len(search.points) + len(search.refused),
        measured=len(search.points) - slower,
        clearly_slower=slower,
        refused=len(search.refused),
    )


def is_clearly_slower(point: SpeedPoint) -> bool:
    """Whether the race dropped it, or ended with it clearly behind."""
    return point.stopped_early or point.standing == "clearly_slower"


def fastest_first(points: tuple[SpeedPoint, ...]) -> list[SpeedPoint]:
    """By items per second; equal ones in a fixed order, so that equal records give equal text."""
    return sorted(points, key=lambda point: (-point.items_per_s.value, point.deployment.label, point.batch_rows))


def finalist_for(search: Search, point: SpeedPoint) -> Finalist | None:
    """The finalist whose speed this point is, if it was put under load."""
    for finalist in search.finalists:
        if finalist.deployment == point.deployment and finalist.speed.batch_rows == point.batch_rows:
            return finalist
    return None


def refusal_of(search: Search, point: SpeedPoint) -> Refusal | None:
    """Why this point is not offered: its artifact or its deployment was refused."""
    names = (point.deployment.artifact, point.deployment.label)
    return next((one for one in search.refused if one.name in names), None)


def winning_finalist(search: Search) -> Finalist | None:
    """The winner under load; None when nothing won or it was not proven."""
    for finalist in search.finalists:
        if finalist.deployment == search.winner:
            return finalist
    return None


def winning_point(search: Search) -> SpeedPoint | None:
    """The winner's speed in process: as a finalist, or else its fastest point."""
    finalist = winning_finalist(search)
    if finalist is not None:
        return finalist.speed
    return next((point for point in fastest_first(search.points) if point.deployment == search.winner), None)


def winning_proof(search: Search) -> Proof | None:
    """The winner's proof; None when nothing won or it was not proven."""
    finalist = winning_finalist(search)
    return finalist.proof if finalist else None


def winning_artifact(search: Search) -> Assessed | None:
    """The artifact that the winner serves, with its quality."""
    if search.winner is None:
        return None
    return assessed_artifact(search.assessed, search.winner.artifact)


def assessed_artifact(assessed: tuple[Assessed, ...], name: str) -> Assessed | None:
    """The assessed artifact of that name."""
    return next((one for one in assessed if one.artifact.name == name), None)


def reference_quality(assessed: tuple[Assessed, ...]) -> Quality | None:
    """The quality of the model as it came: the artifact without a parent."""
    return next((one.quality for one in assessed if one.artifact.parent_digest is None), None)


def tail_level(summary: Summary) -> tuple[str, str] | None:
    """Name and field of the highest of p99, p95 and p90 that the sample supports; None when it supports none."""
    for name, field in (("p99", "p99_ns"), ("p95", "p95_ns"), ("p90", "p90_ns")):
        if getattr(summary.response_time, field) is not None:
            return name, field
    return None


def headline_metrics(quality: Quality) -> list[str]:
    """The few metrics worth a line: accuracy and the macro (or binary) averages, or all of a regression."""
    if quality.task != "classification":
        return list(quality.metrics)
    average = "binary" if "f1_binary" in quality.metrics else "macro"
    wanted = ("accuracy", *(f"{score}_{average}" for score in ("precision", "recall", "f1")))
    return [metric for metric in wanted if metric in quality.metrics]


def model_shape(model: Model) -> str:
    """Rows aside, what goes in and what comes out: `64 → 10 classes`, `3 × 224 × 224 → 1000`."""
    inputs = " + ".join(_row_shape(spec) for spec in model.signature.inputs)
    outputs = " + ".join(_row_shape(spec) for spec in model.signature.outputs)
    return f"{inputs} → {len(model.classes)} classes" if model.classes else f"{inputs} → {outputs}"


def _row_shape(spec: TensorSpec) -> str:
    row = spec.shape[1:] if spec.shape and isinstance(spec.shape[0], str) else spec.shape
    return " × ".join(str(size) for size in row) or "1"
