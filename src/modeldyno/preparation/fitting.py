"""From a step whose constants are to be learnt to the operation that has them."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from modeldyno.errors import DataError, UsageError
from modeldyno.processing.features import matrix_columns
from modeldyno.processing.steps import FLOATS, WHOLES, Array, Specs, has_rows, spec_of
from modeldyno.processing.terms import text_column, texts_of
from modeldyno.records.preparation import (
    FitImpute,
    FitLimit,
    FitOneHot,
    FitOrdinal,
    FitProject,
    FitScale,
    FitStep,
    FitTfIdf,
)
from modeldyno.records.processing import Impute, Normalise, Operation
from modeldyno.records.signature import TensorSpec
from modeldyno.records.table_operations import Category, Limit, OneHot, Ordinal, Project
from modeldyno.records.text_operations import TfIdf

_MOST_CATEGORIES = 10_000


def fit_operation(step: FitStep, array: Array, specs: Specs) -> Operation:
    """The operation with constants learnt from all rows.

    Args:
        step: what is wanted.
        array: the tensor that the step names, all training rows.
        specs: of all tensors that are there.

    Raises:
        UsageError: the tensor is not what the step needs.
        DataError: the rows say nothing about the constants.
    """
    operation: Operation = _FITS[type(step)](step, array, specs)
    return operation


def _impute(step: FitImpute, array: Array, specs: Specs) -> Impute:
    from sklearn.impute import SimpleImputer

    columns = _columns(step.tensor, array, specs)
    empty = np.flatnonzero(np.isnan(columns).all(axis=0))
    if empty.size:
        raise DataError(f"column {empty[0]} of tensor {step.tensor!r} holds no value at all", hint="leave it out")
    fitted = SimpleImputer(strategy=step.strategy).fit(columns)
    return Impute(tensor=step.tensor, values=_numbers(fitted.statistics_))


def _limit(step: FitLimit, array: Array, specs: Specs) -> Limit:
    if not 0 <= step.low < step.high <= 1:
        raise UsageError(f"quantiles {step.low} and {step.high} are not from 0 to 1, the lower one first")
    columns = _columns(step.tensor, array, specs)
    low, high = np.nanquantile(columns, (step.low, step.high), axis=0)
    return Limit(tensor=step.tensor, low=_numbers(low), high=_numbers(high))


def _scale(step: FitScale, array: Array, specs: Specs) -> Normalise:
    from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

    columns = _columns(step.tensor, array, specs)
    # Each of them passes over NaN, and takes 1 for the scale of a column that is all the same.
    match step.method:
        case "standard":
            standard = StandardScaler().fit(columns)
            mean, std = standard.mean_, standard.scale_
        case "min_max":
            ranged = MinMaxScaler().fit(columns)
            mean, std = ranged.data_min_, 1 / ranged.scale_
        case "robust":
            robust = RobustScaler().fit(columns)
            mean, std = robust.center_, robust.scale_
    return Normalise(tensor=step.tensor, mean=_numbers(mean), std=_numbers(std))


def _one_hot(step: FitOneHot, array: Array, specs: Specs) -> OneHot:
    return OneHot(
        tensor=step.tensor, output=step.output, categories=_categories(step.tensor, array, specs, step.least_rows)
    )


def _ordinal(step: FitOrdinal, array: Array, specs: Specs) -> Ordinal:
    categories = _categories(step.tensor, array, specs, 1)
    return Ordinal(tensor=step.tensor, output=step.output, categories=categories, unknown=-1)


def _project(step: FitProject, array: Array, specs: Specs) -> Project:
    from sklearn.decomposition import PCA

    columns = matrix_columns(spec_of(step.tensor, specs, FLOATS, "floats"))
    _require_numbers(step.tensor, array)
    most = min(columns, len(array))
    is_count = isinstance(step.components, int)
    if not (1 <= step.components <= most if is_count else 0 < step.components < 1):
        raise UsageError(
            f"{step.components} is no number of components",
            why=f"a whole number from 1 to {most}, or a share of the variance between 0 and 1, is needed",
        )
    fitted = PCA(step.components, svd_solver="full", whiten=step.whiten).fit(array.astype(np.float64))
    rows = fitted.components_
    if step.whiten:
        rows = rows / np.sqrt(np.maximum(fitted.explained_variance_, np.finfo(np.float64).tiny))[:, np.newaxis]
    return Project(
        tensor=step.tensor,
        output=step.output,
        mean=_numbers(fitted.mean_),
        components=tuple(_numbers(row) for row in rows),
    )


def _tf_idf(step: FitTfIdf, array: Array, specs: Specs) -> TfIdf:
    from sklearn.feature_extraction.text import TfidfVectorizer

    text_column(step.tensor, specs)
    vectorizer = TfidfVectorizer(
        max_features=step.most_terms,
        min_df=step.least_rows,
        ngram_range=(1, step.most_words),
        sublinear_tf=step.sublinear,
    )
    try:
        fitted = vectorizer.fit(texts_of(array, step.tensor))
    except ValueError as problem:  # no words at all, or none in enough rows
        raise DataError(f"the texts of tensor {step.tensor!r} hold no terms to learn", why=str(problem)) from problem
    return TfIdf(
        tensor=step.tensor,
        output=step.output,
        terms=tuple(fitted.get_feature_names_out().tolist()),
        weights=_numbers(fitted.idf_),
        most_words=step.most_words,
        sublinear=step.sublinear,
    )


_FITS: dict[type[msgspec.Struct], Callable[[Any, Array, Specs], Operation]] = {
    FitImpute: _impute,
    FitLimit: _limit,
    FitOneHot: _one_hot,
    FitOrdinal: _ordinal,
    FitProject: _project,
    FitScale: _scale,
    FitTfIdf: _tf_idf,
}


def _columns(name: str, array: Array, specs: Specs) -> Array:
    """FP64 [rows, columns]: the last dimension is that of the columns, as in the operations."""
    spec = spec_of(name, specs, FLOATS, "floats")
    if len(spec.shape) == 1:
        return array[:, np.newaxis].astype(np.float64)
    return array.reshape(-1, array.shape[-1]).astype(np.float64)


def _require_numbers(name: str, array: Array) -> None:
    if np.isnan(array).any():
        raise DataError(f"tensor {name!r} holds NaN", hint=f'{{"op": "fit_impute", "tensor": "{name}"}} before it')


def _categories(name: str, array: Array, specs: Specs, least_rows: int) -> tuple[Category, ...]:
    spec: TensorSpec = spec_of(name, specs, WHOLES | {"BYTES"}, "texts or whole numbers")
    if not has_rows(spec) or spec.shape[1:] not in ((), (1,)):
        raise UsageError(f"tensor {name!r} is no column", why=f"its shape is {list(spec.shape)}")
    values: list[Category] = list(texts_of(array, name)) if spec.datatype == "BYTES" else array.ravel().tolist()
    counts: dict[Category, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    found = [value for value, count in counts.items() if count >= least_rows and value != ""]
    if not 0 < len(found) <= _MOST_CATEGORIES:
        raise DataError(
            f"tensor {name!r} has {len(found):,} categories", why=f"1 to {_MOST_CATEGORIES:,} can be told apart"
        )
    return tuple(sorted(found, key=lambda one: (str(type(one)), one)))


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
