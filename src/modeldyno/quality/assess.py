"""How right the answers are, and how they changed: the two questions a candidate has to answer."""

from modeldyno.quality.classification import assess_labels, compare_labels, count_discordant, count_flips
from modeldyno.quality.labels import Array, require_same_rows
from modeldyno.quality.proportions import wilson
from modeldyno.quality.regression import assess_values, compare_values, count_moved
from modeldyno.records.artifact import Task
from modeldyno.records.quality import Quality, QualityChange


def assess(answers: Array, labels: Array, task: Task, *, seed: int, labels_digest: str) -> Quality:
    """Quality of answers against labels, every metric with its 95 % interval.

    Args:
        answers: one a row, as `answers_from` gives them.
        labels: one a row: integers, whole floats, booleans or text for classes, numbers for a regression.
        task: `unknown` counts as a regression when the answers are floats, and as a classification otherwise.
        seed: of the bootstrap.
        labels_digest: of the rows and labels, kept so that only like is compared with like.

    Raises:
        DataError: when answers and labels do not fit together.
    """
    known = _known(task, answers)
    judge = assess_values if known == "regression" else assess_labels
    return Quality(
        rows=len(answers), task=known, metrics=judge(answers, labels, seed=seed), labels_digest=labels_digest
    )


def compare(reference_answers: Array, answers: Array, labels: Array | None, task: Task, *, seed: int) -> QualityChange:
    """Change from the original's answers to a candidate's on the same rows, pair by pair.

    Args:
        reference_answers: of the original model.
        answers: of the candidate.
        labels: one a row; without them only the flips are known.
        task: as in `assess`.
        seed: of the bootstrap.

    Raises:
        DataError: when answers and labels do not fit together.
    """
    rows = len(answers)
    require_same_rows(reference_answers, answers)
    is_regression = _known(task, reference_answers) == "regression"
    flips = (count_moved if is_regression else count_flips)(reference_answers, answers)
    change = QualityChange(rows=rows, drops={}, flips=flips, flip_rate=wilson(flips, rows), discordant_rows={})
    if labels is None:
        return change
    if is_regression:
        drops, discordant = compare_values(reference_answers, answers, labels, seed=seed), {}
    else:
        drops = compare_labels(reference_answers, answers, labels, seed=seed)
        share = count_discordant(reference_answers, answers, labels) / rows
        discordant = dict.fromkeys(drops, share)
    return QualityChange(rows=rows, drops=drops, flips=flips, flip_rate=change.flip_rate, discordant_rows=discordant)


def _known(task: Task, answers: Array) -> Task:
    if task != "unknown":
        return task
    return "regression" if answers.dtype.kind == "f" else "classification"
