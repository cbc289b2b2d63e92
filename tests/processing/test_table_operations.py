"""Features of tables, held against scikit-learn."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from modeldyno.errors import DataError, UsageError
from modeldyno.processing.operations import plan_operations
from modeldyno.records.processing import Operation
from modeldyno.records.signature import DATATYPES, TensorSpec
from modeldyno.records.table_operations import (
    Limit,
    OneHot,
    Ordinal,
    ParseNumbers,
    Polynomial,
    Project,
    WindowStatistics,
)

MATRIX = np.random.default_rng(0).normal(size=(30, 4))


def run(array: NDArray[Any], datatype: str, *operations: Operation) -> NDArray[Any]:
    spec = TensorSpec(name="x", datatype=datatype, shape=("batch", *array.shape[1:]))
    step = plan_operations(operations, {"x": spec}, place="here")
    made: NDArray[Any] = step.apply({"x": array})["x"]
    assert (len(array), *step.specs["x"].shape[1:]) == made.shape
    assert np.dtype(DATATYPES[step.specs["x"].datatype]) == made.dtype
    single = step.apply({"x": array[:1]})["x"]
    np.testing.assert_array_equal(made[:1], single)
    return made


def texts(*values: str) -> NDArray[Any]:
    array = np.empty(len(values), object)
    array[:] = [value.encode() for value in values]
    return array


def test_numbers_are_parsed_and_anything_else_is_missing() -> None:
    made = run(texts("1.5", " -2 ", "", "n/a", "1e3"), "BYTES", ParseNumbers(tensor="x"))
    np.testing.assert_array_equal([1.5, -2, np.nan, np.nan, 1000], made)


def test_outliers_are_moved_to_the_limits_of_their_column() -> None:
    array = np.array([[-9.0, 0.5], [np.nan, 7]])
    made = run(array, "FP64", Limit(tensor="x", low=(-1, 0), high=(1, 2)))
    np.testing.assert_array_equal([[-1, 0.5], [np.nan, 2]], made)


def test_limits_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(UsageError, match="lower limit is above"):
        run(MATRIX, "FP64", Limit(tensor="x", low=(1,), high=(0,)))


@given(st.lists(st.sampled_from(("red", "green", "blue", "other")), min_size=1, max_size=20))
def test_one_hot_is_that_of_scikit_learn(values: list[str]) -> None:
    from sklearn.preprocessing import OneHotEncoder

    encoder = OneHotEncoder(categories=[["blue", "green", "red"]], handle_unknown="ignore", sparse_output=False)
    expected = encoder.fit([["red"]]).transform([[value] for value in values])
    made = run(texts(*values), "BYTES", OneHot(tensor="x", categories=("blue", "green", "red")))
    assert expected.tolist() == made.tolist()


def test_one_hot_takes_whole_numbers_too() -> None:
    made = run(np.array([[3], [1], [3]]), "INT64", OneHot(tensor="x", categories=(1, 3)))
    assert [[0, 1], [1, 0], [0, 1]] == made.tolist()


def test_an_unknown_category_is_refused_where_that_is_declared() -> None:
    with pytest.raises(DataError, match="'grey', which is no known category"):
        run(texts("red", "grey"), "BYTES", OneHot(tensor="x", categories=("red",), unknown="refuse"))
    with pytest.raises(DataError, match="'grey'"):
        run(texts("grey"), "BYTES", Ordinal(tensor="x", categories=("red",)))


def test_ordinals_are_places_among_the_categories() -> None:
    made = run(texts("low", "high", "what"), "BYTES", Ordinal(tensor="x", categories=("low", "high"), unknown=-1))
    assert [0, 1, -1] == made.tolist()


@pytest.mark.parametrize("categories", ((), ("a", "a"), (1,)))
def test_categories_that_do_not_fit_are_refused(categories: tuple[Any, ...]) -> None:
    with pytest.raises(UsageError):
        run(texts("a"), "BYTES", OneHot(tensor="x", categories=categories))


@pytest.mark.parametrize("only_interactions", (False, True))
@pytest.mark.parametrize("degree", (1, 2, 3))
def test_polynomials_are_those_of_scikit_learn(degree: int, *, only_interactions: bool) -> None:
    from sklearn.preprocessing import PolynomialFeatures

    reference = PolynomialFeatures(degree, interaction_only=only_interactions, include_bias=False)
    made = run(MATRIX, "FP64", Polynomial(tensor="x", degree=degree, only_interactions=only_interactions))
    np.testing.assert_allclose(reference.fit_transform(MATRIX), made)


def test_too_many_products_are_refused_before_they_are_computed() -> None:
    with pytest.raises(UsageError, match="more than 100,000 columns"):
        run(np.zeros((1, 500)), "FP64", Polynomial(tensor="x", degree=4))


def test_a_projection_is_that_of_principal_components() -> None:
    from sklearn.decomposition import PCA

    reference = PCA(2, svd_solver="full").fit(MATRIX)
    operation = Project(
        tensor="x",
        mean=tuple(reference.mean_.tolist()),
        components=tuple(tuple(row) for row in reference.components_.tolist()),
    )
    np.testing.assert_allclose(reference.transform(MATRIX), run(MATRIX, "FP64", operation), atol=1e-12)


def test_a_projection_of_another_width_is_refused() -> None:
    with pytest.raises(UsageError, match="do not fit the 4 columns"):
        run(MATRIX, "FP64", Project(tensor="x", mean=(0, 0), components=((1, 1),)))


def test_windows_are_told_by_their_statistics() -> None:
    series = np.array([[0.0, 1, 2, 3, 10, 10]])
    made = run(series, "FP64", WindowStatistics(tensor="x", window=3, stride=2, statistics=("mean", "max", "slope")))
    np.testing.assert_allclose([[1, 2, 1, 5, 10, 4]], made)


def test_channels_of_a_series_have_their_own_statistics() -> None:
    series = np.random.default_rng(1).normal(size=(5, 7, 2))
    made = run(series, "FP64", WindowStatistics(tensor="x", window=4, stride=3, statistics=("mean", "std")))
    for start in (0, 3):
        part = series[:, start : start + 4]
        expected = np.stack([part.mean(axis=1), part.std(axis=1)], axis=2).reshape(5, 4)
        np.testing.assert_allclose(expected, made.reshape(5, 2, 4)[:, start // 3], rtol=1e-5)


def test_windows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="windows of 9 values"):
        run(MATRIX, "FP64", WindowStatistics(tensor="x", window=9, stride=1))
