"""How the answers of a candidate differ from those of the original, on the same rows."""

import msgspec

from modeldyno.errors import DataError
from modeldyno.quality.asked import Asked
from modeldyno.quality.bootstrap import bounded_mean
from modeldyno.quality.classification import compare_labels, count_flips, discordant_counts
from modeldyno.quality.costs import row_costs
from modeldyno.quality.embeddings import compare_embeddings
from modeldyno.quality.labels import require_same_rows
from modeldyno.quality.proportions import mcnemar, wilson
from modeldyno.quality.ranking import compare_rankings, rank_queries
from modeldyno.quality.regression import compare_values, count_moved
from modeldyno.quality.rows import Answers, Rows, known_task, of_its_classes, require_weight, slices_of
from modeldyno.quality.scored import compare_scores
from modeldyno.quality.sequences import agreement_of, compare_sequences, distances
from modeldyno.records.artifact import Task
from modeldyno.records.base import Estimate
from modeldyno.records.quality import QualityChange


def compare_rows(
    reference: Answers, answers: Answers, rows: Rows, task: Task, *, seed: int, asked: Asked | None = None
) -> QualityChange:
    """Change from the original's answers to a candidate's on the same rows, pair by pair.

    Args:
        reference: answers of the original model.
        answers: of the candidate.
        rows: without labels only the flips and the agreement are known.
        task: `unknown` counts as a regression when the answers are floats, and as a classification otherwise.
        seed: of the bootstrap.
        asked: which betas, places and costs; the usual ones when None.

    Raises:
        DataError: answers and rows do not fit together.
    """
    require_same_rows(reference.values, answers.values)
    asked, known = asked or Asked(), known_task(task, reference.values)
    whole = _compare(reference, answers, rows, known, asked, seed)
    slices = {}
    for name, inside in slices_of(rows) if rows.labels is not None else ():
        try:
            part = _compare(reference.chosen(inside), answers.chosen(inside), rows.chosen(inside), known, asked, seed)
        except DataError:
            continue  # the quality of the slice says why nothing is told of it
        slices[name] = part.drops
    return msgspec.structs.replace(whole, slices=slices)


def _compare(reference: Answers, answers: Answers, rows: Rows, task: Task, asked: Asked, seed: int) -> QualityChange:
    require_weight(rows)
    if task == "regression":
        return _of_values(reference, answers, rows, seed)
    if task == "ranking":
        return _of_rankings(reference, answers, rows, asked)
    if task == "embedding":
        return _of_embeddings(reference, answers, seed)
    if task == "sequence":
        return _of_sequences(reference, answers, rows, seed)
    return _of_labels(reference, answers, rows, asked, seed)


def _change(rows: int, flips: int, drops: dict[str, Estimate]) -> QualityChange:
    return QualityChange(rows=rows, drops=drops, flips=flips, flip_rate=wilson(flips, rows), discordant_rows={})


def _of_values(reference: Answers, answers: Answers, rows: Rows, seed: int) -> QualityChange:
    before, after = reference.values, answers.values
    drops = {}
    if rows.labels is not None:
        drops = compare_values(before, after, rows.labels, seed=seed, weights=rows.weights)
    return _change(len(after), count_moved(before, after), drops)


def _of_labels(reference: Answers, answers: Answers, rows: Rows, asked: Asked, seed: int) -> QualityChange:
    before, after, labels = reference.values, answers.values, rows.labels
    change = _change(len(after), count_flips(before, after), {})
    if labels is None:
        return change
    found = compare_labels(before, after, labels, seed=seed, weights=rows.weights, betas=asked.betas)
    worse, better = discordant_counts(before, after, labels)
    share = (worse + better) / len(labels)
    labelled = of_its_classes(found.drops, answers, rows)
    drops, classes = dict(labelled), dict(found.classes)
    scored, of_classes = _of_scores(reference, answers, rows, asked, seed)
    drops |= scored
    for name, more in of_classes.items():
        classes[name] = classes.get(name, {}) | more
    if asked.costs is not None:
        old, new = (row_costs(side, labels, asked.costs) for side in (before, after))
        if old is not None and new is not None:
            drops["error_cost"] = bounded_mean(new - old, rows.weights, span=2 * max(asked.costs))
    return msgspec.structs.replace(
        change,
        drops=drops,
        classes=classes,
        discordant_rows=dict.fromkeys(labelled, share),
        worse_rows=worse,
        better_rows=better,
        mcnemar_p=mcnemar(worse, better),
    )


def _of_scores(
    reference: Answers, answers: Answers, rows: Rows, asked: Asked, seed: int
) -> tuple[dict[str, Estimate], dict[str, dict[str, Estimate]]]:
    if reference.scores is None or answers.scores is None:
        return {}, {}
    try:
        truth = rows.truth(reference.scores.values.shape[1])
    except DataError:
        return {}, {}  # the quality says why scores are not judged
    return compare_scores(reference.scores, answers.scores, truth, asked, seed=seed)


def _of_rankings(reference: Answers, answers: Answers, rows: Rows, asked: Asked) -> QualityChange:
    if rows.queries is None or rows.labels is None:
        raise DataError("a ranking needs to know which rows belong together", hint="name their column with --query")
    before, after = (
        rank_queries(side.values, rows.labels, rows.queries, asked.cut_offs) for side in (reference, answers)
    )
    flips = int((before.best != after.best).sum())
    return _change(len(before.best), flips, compare_rankings(before, after))


def _of_embeddings(reference: Answers, answers: Answers, seed: int) -> QualityChange:
    found = compare_embeddings(reference.values, answers.values, seed=seed)
    change = _change(found.asked, found.flips, {})
    return msgspec.structs.replace(change, agreement=found.agreement)


def _of_sequences(reference: Answers, answers: Answers, rows: Rows, seed: int) -> QualityChange:
    between = distances(answers.values, reference.values, "the original's answers")
    drops = {}
    if rows.labels is not None:
        sides = (distances(side.values, rows.labels) for side in (reference, answers))
        drops = compare_sequences(*sides, seed=seed)
    flips = int((~between.is_exact).sum())
    return msgspec.structs.replace(_change(len(answers.values), flips, drops), agreement=agreement_of(between))
