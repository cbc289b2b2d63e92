"""A session's answers for every row of a dataset."""

import numpy as np
from numpy.typing import NDArray

from modeldyno.protocols import Dataset, Progress, Session
from modeldyno.quality.answers import answers_from
from modeldyno.records.artifact import Task

CHUNK_ROWS = 256
"""Large enough to amortise a call, small enough to show progress and to fit in memory for images."""


def answer_all(
    session: Session, dataset: Dataset, *, task: Task, classes: tuple[int | str, ...], progress: Progress
) -> NDArray[np.generic]:
    """The predicted label or value of each row, in order: shape [rows] (regression with k targets: [rows, k])."""
    chunk = CHUNK_ROWS if session.signature.has_batch_dimension else 1
    parts = []
    progress.start("answering the labelled rows", total=dataset.rows)
    for start in range(0, dataset.rows, chunk):
        stop = min(start + chunk, dataset.rows)
        outputs = session.run(dataset.inputs(start, stop))
        parts.append(answers_from(outputs, session.signature, task, classes))
        progress.advance(stop)
    progress.end()
    return np.concatenate(parts)


def resolved_task(task: Task, labels: NDArray[np.generic] | None) -> Task:
    """The task as far as the model says, else as the labels show: fractions mean regression, all else classes."""
    if task != "unknown" or labels is None:
        return task
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.rint(labels)):
        return "regression"
    return "classification"
