"""`compress`: smaller forms of a model, each held against the model as it came."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import msgspec

from modeldyno.api.artifacts.derivation import Comparison, rows_for
from modeldyno.api.artifacts.folder import ArtifactFolder
from modeldyno.api.artifacts.recipes import recipes_for
from modeldyno.api.evaluation import quality_objectives
from modeldyno.api.workshop.candidates import Maker
from modeldyno.clock import Clock, SystemClock
from modeldyno.models.examine import examine
from modeldyno.protocols import Progress, Silent
from modeldyno.quality.judge import labels_needed
from modeldyno.records.artifact import Task
from modeldyno.records.derivation import Derivation
from modeldyno.records.files import write_record
from modeldyno.seeds import DEFAULT_SEED

RECORD = "compression.json"
DEFAULT_QUALITY = "flip_rate<=1%"
"""Asked when the user says nothing about quality."""
_CALIBRATION = "calibration.npz"
_SPEED_SHARE = 0.5
"""Of the budget; nothing more is compressed when the rest is spent."""


def compress(  # noqa: PLR0913 - keyword-only, each an option of the verb
    model: str | PathLike[str],
    *,
    out: str | PathLike[str],
    recipes: Sequence[str] = (),
    data: str | PathLike[str] | None = None,
    label: str | None = None,
    slo: str = "",
    budget_ns: int = 120_000_000_000,
    trust: bool = False,
    force: bool = False,
    task: Task | None = None,
    seed: int = DEFAULT_SEED,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Derivation:
    """Follow recipes, and tell size, operations, answers, quality and speed of each against the model as it came.

    Under `out` it leaves a file for each recipe, named like it, and `compression.json`, the record.

    Args:
        model: model file or directory.
        out: directory for what is made.
        recipes: their names, as `dyno compress --list` shows them; all that `tune` would try when empty.
        data: rows to calibrate with and to compare on, with labels where quality is to be told; made up when None.
        label: column or array that holds the labels.
        slo: quality objectives, such as `"accuracy_drop<=0.5%"`; `flip_rate<=1%` when empty.
        budget_ns: time for all of it; a recipe that has begun is finished.
        trust: allow files that can run code when they are loaded.
        force: replace what an earlier compression left there; other files stay.
        task: what the model does, when its file does not say.
        seed: of resampling and made-up rows.
        progress: where to report how far it is.
        clock: the clock to measure with.

    Raises:
        InputError, TrustError, DataError, ObjectiveError: bad input; nothing was written then.
        OutputError: the directory holds something already, or cannot be written.
        UsageError: there is no recipe of such a name.
    """
    place, clock = Path(out), clock or SystemClock()
    chosen = recipes_for(recipes) if recipes else None
    objectives = quality_objectives(slo.strip() or DEFAULT_QUALITY, has_reference=True, verb="compress")
    examined = examine(Path(model), trust=trust, task=task)
    dataset = rows_for(examined, data, label, seed, trust=trust)
    for objective in objectives:
        if objective.metric != "flip_rate" and dataset.labels is None:
            raise labels_needed(objective, has_data=data is not None)
    folder = ArtifactFolder(place, RECORD)
    folder.take(force=force)
    started_ns = clock.now_ns()
    maker = Maker(
        model=examined,
        dataset=dataset,
        is_real_data=data is not None,
        objectives=objectives,
        work=place,
        trust=trust,
        seed=seed,
        progress=progress or Silent(),
        budget_ns=budget_ns,
        is_time_up=lambda: clock.now_ns() > started_ns + (1 - _SPEED_SHARE) * budget_ns,
        recipes=chosen,
        asked=tuple(recipes),
        place=place,
    )
    try:
        found = Comparison(maker, clock, round(_SPEED_SHARE * budget_ns)).derive(str(place))
        (place / _CALIBRATION).unlink(missing_ok=True)  # rows of the user's data have no place beside a model
        found = msgspec.structs.replace(found, files=folder.written(), notes=(*found.notes, *folder.notes()))
        write_record(place / RECORD, found)
    except BaseException:
        folder.empty()  # half of what was asked for would be taken for the whole
        raise
    return found
