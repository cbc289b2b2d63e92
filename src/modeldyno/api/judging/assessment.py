"""What an evaluation finds: answers of a subject to rows, their quality, their change, and whether a bundle holds."""

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from modeldyno.api.judging.answers import answer_rows
from modeldyno.api.judging.rechecking import Seen, recheck
from modeldyno.api.subjects import Subject
from modeldyno.data.beside import read_beside, read_weights
from modeldyno.deployment.bundle import MANIFEST
from modeldyno.errors import DataError, UsageError
from modeldyno.protocols import Dataset, Progress, Session
from modeldyno.quality.advice import advise
from modeldyno.quality.asked import Asked
from modeldyno.quality.assess import assess_rows
from modeldyno.quality.changes import compare_rows
from modeldyno.quality.curves import drawings_of
from modeldyno.quality.labels import note_unseen_labels
from modeldyno.quality.ranking import note_unanswerable
from modeldyno.quality.rows import Answers, Rows
from modeldyno.records.artifact import Task
from modeldyno.records.bundle import Bundle
from modeldyno.records.evaluation import Drawings, Recheck
from modeldyno.records.files import digest_file, read_record
from modeldyno.records.quality import Quality, QualityChange
from modeldyno.records.robustness import Robustness, TestTimeAugmentation


@dataclass(frozen=True, kw_only=True)
class Beside:
    """Columns or arrays of the data that go with the rows and not into the model."""

    slices: tuple[str, ...] = ()
    """Quality is told for each of their values, too."""
    weights: str | None = None
    """What each row counts."""
    queries: str | None = None
    """Of a ranking: what each row was found for."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of all of them."""
        return (*self.slices, *(name for name in (self.weights, self.queries) if name is not None))


@dataclass(frozen=True, kw_only=True)
class Way:
    """How it is looked at."""

    task: Task
    asked: Asked
    seed: int
    progress: Progress


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What is known so far."""

    answers: Answers | None = None
    quality: Quality | None = None
    change: QualityChange | None = None
    recheck: Recheck | None = None
    drawings: Drawings | None = None
    notes: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    robustness: Robustness | None = None
    augmentation: TestTimeAugmentation | None = None


def rows_of(dataset: Dataset, path: Path, beside: Beside, classes: tuple[int | str, ...], task: Task) -> Rows:
    """What answers are held against.

    Args:
        dataset: the rows.
        path: the file they came from.
        beside: which columns are read beside.
        classes: of the model, in the order of its scores; empty when unknown.
        task: of the model.

    Raises:
        DataError: a column is missing, or weights are none.
        UsageError: weights or queries mean nothing to the task.
    """
    if beside.weights is not None and task not in ("classification", "regression"):
        raise UsageError(f"--weights means nothing to the task {task}", hint="leave it out")
    if beside.queries is not None and task != "ranking":
        raise UsageError(
            f"--query means nothing to the task {task}", why="it names the rows of a ranking", hint="--task ranking"
        )
    found = read_beside(path, beside.names, dataset.rows)
    return Rows(
        labels=dataset.labels,
        digest=dataset.digest,
        classes=classes,
        weights=None if beside.weights is None else read_weights(found[beside.weights], beside.weights),
        queries=None if beside.queries is None else found[beside.queries],
        slices={name: found[name] for name in beside.slices},
    )


def answers_of(session: Session, subject: Subject, dataset: Dataset, way: Way) -> Answers:
    """What an opened subject answers to every row."""
    return answer_rows(session, dataset, task=way.task, classes=subject.classes, progress=way.progress)


def assessed(answers: Answers, rows: Rows, way: Way) -> Assessment:
    """The quality of answers, what can be drawn of it, and what to make of it; nothing of it without labels."""
    if rows.labels is None:
        return Assessment(answers=answers)
    way.progress.start("judging the answers")
    quality = assess_rows(answers, rows, way.task, seed=way.seed, asked=way.asked)
    way.progress.end()
    unseen = note_unseen_labels(rows.labels, rows.classes) if way.task == "classification" else None
    unanswerable = note_unanswerable(rows.labels, rows.queries) if rows.queries is not None else None
    changed = answers.scores.note if answers.scores is not None else ""
    made = f"probabilities are the {changed}" if changed else None
    return Assessment(
        answers=answers,
        quality=quality,
        drawings=drawings_of(answers, rows, quality),
        notes=tuple(note for note in (unseen, unanswerable, made) if note),
        advice=advise(quality, answers, rows, way.asked.costs),
    )


def against(found: Assessment, reference: Subject, dataset: Dataset, rows: Rows, way: Way) -> Assessment:
    """With the change from a reference to what was found.

    Raises:
        DataError: the reference does not answer these rows.
    """
    if found.answers is None:
        return found
    try:
        with closing(reference.open()) as session:
            before = answers_of(session, reference, dataset, way)
    except KeyError as problem:
        raise DataError(
            f"the reference {reference.name} takes the input {problem}, which the model does not",
            hint="compare models with the same inputs",
        ) from problem
    change = compare_rows(before, found.answers, rows, way.task, seed=way.seed, asked=way.asked)
    return replace(found, change=change)


def rechecked(
    found: Assessment, directory: Path, session: Session, reference: str | None, *, digest: str, seed: int
) -> Assessment:
    """With the bundle in `directory` held against what it says of itself.

    Args:
        found: so far.
        directory: of the bundle.
        session: of its artifact.
        reference: what it was compared with.
        digest: of the data; empty without any.
        seed: of the resampling.
    """
    change = found.change if reference is not None and _is_original(directory, Path(reference)) else None
    seen = Seen(found.answers, digest, found.quality, change)
    return replace(found, recheck=recheck(directory, session, seen, seed=seed))


def _is_original(directory: Path, reference: Path) -> bool:
    """Whether the reference is the model that the bundle was made from."""
    return reference.is_file() and digest_file(reference) == read_record(directory / MANIFEST, Bundle).origin.digest
