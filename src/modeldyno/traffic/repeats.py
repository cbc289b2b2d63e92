"""Which question each request asks, where some ask again what was asked before."""

import numpy as np
from numpy.typing import NDArray

from modeldyno.records.workload import Repeats
from modeldyno.seeds import child_generator


def asked_questions(repeats: Repeats, *, requests: int, seed: int) -> NDArray[np.int64]:
    """The question of each request: 0, 1, 2, ... in the order in which they are first asked.

    Which requests ask again is drawn evenly over the whole load, so that every part of it repeats as much; only the
    first one cannot. Their number is exact, to the nearest request, and not drawn. What they ask is one of the
    questions asked so far, at most the first `Repeats.pool`, by Zipf's law.

    Args:
        repeats: how many, and of what.
        requests: how many in all.
        seed: the run's root seed; equal seeds give equal questions.

    Returns:
        Shape `(requests,)`.
    """
    generator = child_generator(seed, "repeats")
    again = np.zeros(requests, bool)
    count = min(round(repeats.share * requests), max(0, requests - 1))
    again[1 + generator.permutation(max(0, requests - 1))[:count]] = True
    asked_before = np.cumsum(~again)
    questions = asked_before - 1
    weights = np.cumsum(np.arange(1, repeats.pool + 1, dtype=float) ** -repeats.exponent)
    known = np.minimum(asked_before[again], repeats.pool)
    drawn = np.searchsorted(weights, generator.random(count) * weights[known - 1], side="right")
    questions[again] = np.minimum(drawn, known - 1)  # rounding may lead one past the last
    return np.asarray(questions, np.int64)


def questions_needed(repeats: Repeats, requests: int) -> int:
    """Different questions that a load of so many requests asks."""
    return requests - min(round(repeats.share * requests), max(0, requests - 1))


def numbered_by_first(names: NDArray[np.generic]) -> NDArray[np.int64]:
    """Names of any kind as numbers in the order in which they first come: equal names, equal numbers."""
    _, first, number = np.unique(names, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return np.asarray(rank[number.reshape(-1)], np.int64)
