"""Quality of predicted values, and its change between two sets of answers to the same rows."""

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import DataError
from modeldyno.quality.confusion import RESAMPLES, spread_estimate
from modeldyno.quality.labels import Array, require_same_rows
from modeldyno.records.base import Estimate
from modeldyno.seeds import child_generator

Floats = NDArray[np.float64]

FLIP_TOLERANCE = 1e-3
"""A value has changed when it moved by more than this share of itself plus this share of the answers' spread."""
_MOST_GROUPS = 10_000


def assess_values(answers: Array, labels: Array, *, seed: int) -> dict[str, Estimate]:
    """Mean absolute error, root mean squared error and R², with 95 % intervals from a bootstrap over rows.

    R² is left out where it is not defined: fewer than two rows, or labels that are all the same.
    """
    given, truth = _numbers(answers, "the model's answers"), _numbers(labels, "the labels")
    require_same_rows(given, truth)
    values = _point_values(truth, given)
    samples = _metrics(_resample_sums(_moments(truth, given), seed))
    return {name: spread_estimate(value, samples[name]) for name, value in values.items()}


def compare_values(reference: Array, answers: Array, labels: Array, *, seed: int) -> dict[str, Estimate]:
    """Rise of `mae` and `rmse` and drop of `r2` from reference to answers; every resample holds the same rows of both.

    Values that are equal on every row give an interval of no width: how far other rows would move cannot be told
    from them.
    """
    before, after = _numbers(reference, "the original's answers"), _numbers(answers, "the answers")
    truth = _numbers(labels, "the labels")
    require_same_rows(before, truth)
    require_same_rows(after, truth)
    old, new = _point_values(truth, before), _point_values(truth, after)
    sums = _resample_sums(np.hstack([_moments(truth, before), _moments(truth, after)]), seed)
    samples_old, samples_new = _metrics(sums[:, :5]), _metrics(sums[:, 5:])
    sign = {"mae": 1, "rmse": 1, "r2": -1}
    return {
        name: spread_estimate(
            sign[name] * (new[name] - old[name]), sign[name] * (samples_new[name] - samples_old[name])
        )
        for name in old
    }


def count_moved(reference: Array, answers: Array) -> int:
    """Rows whose value moved by more than `FLIP_TOLERANCE` of itself and of the spread of the reference."""
    before, after = _numbers(reference, "the original's answers"), _numbers(answers, "the answers")
    require_same_rows(before, after)
    allowed = FLIP_TOLERANCE * (np.abs(before) + before.std())
    return int((np.abs(after - before) > allowed).sum())


def _numbers(values: Array, what: str) -> Floats:
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


def _point_values(truth: Floats, given: Floats) -> dict[str, float]:
    from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

    values = {
        "mae": float(mean_absolute_error(truth, given)),
        "rmse": float(np.sqrt(mean_squared_error(truth, given))),
    }
    if len(truth) >= 2 and truth.min() < truth.max():
        values["r2"] = float(r2_score(truth, given))
    return values


def _moments(truth: Floats, given: Floats) -> Floats:
    """What the metrics are made of, to be summed over rows: 1, |error|, error², y and y² about its mean."""
    error, centred = given - truth, truth - truth.mean()
    return np.column_stack([np.ones(len(truth)), np.abs(error), error**2, centred, centred**2])


def _metrics(sums: Floats) -> dict[str, Floats]:
    rows, absolute, squared, centred, centred_squared = sums.T
    total = centred_squared - centred**2 / rows
    # A resample in which all labels are equal has no R²; with two rows or more it is a rare one, and 0 as in sklearn.
    ratio = np.divide(squared, total, out=np.ones_like(total), where=total > 0)
    return {"mae": absolute / rows, "rmse": np.sqrt(squared / rows), "r2": 1 - ratio}


def _resample_sums(moments: Floats, seed: int) -> Floats:
    """Sums over rows drawn with replacement, shape [RESAMPLES, columns].

    More than 10,000 rows are first added up in 10,000 groups, in turn: the groups are then as independent as the rows,
    and drawing them has the same spread at a fraction of the work.
    """
    groups = min(_MOST_GROUPS, len(moments))
    starts = np.linspace(0, len(moments), groups, endpoint=False).astype(np.intp)
    grouped = np.add.reduceat(moments, starts, axis=0)
    generator = child_generator(seed, "quality of values")
    chunk = max(1, 2_000_000 // groups)
    parts = []
    for start in range(0, RESAMPLES, chunk):
        tables = min(chunk, RESAMPLES - start)
        drawn = generator.integers(0, groups, (tables, groups))
        drawn += np.arange(tables)[:, None] * groups
        counts = np.bincount(drawn.reshape(-1), minlength=tables * groups).reshape(tables, groups)
        parts.append(counts.astype(np.float64) @ grouped)
    return np.concatenate(parts)
