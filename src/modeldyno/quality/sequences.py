"""Quality of sequences: texts as words, or rows of token numbers, held against the expected ones."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modeldyno.errors import DataError
from modeldyno.quality.bootstrap import Direction, Floats, bounded_mean, estimates, share_like, worsening
from modeldyno.quality.labels import Array, require_same_rows
from modeldyno.quality.proportions import paired_difference, wilson
from modeldyno.records.base import Estimate
from modeldyno.seeds import child_generator

Tokens = Sequence[str]
_SIGNS: dict[str, Direction] = {"token_error_rate": -1}


class Distances(NamedTuple):
    """Each row against the expected one."""

    edits: Floats
    """Insertions, deletions and substitutions that make one of the other."""
    expected: Floats
    """Tokens expected."""
    longest: Floats
    """Tokens of the longer one."""

    @property
    def is_exact(self) -> np.ndarray:
        """Which rows are the same."""
        return np.asarray(self.edits == 0)

    @property
    def similarity(self) -> Floats:
        """1 when the same, 0 when nothing is; of two empty ones 1."""
        return 1 - np.divide(self.edits, self.longest, out=np.zeros_like(self.edits), where=self.longest > 0)


def tokens_of(sequences: Array, what: str) -> list[Tokens]:
    """Texts at their blanks, or a row of numbers as it is.

    Raises:
        DataError: neither; `what` names whose they are.
    """
    array = np.asarray(sequences)
    if array.ndim == 2 and array.dtype.kind in "iu":
        return [[str(token) for token in row] for row in array.tolist()]
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    texts = [item.decode("utf-8", "replace") if isinstance(item, bytes) else item for item in array.tolist()]
    if array.ndim != 1 or not all(isinstance(text, str) for text in texts):
        raise DataError(
            f"{what} have the shape {array.shape} and are {array.dtype}: neither texts nor rows of token numbers"
        )
    return [text.split() for text in texts]


def distances(answers: Array, expected: Array, what: str = "the labels") -> Distances:
    """How far each sequence is from the expected one.

    Raises:
        DataError: not as many, or no sequences.
    """
    require_same_rows(answers, expected)
    given, wanted = tokens_of(answers, "the model's answers"), tokens_of(expected, what)
    pairs = list(zip(given, wanted, strict=True))
    return Distances(
        np.array([edit_distance(*pair) for pair in pairs], np.float64),
        np.array([len(want) for want in wanted], np.float64),
        np.array([max(map(len, pair)) for pair in pairs], np.float64),
    )


def edit_distance(one: Tokens, other: Tokens) -> int:
    """The distance of Levenshtein (1966) in tokens, a row of the table at a time."""
    if one == other:
        return 0
    if not one or not other:
        return max(len(one), len(other))
    codes = {token: number for number, token in enumerate(dict.fromkeys((*one, *other)))}
    across = np.array([codes[token] for token in other])
    steps = np.arange(len(other) + 1)
    row = steps
    for number, token in enumerate(one, 1):
        best = np.minimum(row[1:] + 1, row[:-1] + (across != codes[token]))
        # Insertions run along the row: the least of all that began further left, one more for each step.
        row = np.minimum.accumulate(np.concatenate([[number], best]) - steps) + steps
    return int(row[-1])


def assess_sequences(found: Distances, *, seed: int) -> tuple[dict[str, Estimate], dict[str, str]]:
    """The share that is exactly right, the mean similarity, and edits for each expected token, with 95 % intervals."""
    rows = len(found.edits)
    metrics = {
        "exact_match": wilson(int(found.is_exact.sum()), rows),
        "edit_similarity": share_like(bounded_mean(found.similarity)),
    }
    if not found.expected.any():
        return metrics, {"token_error_rate": "all expected sequences are empty"}
    moments = np.column_stack([found.edits, found.expected])
    return metrics | estimates(moments, _error_rate, child_generator(seed, "quality of sequences")), {}


def compare_sequences(before: Distances, after: Distances, *, seed: int) -> dict[str, Estimate]:
    """How much worse each of them became, row by row."""
    old, new = before.is_exact, after.is_exact
    drops = {
        "exact_match": paired_difference(int((old & ~new).sum()), int((~old & new).sum()), len(old)),
        "edit_similarity": bounded_mean(before.similarity - after.similarity),
    }
    if before.expected.any():
        moments = np.column_stack([before.edits, before.expected, after.edits, after.expected])
        generator = child_generator(seed, "change of sequences")
        drops |= estimates(moments, worsening(_error_rate, 2, _SIGNS), generator)
    return drops


def agreement_of(found: Distances) -> dict[str, Estimate]:
    """How alike the sequences of two models are."""
    return {
        "exact_agreement": wilson(int(found.is_exact.sum()), len(found.edits)),
        "edit_agreement": share_like(bounded_mean(found.similarity)),
    }


def _error_rate(sums: Floats) -> dict[str, Floats]:
    edits, expected = sums.T
    rate = np.divide(edits, expected, out=np.zeros_like(edits, np.float64), where=expected > 0)
    return {"token_error_rate": np.asarray(rate, np.float64)}
