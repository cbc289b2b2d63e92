"""How right the answers are."""

import numpy as np

from modeldyno.errors import DataError
from modeldyno.quality.asked import Asked
from modeldyno.quality.changes import compare_rows
from modeldyno.quality.classification import assess_labels
from modeldyno.quality.costs import cost_estimate
from modeldyno.quality.embeddings import assess_embeddings
from modeldyno.quality.labels import Array, require_same_rows
from modeldyno.quality.ranking import assess_ranking, rank_queries
from modeldyno.quality.regression import assess_values
from modeldyno.quality.rows import Answers, Rows, known_task, of_its_classes, require_weight, slices_of
from modeldyno.quality.scored import AREA_METRICS, PROBABILITY_METRICS, ScoreQuality, assess_scores
from modeldyno.quality.sequences import assess_sequences, distances
from modeldyno.records.artifact import Task
from modeldyno.records.base import Estimate
from modeldyno.records.quality import GroupQuality, Quality, QualityChange


def assess(answers: Array, labels: Array, task: Task, *, seed: int, labels_digest: str) -> Quality:
    """Quality of answers without scores against labels, every metric with its 95 % interval.

    Args:
        answers: one a row, as `answers_from` gives them.
        labels: one a row: integers, whole floats, booleans or text for classes, numbers for a regression.
        task: `unknown` counts as a regression when the answers are floats, and as a classification otherwise.
        seed: of the bootstrap.
        labels_digest: of the rows and labels, kept so that only like is compared with like.

    Raises:
        DataError: when answers and labels do not fit together.
    """
    return assess_rows(Answers(answers), Rows(labels, labels_digest), task, seed=seed)


def compare(reference_answers: Array, answers: Array, labels: Array | None, task: Task, *, seed: int) -> QualityChange:
    """Change from the original's answers to a candidate's on the same rows, pair by pair; arguments as in `assess`."""
    return compare_rows(Answers(reference_answers), Answers(answers), Rows(labels), task, seed=seed)


def assess_rows(answers: Answers, rows: Rows, task: Task, *, seed: int, asked: Asked | None = None) -> Quality:
    """Quality of answers, of each class and each slice.

    Args:
        answers: of the model.
        rows: with labels.
        task: as in `assess`; a ranking needs queries.
        seed: of the bootstrap.
        asked: which betas, places and costs; the usual ones when None.

    Raises:
        DataError: answers and rows do not fit together.
    """
    asked, known = asked or Asked(), known_task(task, answers.values)
    whole = _assess(answers, rows, known, asked, seed)
    slices = []
    for name, inside in slices_of(rows):
        try:
            part = _assess(answers.chosen(inside), rows.chosen(inside), known, asked, seed)
        except DataError as problem:
            part = Quality(
                rows=int(inside.sum()), task=known, metrics={}, labels_digest="", omitted={"every metric": problem.what}
            )
        slices.append(GroupQuality(name=name, rows=part.rows, metrics=part.metrics, omitted=part.omitted))
    return Quality(
        rows=whole.rows,
        task=whole.task,
        metrics=whole.metrics,
        labels_digest=rows.digest,
        classes=whole.classes,
        slices=tuple(slices),
        omitted=whole.omitted,
        is_weighted=rows.weights is not None,
    )


def _assess(answers: Answers, rows: Rows, task: Task, asked: Asked, seed: int) -> Quality:
    labels = rows.labels
    if labels is None:
        raise DataError("quality cannot be told without labels")
    require_same_rows(answers.values, labels)
    require_weight(rows)
    metrics: dict[str, Estimate]
    classes: tuple[GroupQuality, ...] = ()
    if task == "regression":
        metrics, omitted = assess_values(answers.values, labels, seed=seed, weights=rows.weights)
    elif task == "ranking":
        metrics, omitted = _assess_ranking(answers.values, rows, asked)
    elif task == "embedding":
        metrics, omitted = assess_embeddings(answers.values, labels, seed=seed, cut_offs=asked.cut_offs)
    elif task == "sequence":
        metrics, omitted = assess_sequences(distances(answers.values, labels), seed=seed)
    else:
        metrics, classes, omitted = _assess_classes(answers, rows, asked, seed)
    return Quality(
        rows=len(labels), task=task, metrics=metrics, labels_digest=rows.digest, classes=classes, omitted=omitted
    )


def _assess_ranking(answers: Array, rows: Rows, asked: Asked) -> tuple[dict[str, Estimate], dict[str, str]]:
    if rows.queries is None or rows.labels is None:
        raise DataError("a ranking needs to know which rows belong together", hint="name their column with --query")
    ranked = rank_queries(answers, rows.labels, rows.queries, asked.cut_offs)
    return assess_ranking(ranked), {}


def _assess_classes(
    answers: Answers, rows: Rows, asked: Asked, seed: int
) -> tuple[dict[str, Estimate], tuple[GroupQuality, ...], dict[str, str]]:
    labels = np.asarray(rows.labels)
    found = assess_labels(answers.values, labels, seed=seed, weights=rows.weights, betas=asked.betas)
    scored = _assess_scores(answers, rows, asked, seed)
    metrics, omitted = of_its_classes(found.metrics, answers, rows) | scored.metrics, found.omitted | scored.omitted
    if asked.costs is not None:
        cost = cost_estimate(answers.values, labels, asked.costs, rows.weights)
        if cost is None:
            omitted["error_cost"] = "costs of false positives and negatives are for two classes"
        else:
            metrics["error_cost"] = cost
    classes = tuple(
        GroupQuality(
            name=one.name,
            rows=one.rows,
            metrics=one.metrics | scored.classes.get(one.name, {}),
            omitted=one.omitted,
        )
        for one in found.classes
    )
    return metrics, classes, omitted


def _assess_scores(answers: Answers, rows: Rows, asked: Asked, seed: int) -> ScoreQuality:
    why = answers.why_no_scores
    if answers.scores is not None:
        try:
            truth = rows.truth(answers.scores.values.shape[1])
        except DataError as problem:
            why = problem.what
        else:
            return assess_scores(answers.scores, truth, asked, seed=seed)
    return ScoreQuality({}, {}, dict.fromkeys((*AREA_METRICS, *PROBABILITY_METRICS), why))
