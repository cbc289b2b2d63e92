"""Artifacts of a model: made by the recipes of `dyno tune`, raced in turns, told of in a table.

All compute the same row, one after the other, round by round, so that whatever changes on the machine meets them all.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from conditions import median_of, spread, table

from modeldyno.api.artifacts.opening import artifact_of, open_artifact
from modeldyno.api.artifacts.recipe import Situation
from modeldyno.api.artifacts.recipes import make_artifacts
from modeldyno.data.files import open_dataset
from modeldyno.loadgen.watching.stolen_time import ProcessorTime, stolen_fraction
from modeldyno.machine.environment import capture_environment
from modeldyno.models.examine import examine
from modeldyno.protocols import Session, Silent, Tensors
from modeldyno.records.artifact import Artifact
from modeldyno.records.search import Refusal

CALLS = 8
"""Of each artifact in a round."""


class Contender(NamedTuple):
    """An artifact, ready to compute, and what it took a call in each round."""

    artifact: Artifact
    session: Session
    wall_ms: list[float]
    cpu_ms: list[float]


class Column(NamedTuple):
    """A column of the table that only one model has."""

    name: str
    cell: Callable[[Mapping[str, Any]], str]


class Described(NamedTuple):
    """The words of a table."""

    row: str
    """What a call computes one of."""
    reference: str
    """Whose speed counts as 1."""
    agreement: Sequence[Column]
    """How far the answers are those of the model as it came."""


def make_contenders(
    path: Path, calibration: Path, place: Path, *, task: Literal["classification"] | None = None
) -> tuple[list[Contender], list[Refusal]]:
    """The model at `path` as it came and everything that the recipes make of it.

    Args:
        path: of the model.
        calibration: a file of rows.
        place: a folder for what is made.
        task: where the file does not say.

    Returns:
        Them, the model as it came first, and what could not be made.
    """
    model = examine(path, trust=False, task=task)
    situation = Situation(
        model=model,
        dataset=open_dataset(calibration, model.signature, label=None),
        folder=place / "artifacts",
        cpu_flags=capture_environment().cpu_flags,
        trust=False,
    )
    original = artifact_of(model)
    made, refused = make_artifacts(original, situation, progress=Silent(), is_time_up=lambda: False)
    return [Contender(one, open_artifact(one), [], []) for one in (original, *made)], refused


def race(contenders: Sequence[Contender], rows: Sequence[Tensors], rounds: int) -> list[float | None]:
    """Time each in turns; what the hypervisor took in each round."""
    for one in contenders:
        one.session.run(rows[0])
    stolen = []
    for number in range(rounds):
        before = ProcessorTime.read()
        for one in contenders:
            row = rows[number % len(rows)]
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(CALLS):
                one.session.run(row)
            one.wall_ms.append((time.perf_counter() - wall) / CALLS * 1e3)
            one.cpu_ms.append((time.process_time() - cpu) / CALLS * 1e3)
        stolen.append(stolen_fraction(before, ProcessorTime.read()))
    return stolen


def timings(one: Contender, reference: Contender) -> dict[str, Any]:
    """The figures of one artifact, and how much faster than the reference it is in each round."""
    return {
        "name": one.artifact.name,
        "recipe": one.artifact.recipe,
        "size_bytes": one.artifact.size_bytes,
        "wall_ms": one.wall_ms,
        "cpu_ms": one.cpu_ms,
        "faster": [own / other for own, other in zip(reference.wall_ms, one.wall_ms, strict=True)],
        "faster_cpu": [own / other for own, other in zip(reference.cpu_ms, one.cpu_ms, strict=True)],
    }


def best_of(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The fastest."""
    return max(found, key=lambda one: median_of(one["faster"]) or 0.0)


def stolen_line(stolen: Sequence[float | None]) -> str:
    """What the hypervisor took during the race."""
    shares = [100 * share for share in stolen if share is not None]
    return f"Processor time that the hypervisor gave to others: {spread(shares, 1)} %."


def contender_lines(found: Sequence[dict[str, Any]], refused: Sequence[Refusal], words: Described) -> list[str]:
    """The table, what each artifact is, and an empty line."""
    columns = (
        "artifact", f"ms a {words.row}", f"CPU ms a {words.row}", f"speed × {words.reference}",
        "the same in CPU time", "MB",
    )  # fmt: skip
    rows = [
        [
            one["name"],
            spread(one["wall_ms"], 1),
            spread(one["cpu_ms"], 1),
            spread(one["faster"], 2),
            spread(one["faster_cpu"], 2),
            f"{one['size_bytes'] / 1e6:.1f}",
            *(column.cell(one) for column in words.agreement),
        ]
        for one in found
    ]
    return [
        *table((*columns, *(column.name for column in words.agreement)), rows),
        *(f"- {one['name']}: {one['recipe']}" for one in found),
        *(f"- not made, {one.name}: {one.reason}" for one in refused),
        "",
    ]
