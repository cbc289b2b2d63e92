"""Quality of an order: one score a row, rows of one query together, the relevance of each row as its label."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import DataError
from modeldyno.quality.bootstrap import Floats, bounded_mean, share_like
from modeldyno.quality.labels import Array, require_same_rows
from modeldyno.quality.regression import numbers_of
from modeldyno.records.base import Estimate


class Ranked(NamedTuple):
    """Metrics of each query."""

    queries: Array
    """Those with a relevant row."""
    values: dict[str, Floats]
    best: NDArray[np.int64]
    """The row in the first place, for each query that has a relevant one."""
    left_out: int
    """Queries without any relevant row: nothing could be found."""


def rank_queries(answers: Array, labels: Array, queries: Array, cut_offs: Sequence[int]) -> Ranked:
    """Reciprocal rank, average precision, NDCG, and what is among the first k, of each query.

    Of rows with equal scores the less relevant come first: an order that the model did not give is not to its credit.
    The gain of a row is its label, as scikit-learn has it; a row is relevant when its label is above 0.

    Args:
        answers: one score a row; the higher, the earlier.
        labels: the relevance of each row, not negative.
        queries: what each row was found for.
        cut_offs: how many places to look at.

    Raises:
        DataError: the three do not fit together, or no query has a relevant row.
    """
    scores, gains = numbers_of(answers, "the model's answers"), numbers_of(labels, "the labels")
    require_same_rows(scores, gains)
    require_same_rows(scores, queries)
    if gains.min() < 0:
        raise DataError(f"the relevance {gains.min():g} is negative", why="a label of a ranking is 0, 1, 2, ...")
    names, query = np.unique(queries, return_inverse=True)
    order = np.lexsort((gains, -scores, query))
    query, gains = query[order], gains[order]
    starts = np.searchsorted(query, np.arange(len(names)))
    place = np.arange(len(query)) - starts[query] + 1
    found = np.bincount(query, gains > 0, len(names))
    kept = found > 0
    if not kept.any():
        raise DataError("no query has a relevant row", why="all labels are 0", hint="name the relevance with --label")
    values = _values(query, place, gains, len(names), cut_offs)
    return Ranked(
        names[kept], {name: one[kept] for name, one in values.items()}, order[starts][kept], int((~kept).sum())
    )


def note_unanswerable(labels: Array, queries: Array) -> str | None:
    """A sentence on queries for which there is nothing to find, or None; they are left out."""
    names, query = np.unique(queries, return_inverse=True)
    missing = int((np.bincount(query, numbers_of(labels, "the labels") > 0, len(names)) == 0).sum())
    return f"{missing:,} of {len(names):,} queries have no relevant row and are left out" if missing else None


def assess_ranking(ranked: Ranked) -> dict[str, Estimate]:
    """The mean of each metric over queries, with a 95 % interval; queries count alike."""
    return {name: share_like(bounded_mean(values)) for name, values in ranked.values.items()}


def compare_rankings(before: Ranked, after: Ranked) -> dict[str, Estimate]:
    """How much lower each mean is, query by query."""
    return {name: bounded_mean(values - after.values[name]) for name, values in before.values.items()}


def _values(
    query: NDArray[np.intp], place: NDArray[np.intp], gains: Floats, queries: int, cut_offs: Sequence[int]
) -> dict[str, Floats]:
    def total(weights: Floats | NDArray[np.bool_]) -> Floats:
        return np.bincount(query, weights, queries).astype(np.float64)

    relevant = gains > 0
    found = total(relevant)
    ranks = np.where(relevant, place, np.inf)
    first = np.full(queries, np.inf)
    np.minimum.at(first, query, ranks)
    # How many relevant rows there are up to a place: the running number less what came before the query.
    running = np.cumsum(relevant.astype(np.float64))
    starts = np.searchsorted(query, np.arange(queries))
    hits: Floats = running - (running - relevant)[starts][query]
    values = {"mrr": 1 / first, "map": _over(total(relevant * hits / place), found)}
    ideal = gains[np.lexsort((-gains, query))]
    discount = 1 / np.log2(place + 1)
    values["ndcg"] = _over(total(gains * discount), total(ideal * discount))
    for places in cut_offs:
        top = place <= places
        inside = total(relevant & top)
        values[f"ndcg@{places}"] = _over(total(gains * discount * top), total(ideal * discount * top))
        values[f"recall@{places}"] = _over(inside, found)
        values[f"precision@{places}"] = inside / places
        values[f"hit_rate@{places}"] = (inside > 0).astype(np.float64)
    return values


def _over(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
