"""`evaluate`: how right a model, a bundle or a served model answers."""

from contextlib import closing
from os import PathLike
from pathlib import Path

from modeldyno import __version__
from modeldyno.api.judging.answers import resolved_task
from modeldyno.api.judging.assessment import (
    Assessment,
    Beside,
    Way,
    against,
    answers_of,
    assessed,
    rechecked,
    rows_of,
)
from modeldyno.api.judging.changed_rows import Changes, changed
from modeldyno.api.judging.evaluated import Reach, subject_of
from modeldyno.api.judging.rechecking import is_plain_bundle
from modeldyno.clock import Clock, SystemClock
from modeldyno.data.files import open_dataset
from modeldyno.errors import DataError, ObjectiveError
from modeldyno.machine.environment import capture_environment
from modeldyno.protocols import Progress, Silent
from modeldyno.quality.asked import Costs, asked_by
from modeldyno.quality.judge import judge_quality
from modeldyno.records.artifact import Task
from modeldyno.records.evaluation import Evaluation
from modeldyno.records.objective import Objective, parse_objectives
from modeldyno.seeds import DEFAULT_SEED


def evaluate(  # noqa: PLR0913 - keyword-only, each an option of the verb
    model: str | PathLike[str],
    *,
    data: str | PathLike[str] | None = None,
    label: str | None = None,
    beside: Beside | None = None,
    reference: str | PathLike[str] | None = None,
    slo: str = "",
    costs: Costs | None = None,
    changes: Changes | None = None,
    trust: bool = False,
    reach: Reach | None = None,
    task: Task | None = None,
    seed: int = DEFAULT_SEED,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Evaluation:
    """Quality of a model, bundle or served model on rows, with intervals, alone or pair by pair against a reference.

    A bundle is also held against what was proven of it: its sample requests, its expected answers and its datasheet.

    Args:
        model: model file, bundle directory, or base URL of a server of the Open Inference Protocol.
        data: file with rows and labels. Without labels only the change against the reference is told; without any
            data only a bundle can be looked at.
        label: column or array that holds the labels.
        beside: columns that are no features: slices, weights, queries.
        reference: model, bundle or URL to compare with on the same rows; needed for objectives on a drop.
        slo: quality objectives, such as `"accuracy>=0.97, recall[malignant]>=0.9, f1_macro_drop<=0.5%"`.
        costs: of the two kinds of error, where there are two classes.
        changes: of the rows: noise, blur, gaps, ...; quality is told with them, too.
        trust: allow files that can run code when they are loaded.
        reach: how servers are reached.
        task: what the model does, when its file does not say.
        seed: of the resampling.
        progress: where to report how far it is.
        clock: the clock of the record.

    Raises:
        InputError, TrustError: see `inspect`.
        TargetError: a server cannot be reached, does not offer the model, or does not answer.
        DataError: the data do not fit the model, or have no labels where there is nothing else to tell.
        ObjectiveError: an objective does not parse, is not about quality, or cannot be judged with these data.
    """
    progress, clock, reach = progress or Silent(), clock or SystemClock(), reach or Reach()
    objectives = quality_objectives(slo, has_reference=reference is not None)
    beside, source = beside or Beside(), str(model)
    compared = None if reference is None else str(reference)
    subject = subject_of(source, reach, trust=trust, task=task)
    is_bundle = is_plain_bundle(Path(source))
    if data is None:
        _refuse_without_data(source, objectives, is_bundle=is_bundle)
        with closing(subject.open()) as session:
            found = rechecked(Assessment(), Path(source), session, None, digest="", seed=seed)
        return _evaluation(found, source, "none", objectives, None, clock)
    dataset = open_dataset(
        Path(data), subject.signature, label=label, beside=beside.names, takes_gaps=subject.takes_gaps
    )
    if dataset.labels is None and compared is None and not is_bundle:
        raise DataError(
            f"{data} has no labels",
            why="quality is the agreement with labels",
            hint="name the label column or array with --label, or a model to compare with by --reference",
        )
    known = resolved_task(subject.task, dataset.labels)
    way = Way(task=known, asked=asked_by(objectives, costs), seed=seed, progress=progress)
    rows = rows_of(dataset, Path(data), beside, subject.classes, known)
    with closing(subject.open()) as session:
        found = assessed(answers_of(session, subject, dataset, way), rows, way)
        found = changed(found, session, dataset, rows, way=way, changes=changes or Changes(), clock=clock)
        if compared is not None:
            found = against(found, subject_of(compared, reach, trust=trust, task=known), dataset, rows, way)
        if is_bundle:
            found = rechecked(found, Path(source), session, compared, digest=dataset.digest, seed=seed)
    return _evaluation(found, source, dataset.describe(), objectives, compared, clock)


def _refuse_without_data(source: str, objectives: tuple[Objective, ...], *, is_bundle: bool) -> None:
    if not is_bundle:
        raise DataError(
            f"{source} cannot be evaluated without data",
            why="only a bundle holds requests with the answers that it must give",
            hint="give labelled rows with --data FILE",
        )
    if objectives:
        raise DataError(f"objective {objectives[0].text!r} cannot be judged without data", hint="--data FILE")


def _evaluation(
    found: Assessment,
    source: str,
    data: str,
    objectives: tuple[Objective, ...],
    reference: str | None,
    clock: Clock,
) -> Evaluation:
    return Evaluation(
        tool_version=__version__,
        evaluated_at=clock.wall_time(),
        environment=capture_environment(),
        subject=source,
        data=data,
        quality=found.quality,
        reference=reference,
        change=found.change,
        objectives=objectives,
        verdicts=tuple(judge_quality(objective, found.quality, found.change) for objective in objectives),
        notes=found.notes,
        advice=found.advice,
        drawings=found.drawings,
        recheck=found.recheck,
        robustness=found.robustness,
        augmentation=found.augmentation,
    )


def quality_objectives(slo: str, *, has_reference: bool, verb: str = "evaluate") -> tuple[Objective, ...]:
    """The objectives in `slo`, all of which must be about quality, for a verb that measures nothing else.

    Raises:
        ObjectiveError: one is about speed, or is about a change and there is nothing to compare with.
    """
    objectives = parse_objectives(slo) if slo.strip() else ()
    for objective in objectives:
        if not objective.is_about_quality:
            raise ObjectiveError(
                f"{verb} cannot judge {objective.text!r}",
                why="it measures quality only",
                hint="judge speed under load with: dyno load URL --slo ..., or both with: dyno tune",
            )
        if objective.kind == "quality_change" and not has_reference:
            raise ObjectiveError(
                f"{objective.text!r} needs a model to compare with",
                hint="add --reference ORIGINAL, or use an absolute limit such as accuracy>=97%",
            )
    return objectives
