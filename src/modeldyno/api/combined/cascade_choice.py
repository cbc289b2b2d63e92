"""The threshold of a cascade of two, chosen by measurement."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.api.combined.part_answers import PartAnswers
from modeldyno.errors import DataError
from modeldyno.processing.confidence import is_unsure
from modeldyno.protocols import Dataset, Progress
from modeldyno.quality.asked import asked_by
from modeldyno.quality.assess import assess_rows
from modeldyno.quality.changes import compare_rows
from modeldyno.quality.judge import judge_quality
from modeldyno.quality.rows import Answers, Rows
from modeldyno.quality.thresholds import joined_answers, outcome_of, thresholds_to_try
from modeldyno.records.artifact import Task
from modeldyno.records.combination import ThresholdTrial
from modeldyno.records.objective import Objective
from modeldyno.records.quality import Quality, QualityChange
from modeldyno.records.verdict import ObjectiveVerdict


class Judged(NamedTuple):
    """Answers to all rows, held against the labels, the reference and the objectives."""

    quality: Quality
    change: QualityChange | None
    verdicts: tuple[ObjectiveVerdict, ...]

    @property
    def passes(self) -> bool:
        """Whether every objective is met."""
        return all(one.verdict == "pass" for one in self.verdicts)


class Judge(NamedTuple):
    """What answers are held against."""

    dataset: Dataset
    labels: NDArray[np.generic]
    task: Task
    objectives: tuple[Objective, ...]
    seed: int

    def judge(self, answers: NDArray[np.generic], reference: NDArray[np.generic] | None) -> Judged:
        """Quality of the answers, and their change from the reference's.

        Raises:
            DataError: answers and labels do not fit together.
        """
        rows, asked = Rows(self.labels, self.dataset.digest), asked_by(self.objectives)
        why = "of what is combined only the answers are judged, not their scores"
        given = Answers(answers, None, why)
        quality = assess_rows(given, rows, self.task, seed=self.seed, asked=asked)
        change = None
        if reference is not None:
            change = compare_rows(Answers(reference), given, rows, self.task, seed=self.seed, asked=asked)
        verdicts = tuple(judge_quality(one, quality, change) for one in self.objectives)
        return Judged(quality, change, verdicts)


def choose_threshold(
    first: PartAnswers, last: PartAnswers, judge: Judge, progress: Progress
) -> tuple[float, list[ThresholdTrial]]:
    """The lowest threshold that meets the objectives, with their intervals, as do all that were tried above it.

    The thresholds are tested one after another, from the one that passes the most rows on down, until one does not
    pass. In this order, which the labels did not choose, no interval needs to be wider because several are tested:
    fixed-sequence testing, as in Angelopoulos et al. (2021), "Learn then Test", arXiv:2110.01052.

    Returns:
        The threshold (when none passes, the first that was tested), and all that were tried.

    Raises:
        DataError: no row has a confidence.
    """
    if first.confidence is None or not len(thresholds := thresholds_to_try(first.confidence)):
        raise DataError("no row has a confidence", why="the first model gives NaN for all of them")
    trials: list[ThresholdTrial] = []
    chosen, is_testing = thresholds[0], True
    progress.start("trying thresholds", total=len(thresholds))
    for number, threshold in enumerate(thresholds):
        unsure = is_unsure(first.confidence, threshold)
        judged = None
        if is_testing:
            judged = judge.judge(joined_answers([unsure], [first.answers, last.answers]), last.answers)
            is_testing = judged.passes
            chosen = threshold if judged.passes else chosen
        trials.append(_trial(threshold, unsure, first, last, judge.labels, () if judged is None else judged.verdicts))
        progress.advance(number + 1)
    progress.end()
    return chosen, trials


def _trial(
    threshold: float,
    unsure: NDArray[np.bool_],
    first: PartAnswers,
    last: PartAnswers,
    labels: NDArray[np.generic],
    verdicts: Sequence[ObjectiveVerdict],
) -> ThresholdTrial:
    outcome = outcome_of(unsure, first.answers, last.answers, labels)
    return ThresholdTrial(
        threshold=threshold,
        passed_on=outcome.passed_on,
        accuracy=outcome.accuracy,
        drop=outcome.drop,
        ns_per_row=cost_ns_per_row(unsure, first, last),
        verdicts=tuple(verdicts),
    )


def cost_ns_per_row(unsure: NDArray[np.bool_], first: PartAnswers, last: PartAnswers) -> float:
    """What the two models take of a row on the average, when these rows go on."""
    return first.ns_per_row + float(unsure.mean()) * last.ns_per_row
