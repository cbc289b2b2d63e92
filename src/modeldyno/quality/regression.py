"""Quality of predicted values, and its change between two sets of answers to the same rows."""

import numpy as np

from modeldyno.errors import DataError
from modeldyno.quality.bootstrap import Direction, Floats, estimates, worsening
from modeldyno.quality.labels import Array, require_same_rows
from modeldyno.records.base import Estimate
from modeldyno.seeds import child_generator

FLIP_TOLERANCE = 1e-3
"""A value has changed when it moved by more than this share of itself plus this share of the answers' spread."""
_SIGNS: dict[str, Direction] = {"mae": -1, "rmse": -1, "mape": -1, "r2": 1, "explained_variance": 1}
_COLUMNS = 8


def assess_values(
    answers: Array, labels: Array, *, seed: int, weights: Floats | None = None
) -> tuple[dict[str, Estimate], dict[str, str]]:
    """Mean absolute error, root mean squared error, MAPE, R² and explained variance, with 95 % intervals.

    Returns:
        The metrics, and those that are left out with the reason: R² and explained variance where labels are all the
        same or there are fewer than two rows, MAPE where a label is 0.
    """
    given, truth = numbers_of(answers, "the model's answers"), numbers_of(labels, "the labels")
    require_same_rows(given, truth)
    omitted = _undefined(truth)
    found = estimates(_moments(truth, given, weights), _metrics, child_generator(seed, "quality of values"))
    return {name: value for name, value in found.items() if name not in omitted}, omitted


def compare_values(
    reference: Array, answers: Array, labels: Array, *, seed: int, weights: Floats | None = None
) -> dict[str, Estimate]:
    """Rise of errors and drop of `r2` from reference to answers; every resample holds the same rows of both.

    Values that are equal on every row give an interval of no width: how far other rows would move cannot be told
    from them.
    """
    before, after = numbers_of(reference, "the original's answers"), numbers_of(answers, "the answers")
    truth = numbers_of(labels, "the labels")
    require_same_rows(before, truth)
    require_same_rows(after, truth)
    moments = np.hstack([_moments(truth, before, weights), _moments(truth, after, weights)])
    found = estimates(moments, worsening(_metrics, _COLUMNS, _SIGNS), child_generator(seed, "quality of values"))
    omitted = _undefined(truth)
    return {name: value for name, value in found.items() if name not in omitted}


def count_moved(reference: Array, answers: Array) -> int:
    """Rows whose value moved by more than `FLIP_TOLERANCE` of itself and of the spread of the reference."""
    return int(moved(reference, answers).sum())


def moved(reference: Array, answers: Array) -> np.ndarray:
    """Which rows' value moved by more than `FLIP_TOLERANCE` of itself and of the spread of the reference."""
    before, after = numbers_of(reference, "the original's answers"), numbers_of(answers, "the answers")
    require_same_rows(before, after)
    allowed = FLIP_TOLERANCE * (np.abs(before) + before.std())
    return np.asarray(np.abs(after - before) > allowed)


def numbers_of(values: Array, what: str) -> Floats:
    """One number a row.

    Raises:
        DataError: text, several a row, or NaN; `what` names whose they are.
    """
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(f"{what} have the shape {array.shape}, and one value a row is needed")
    if array.dtype.kind not in "biufO":
        raise DataError(f"{what} are text, and a regression needs numbers", hint="is this a classification?")
    try:
        numbers = array.astype(np.float64)
    except (TypeError, ValueError) as problem:
        raise DataError(f"{what} hold something that is not a number", why=str(problem)) from problem
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if wrong.size:
        raise DataError(f"{what}: row {wrong[0]} holds {numbers[wrong[0]]}", hint="drop the rows without a label")
    return numbers


def _undefined(truth: Floats) -> dict[str, str]:
    omitted = {}
    if len(truth) < 2 or truth.min() == truth.max():
        why = "one row has no spread to explain" if len(truth) < 2 else "all labels are the same: nothing to explain"
        omitted = {"r2": why, "explained_variance": why}
    if not truth.all():
        zeros = int((truth == 0).sum())
        omitted["mape"] = f"{zeros:,} labels are 0, and an error has no share of nothing"
    return omitted


def _moments(truth: Floats, given: Floats, weights: Floats | None) -> Floats:
    """What the metrics are made of, to be summed over rows."""
    error, centred = given - truth, truth - truth.mean()
    relative = np.divide(np.abs(error), np.abs(truth), out=np.zeros_like(error), where=truth != 0)
    rows = np.ones(len(truth))
    found = np.column_stack(
        [
            rows,
            np.abs(error),
            error**2,
            centred,
            centred**2,
            error - error.mean(),
            (error - error.mean()) ** 2,
            relative,
        ]
    )
    return found if weights is None else found * weights[:, None]


def _metrics(sums: Floats) -> dict[str, Floats]:
    rows, absolute, squared, centred, centred_squared, offset, offset_squared, relative = sums.T
    rows = np.where(rows > 0, rows, 1.0)  # a resample of rows that all weigh nothing has nothing to divide either
    total = centred_squared - centred**2 / rows
    unexplained = offset_squared - offset**2 / rows
    # A resample in which all labels are equal has no R²; with two rows or more it is a rare one, and 0 as in sklearn.
    ratio, rest = (np.divide(part, total, out=np.ones_like(total), where=total > 0) for part in (squared, unexplained))
    return {
        "mae": absolute / rows,
        "rmse": np.sqrt(squared / rows),
        "mape": relative / rows,
        "r2": 1 - ratio,
        "explained_variance": 1 - rest,
    }
