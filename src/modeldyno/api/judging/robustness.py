"""How right a model stays when its rows are changed, at rising strength."""

from typing import NamedTuple

import numpy as np

from modeldyno.api.judging.answers import answer_rows
from modeldyno.augmentation.imbalance import unbalanced_rows
from modeldyno.augmentation.perturbing import MEANINGS, require_changeable
from modeldyno.data.perturbed import PerturbedDataset, spreads_of
from modeldyno.errors import DataError
from modeldyno.protocols import Dataset, Progress, Session
from modeldyno.quality.assess import assess_rows
from modeldyno.quality.changes import compare_rows
from modeldyno.quality.rows import Answers, Rows
from modeldyno.records.artifact import Task
from modeldyno.records.robustness import Perturbation, Robustness, RobustnessCurve, RobustnessPoint
from modeldyno.seeds import child_generator


class Answered(NamedTuple):
    """A model that has answered its rows."""

    session: Session
    dataset: Dataset
    rows: Rows
    """With labels."""
    task: Task
    answers: Answers
    """To the rows as they are."""


def measure_robustness(
    answered: Answered, perturbations: tuple[Perturbation, ...], *, seed: int, progress: Progress
) -> Robustness:
    """Quality at each severity of each change, with its interval, and the loss against the unchanged rows.

    The same random numbers are used at each severity of a change, so that points of a curve differ by severity alone.

    Args:
        answered: the model, with its answers to the unchanged rows.
        perturbations: what is done to the rows.
        seed: of changes and resampling.
        progress: where to report how far it is.

    Raises:
        DataError: a change cannot be done to these rows.
    """
    inputs = answered.session.signature.inputs
    for perturbation in perturbations:
        require_changeable(perturbation, inputs)
        if perturbation.kind == "imbalance" and answered.task != "classification":
            raise DataError(
                f"the labels cannot be unbalanced for a {answered.task}", why="classes are made rarer, and it has none"
            )
    curves = tuple(
        RobustnessCurve(
            kind=one.kind,
            meaning=MEANINGS[one.kind],
            points=_chosen_points(answered, one, seed)
            if one.kind == "imbalance"
            else _changed_points(answered, one, seed, progress),
        )
        for one in perturbations
    )
    return Robustness(seed=seed, curves=curves)


def _changed_points(
    answered: Answered, perturbation: Perturbation, seed: int, progress: Progress
) -> tuple[RobustnessPoint, ...]:
    dataset, signature, rows, task = answered.dataset, answered.session.signature, answered.rows, answered.task
    spreads = spreads_of(dataset, signature)
    points = []
    for severity in perturbation.severities:
        progress.say(f"{perturbation.kind} {severity:g}")
        perturbed = PerturbedDataset(dataset, signature, perturbation.kind, severity, spreads=spreads, seed=seed)
        answers = answer_rows(answered.session, perturbed, task=task, classes=rows.classes, progress=progress)
        quality = assess_rows(answers, rows, task, seed=seed)
        change = compare_rows(answered.answers, answers, rows, task, seed=seed)
        points.append(
            RobustnessPoint(
                severity=severity,
                rows=quality.rows,
                metrics=quality.metrics,
                drops=change.drops,
                flip_rate=change.flip_rate,
            )
        )
    return tuple(points)


def _chosen_points(answered: Answered, perturbation: Perturbation, seed: int) -> tuple[RobustnessPoint, ...]:
    labels, points = np.asarray(answered.rows.labels), []
    for severity in perturbation.severities:
        kept = np.zeros(len(labels), bool)
        kept[unbalanced_rows(labels, severity, child_generator(seed, perturbation.kind))] = True
        quality = assess_rows(answered.answers.chosen(kept), answered.rows.chosen(kept), answered.task, seed=seed)
        points.append(
            RobustnessPoint(severity=severity, rows=quality.rows, metrics=quality.metrics, drops={}, flip_rate=None)
        )
    return tuple(points)
