"""What averaging over copies of each row gains and costs, in words."""

from collections.abc import Sequence

from modeldyno.bench.standings import speed_ratio
from modeldyno.records.artifact import Artifact
from modeldyno.records.base import Estimate
from modeldyno.records.search import Assessed
from modeldyno.records.speed import SpeedPoint
from modeldyno.reports.estimates import plural, ratio_text
from modeldyno.reports.robustness import gain_texts
from modeldyno.search.losses import alone, parent_of

AVERAGED = "onnx-tta-"
"""How the names of such artifacts begin."""


def is_averaged(artifact: Artifact) -> bool:
    """Whether an artifact answers each row together with copies of it."""
    return artifact.name.startswith(AVERAGED)


def averaging_reasons(assessed: Sequence[Assessed], points: Sequence[SpeedPoint]) -> list[str]:
    """One sentence for each averaged artifact that was measured: what it gains and costs against its parent."""
    found = []
    for one in assessed:
        mine = alone(points, one.artifact.name) if is_averaged(one.artifact) else []
        if not mine:
            continue
        parent = parent_of(one.artifact, assessed) or ""
        pairs = [(a, b) for a in mine for b in alone(points, parent) if a.batch_rows == b.batch_rows]
        costs = []
        if pairs:
            largest = max(pairs, key=lambda pair: pair[0].batch_rows)
            than = "the model as it came" if parent == "original" else parent
            costs = [cost_text(speed_ratio(*largest), rows=largest[0].batch_rows, than=than)]
        told = [*gain_texts(one.quality, one.change), *costs]
        found.append(f"{one.artifact.name}: {'; '.join(told)}")
    return found


def cost_text(ratio: Estimate, *, rows: int, than: str) -> str:
    """How many times as fast as `than` calls of so many rows are."""
    return f"{ratio_text(ratio)} as fast as {than} with calls of {plural(rows, 'row')}"
