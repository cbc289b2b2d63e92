"""A session's answers for every row of a dataset."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import DataError
from modeldyno.protocols import Dataset, Progress, Session
from modeldyno.quality.answers import answers_from
from modeldyno.quality.rows import Answers
from modeldyno.quality.scores import NO_SCORES, scores_from, scores_of
from modeldyno.records.artifact import Task

CHUNK_ROWS = 256
"""Large enough to amortise a call, small enough to show progress and to fit in memory for images."""

Outputs = dict[str, NDArray[np.generic]]


def answer_all(
    session: Session,
    dataset: Dataset,
    *,
    task: Task,
    classes: tuple[int | str, ...],
    progress: Progress,
    rows: int | None = None,
) -> NDArray[np.generic]:
    """The predicted label or value of the first `rows` (of all when None): shape [rows]."""
    return np.concatenate(
        [
            answers_from(outputs, session.signature, task, classes)
            for outputs in _outputs_of(session, dataset, dataset.rows if rows is None else rows, progress)
        ]
    )


def answer_rows(
    session: Session,
    dataset: Dataset,
    *,
    task: Task,
    classes: tuple[int | str, ...],
    progress: Progress,
    rows: int | None = None,
    at_once: int = CHUNK_ROWS,
) -> Answers:
    """As `answer_all`, and of a classifier also the score of each class, as far as it gives one.

    Args:
        session: of the model.
        dataset: whose rows are answered.
        task: of the model.
        classes: its labels, in the order of the scores.
        progress: told how far it is.
        rows: the first so many; None: all.
        at_once: rows of a call.
    """
    values, scores, name, why = [], [], "", NO_SCORES if task == "classification" else "scores are of classifiers"
    for outputs in _outputs_of(session, dataset, dataset.rows if rows is None else rows, progress, at_once):
        values.append(answers_from(outputs, session.signature, task, classes))
        if task != "classification":
            continue
        try:
            found = scores_from(outputs, session.signature)
        except DataError as problem:
            why = problem.what  # several outputs could be the scores; the labels are told all the same
            continue
        if found is not None:
            scores.append(found[0])
            name = found[1]
    if scores and len(scores) == len(values):
        return Answers(np.concatenate(values), scores_of(np.concatenate(scores), name))
    return Answers(np.concatenate(values), None, why)


def _outputs_of(
    session: Session, dataset: Dataset, rows: int, progress: Progress, at_once: int = CHUNK_ROWS
) -> Iterator[Outputs]:
    chunk = at_once if session.signature.has_batch_dimension else 1
    progress.start("answering the rows", total=rows)
    for start in range(0, rows, chunk):
        stop = min(start + chunk, rows)
        yield session.run(dataset.inputs(start, stop))
        progress.advance(stop)
    progress.end()


def resolved_task(task: Task, labels: NDArray[np.generic] | None) -> Task:
    """The task as far as the model says, else as the labels show: fractions mean regression, all else classes."""
    if task != "unknown" or labels is None:
        return task
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.rint(labels)):
        return "regression"
    return "classification"
