"""Answers and truth as codes, and thousands of tables drawn from them: one answer a row, or two."""

from typing import Any, NamedTuple

import numpy as np

from modeldyno.quality.confusion import (
    Codes,
    Counts,
    Floats,
    membership,
    resample_counts,
    resample_rows,
    weighted_membership,
)
from modeldyno.quality.labels import Array, match_labels, plain_labels, require_same_rows


class LabelRows(NamedTuple):
    """Codes into `classes`, and what each row counts."""

    truth: Codes
    given: tuple[Codes, ...]
    classes: Array
    weights: Floats | None

    @property
    def size(self) -> int:
        """Columns of the tables: a single class is held against one that does not occur."""
        return max(2, len(self.classes))

    @property
    def is_binary(self) -> bool:
        """Whether there are exactly two classes."""
        return len(self.classes) == 2

    @property
    def counting(self) -> Floats:
        """What each row counts."""
        return np.ones(len(self.truth)) if self.weights is None else self.weights

    def counts(self, side: int) -> Counts:
        """One table: shape [1, classes]."""
        given, weights = self.given[side], self.counting
        hit = self.truth == given
        codes = ((self.truth[hit], weights[hit]), (self.truth, weights), (given, weights))
        return Counts(*(np.bincount(of, by, self.size)[None].astype(np.float64) for of, by in codes))


def pair_rows(reference: Array, answers: Array, labels: Array, weights: Floats | None) -> LabelRows:
    """Two answers to each row.

    Raises:
        DataError: they do not fit together.
    """
    count = len(labels)
    require_same_rows(answers, labels)
    both = np.concatenate([plain_labels(reference, "the original's answers"), plain_labels(answers, "the answers")])
    codes, truth, classes = match_labels(both, np.concatenate([plain_labels(labels)] * 2))
    return LabelRows(truth[:count], (codes[:count], codes[count:]), classes, weights)


def resample_one(rows: LabelRows, errors: float, generator: np.random.Generator) -> Counts:
    """Tables of rows drawn with replacement, from as many wrong answers more, spread over the classes."""
    truth, given, size = rows.truth, rows.given[0], rows.size
    support = np.bincount(truth, minlength=size).astype(np.float64) / len(truth)
    if rows.weights is not None:
        return _resample_weighted(rows, errors * support, generator)
    cells, counts = np.unique(truth * size + given, return_counts=True)
    all_truth = np.concatenate([cells // size, np.arange(size)])
    all_given = np.concatenate([cells % size, _next_class(size)])
    everywhere = np.ones(len(all_truth), np.bool_)
    tables = [
        membership(all_truth, all_truth == all_given, size),
        membership(all_truth, everywhere, size),
        membership(all_given, everywhere, size),
    ]
    return Counts(*resample_counts(np.concatenate([counts, support * errors]), len(truth), generator, tables))


def _resample_weighted(rows: LabelRows, errors: Floats, generator: np.random.Generator) -> Counts:
    right, truths, answers = resample_rows(_weighted_tables(rows, 0), generator)
    wrong = generator.poisson(errors, right.shape) * rows.counting.mean()
    return Counts(right, truths + wrong, answers + np.roll(wrong, 1, axis=1))


def _weighted_tables(rows: LabelRows, side: int) -> list[Any]:
    truth, given, weights = rows.truth, rows.given[side], rows.counting
    everywhere = np.ones(len(truth), np.bool_)
    return [
        weighted_membership(truth, truth == given, rows.size, weights),
        weighted_membership(truth, everywhere, rows.size, weights),
        weighted_membership(given, everywhere, rows.size, weights),
    ]


def _next_class(size: int) -> Codes:
    return (np.arange(size) + 1) % size


def resample_pairs(rows: LabelRows, generator: np.random.Generator) -> tuple[Counts, Counts]:
    """Counts of both sides in each resampled table."""
    truth, (before, after), size = rows.truth, rows.given, rows.size
    support = np.bincount(truth, minlength=size) / len(truth)
    if rows.weights is not None:
        return _resample_weighted_pairs(rows, support, generator)
    cells, counts = np.unique((truth * size + before) * size + after, return_counts=True)
    every, wrong = np.arange(size), _next_class(size)
    all_truth = np.concatenate([cells // size**2, every, every])
    all_before = np.concatenate([cells // size % size, every, wrong])
    all_after = np.concatenate([cells % size, wrong, every])
    everywhere = np.ones(len(all_truth), np.bool_)
    tables = [
        membership(all_truth, everywhere, size),
        membership(all_truth, all_truth == all_before, size),
        membership(all_before, everywhere, size),
        membership(all_truth, all_truth == all_after, size),
        membership(all_after, everywhere, size),
    ]
    weights = np.concatenate([counts, support, support])
    truths, *sides = resample_counts(weights, len(truth), generator, tables)
    return Counts(sides[0], truths, sides[1]), Counts(sides[2], truths, sides[3])


def _resample_weighted_pairs(rows: LabelRows, support: Floats, generator: np.random.Generator) -> tuple[Counts, Counts]:
    tables = [*_weighted_tables(rows, 0), *_weighted_tables(rows, 1)]
    right_before, truths, answers_before, right_after, _, answers_after = resample_rows(tables, generator)
    lost, won = (generator.poisson(support, truths.shape) * rows.counting.mean() for _ in range(2))
    return (
        Counts(right_before + lost, truths + lost + won, answers_before + lost + np.roll(won, 1, axis=1)),
        Counts(right_after + won, truths + lost + won, answers_after + won + np.roll(lost, 1, axis=1)),
    )
