"""Quality of embeddings: whether rows of one label lie together, and whether two models see the same neighbours."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import DataError
from modeldyno.quality.bootstrap import Floats, bounded_mean, share_like
from modeldyno.quality.labels import Array, require_same_rows
from modeldyno.records.base import Estimate
from modeldyno.seeds import child_generator

NEIGHBOURS = 10
MOST_ASKED = 2000
"""Rows whose neighbours are looked for, among all: more sharpen the interval little and cost a pass over all each."""
_CHUNK = 64


class Agreement(NamedTuple):
    """Two models' embeddings of the same rows."""

    agreement: dict[str, Estimate]
    flips: int
    """Rows, of those asked, whose nearest neighbour is another."""
    asked: int


def directions(vectors: Array, what: str) -> Floats:
    """Embeddings at length 1, so that products are cosines.

    Raises:
        DataError: not one vector a row, not finite, or of length 0; `what` names whose they are.
    """
    array = np.asarray(vectors)
    if array.ndim != 2 or array.dtype.kind != "f":
        raise DataError(f"{what} have the shape {array.shape} and are {array.dtype}; one vector a row is needed")
    array = array.astype(np.float64)
    lengths = np.linalg.norm(array, axis=1)
    wrong = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if wrong.size:
        raise DataError(f"{what}: the vector of row {wrong[0]} has the length {lengths[wrong[0]]}, and no direction")
    return np.asarray(array / lengths[:, None])


def assess_embeddings(
    answers: Array, labels: Array, *, seed: int, cut_offs: Sequence[int]
) -> tuple[dict[str, Estimate], dict[str, str]]:
    """Each row looked for among the others: the place of the nearest with its label, and how many of the first k have
    it, with 95 % intervals over the rows asked.

    Returns:
        The metrics, and those left out with the reason.
    """  # noqa: D205 - one sentence
    vectors = directions(answers, "the model's answers")
    require_same_rows(vectors, labels)
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    possible = np.flatnonzero(counts[codes] > 1)
    if not len(possible):
        why = "no two rows have the same label: there is nothing to find"
        return {}, dict.fromkeys(("mrr", *(f"hit_rate@{places}" for places in cut_offs)), why)
    asked = _some(possible, seed)
    places = [one for one in cut_offs if one < len(vectors)]
    found: dict[str, list[Floats]] = {}
    for rows, likeness in _likenesses(vectors, asked):
        for name, values in _found(likeness, codes[rows][:, None] == codes, rows, places).items():
            found.setdefault(name, []).append(values)
    omitted = {f"hit_rate@{one}": f"there are only {len(vectors):,} rows" for one in cut_offs if one not in places}
    return {name: share_like(bounded_mean(np.concatenate(parts))) for name, parts in found.items()}, omitted


def compare_embeddings(before: Array, after: Array, *, seed: int) -> Agreement:
    """The mean cosine between the two embeddings of a row, and how many of its neighbours both have in common.

    Args:
        before: of the original, shape [rows, dimensions].
        after: of the candidate; neighbours are compared even where its dimensions are others, cosines are not.
        seed: which rows are asked, where there are many.

    Raises:
        DataError: not as many rows, or vectors without a direction.
    """
    old, new = directions(before, "the original's answers"), directions(after, "the answers")
    require_same_rows(old, new)
    found: dict[str, Estimate] = {}
    if old.shape == new.shape:
        found["cosine"] = _at_most_one(bounded_mean((old * new).sum(axis=1), span=2.0))
    asked = _some(np.arange(len(old)), seed)
    count = min(NEIGHBOURS, len(old) - 1)
    if count < 1:
        return Agreement(found, 0, len(old))
    nearest = [np.concatenate([_nearest(likeness, rows, count) for rows, likeness in _likenesses(one, asked)])
               for one in (old, new)]  # fmt: skip
    shared = (nearest[0][:, :, None] == nearest[1][:, None, :]).any(axis=2).mean(axis=1)
    found["neighbour_overlap"] = share_like(bounded_mean(shared))
    return Agreement(found, int((nearest[0][:, 0] != nearest[1][:, 0]).sum()), len(asked))


def _some(rows: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    if len(rows) <= MOST_ASKED:
        return rows
    return np.sort(child_generator(seed, "rows asked for neighbours").choice(rows, MOST_ASKED, replace=False))


def _likenesses(vectors: Floats, asked: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], Floats]]:
    """Cosines of a few rows to all; a row is not its own neighbour."""
    for start in range(0, len(asked), _CHUNK):
        rows = asked[start : start + _CHUNK]
        likeness = vectors[rows] @ vectors.T
        likeness[np.arange(len(rows)), rows] = -np.inf
        yield rows, likeness


def _nearest(likeness: Floats, rows: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """The nearest rows, nearest first."""
    some = np.argpartition(-likeness, count - 1, axis=1)[:, :count]
    order = np.argsort(-likeness[np.arange(len(rows))[:, None], some], axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1)


def _found(
    likeness: Floats, alike: NDArray[np.bool_], rows: NDArray[np.intp], places: Sequence[int]
) -> dict[str, Floats]:
    alike[np.arange(len(rows)), rows] = False
    best = np.where(alike, likeness, -np.inf).max(axis=1)
    # Others that are as near come first: a tie is not to the model's credit.
    rank = 1 + (~alike & (likeness >= best[:, None])).sum(axis=1)
    values: dict[str, Floats] = {"mrr": np.asarray(1 / rank, np.float64)}
    for count in places:
        own = np.take_along_axis(alike, _nearest(likeness, rows, count), axis=1)
        values[f"hit_rate@{count}"] = np.asarray(own.any(axis=1), np.float64)
        values[f"precision@{count}"] = np.asarray(own.mean(axis=1), np.float64)
    return values


def _at_most_one(estimate: Estimate) -> Estimate:
    if estimate.low is None or estimate.high is None:
        return estimate
    return Estimate(value=estimate.value, low=max(-1.0, estimate.low), high=min(1.0, estimate.high))
