"""`evaluate`: how right a model or bundle answers."""

from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modeldyno import __version__
from modeldyno.api.answers import answer_all, resolved_task
from modeldyno.api.subjects import Subject, subject_at
from modeldyno.clock import Clock, SystemClock
from modeldyno.data.files import open_dataset
from modeldyno.errors import DataError, ObjectiveError
from modeldyno.machine.environment import capture_environment
from modeldyno.protocols import Dataset, Progress, Silent
from modeldyno.quality.assess import assess, compare
from modeldyno.quality.judge import judge_quality
from modeldyno.quality.labels import note_unseen_labels
from modeldyno.records.artifact import Task
from modeldyno.records.evaluation import Evaluation
from modeldyno.records.objective import Objective, parse_objectives
from modeldyno.seeds import DEFAULT_SEED


def evaluate(  # noqa: PLR0913 - keyword-only, each an option of the verb
    model: str | PathLike[str],
    *,
    data: str | PathLike[str],
    label: str | None = None,
    reference: str | PathLike[str] | None = None,
    slo: str = "",
    trust: bool = False,
    task: Task | None = None,
    seed: int = DEFAULT_SEED,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Evaluation:
    """Quality of a model or bundle on labelled rows, with intervals, alone or pair by pair against a reference.

    Args:
        model: model file or bundle directory.
        data: file with rows and labels.
        label: column or array that holds the labels.
        reference: model or bundle to compare with on the same rows; needed for objectives on a drop.
        slo: quality objectives, such as `"accuracy>=0.97, f1_macro_drop<=0.5%"`.
        trust: allow files that can run code when they are loaded.
        task: what the model does, when its file does not say.
        seed: of the resampling.
        progress: where to report how far it is.
        clock: the clock of the record.

    Raises:
        InputError, TrustError: see `inspect`.
        DataError: the data do not fit the model or have no labels.
        ObjectiveError: an objective does not parse or is not about quality.
    """
    progress, clock = progress or Silent(), clock or SystemClock()
    objectives = quality_objectives(slo, has_reference=reference is not None)
    subject = subject_at(Path(model), trust=trust, task=task)
    dataset = open_dataset(Path(data), subject.signature, label=label)
    if dataset.labels is None:
        raise DataError(
            f"{data} has no labels",
            why="quality is the agreement with labels",
            hint="name the label column or array with --label",
        )
    task = resolved_task(subject.task, dataset.labels)
    answers = _answers(subject, dataset, task, progress)
    quality = assess(answers, dataset.labels, task, seed=seed, labels_digest=dataset.digest)
    unseen = note_unseen_labels(dataset.labels, subject.classes) if task == "classification" else None
    change = None
    if reference is not None:
        against = subject_at(Path(reference), trust=trust, task=task)
        change = compare(_answers(against, dataset, task, progress), answers, dataset.labels, task, seed=seed)
    return Evaluation(
        tool_version=__version__,
        evaluated_at=clock.wall_time(),
        environment=capture_environment(),
        subject=str(model),
        data=dataset.describe(),
        quality=quality,
        reference=None if reference is None else str(reference),
        change=change,
        objectives=objectives,
        verdicts=tuple(judge_quality(objective, quality, change) for objective in objectives),
        notes=() if unseen is None else (unseen,),
    )


def quality_objectives(slo: str, *, has_reference: bool) -> tuple[Objective, ...]:
    """The objectives in `slo`, all of which must be about quality.

    Raises:
        ObjectiveError: one is about speed, or is about a change and there is nothing to compare with.
    """
    objectives = parse_objectives(slo) if slo.strip() else ()
    for objective in objectives:
        if not objective.is_about_quality:
            raise ObjectiveError(
                f"evaluate cannot judge {objective.text!r}",
                why="it measures quality only",
                hint="judge speed under load with: dyno load URL --slo ..., or both with: dyno tune",
            )
        if objective.kind == "quality_change" and not has_reference:
            raise ObjectiveError(
                f"{objective.text!r} needs a model to compare with",
                hint="add --reference ORIGINAL, or use an absolute limit such as accuracy>=97%",
            )
    return objectives


def _answers(subject: Subject, dataset: Dataset, task: Task, progress: Progress) -> NDArray[np.generic]:
    session = subject.open()
    try:
        return answer_all(session, dataset, task=task, classes=subject.classes, progress=progress)
    finally:
        session.close()
