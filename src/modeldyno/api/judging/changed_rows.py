"""What `evaluate` tells of rows that are changed on purpose: robustness curves, and averaging over changed copies."""

from dataclasses import dataclass, replace

from modeldyno.api.judging.assessment import Assessment, Way
from modeldyno.api.judging.averaging import measure_averaging
from modeldyno.api.judging.robustness import Answered, measure_robustness
from modeldyno.clock import Clock
from modeldyno.errors import DataError
from modeldyno.protocols import Dataset, Session
from modeldyno.quality.rows import Rows
from modeldyno.records.robustness import Perturbation

_TASKS = ("classification", "regression")


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What is done to the rows."""

    perturb: tuple[Perturbation, ...] = ()
    """Quality is told at each severity of each."""
    augment: Perturbation | None = None
    """Answers are averaged over copies changed so, with its first severity."""
    copies: int = 4
    """Beside the row itself."""

    @property
    def is_asked(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.perturb) or self.augment is not None


def changed(
    found: Assessment, session: Session, dataset: Dataset, rows: Rows, *, way: Way, changes: Changes, clock: Clock
) -> Assessment:
    """With what becomes of the answers when the rows are changed.

    Raises:
        DataError: there are no labels, or the change cannot be done to these rows or for this task.
        UsageError: copies that cannot be averaged over.
    """
    if not changes.is_asked:
        return found
    if rows.labels is None or found.answers is None:
        raise DataError("changed rows cannot be judged without labels", hint="name them with --label")
    if way.task not in _TASKS:
        raise DataError(
            f"answers to changed rows cannot be judged for the task {way.task}", why=f"only for {' and '.join(_TASKS)}"
        )
    answered = Answered(session, dataset, rows._replace(slices={}), way.task, found.answers)
    if changes.perturb:
        curves = measure_robustness(answered, changes.perturb, seed=way.seed, progress=way.progress)
        found = replace(found, robustness=curves)
    if changes.augment is not None:
        averaged = measure_averaging(
            answered, changes.augment, copies=changes.copies, seed=way.seed, clock=clock, progress=way.progress
        )
        found = replace(found, augmentation=averaged)
    return found
