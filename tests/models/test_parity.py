from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from modeldyno.bfloat16 import as_numbers, from_numbers
from modeldyno.data.arrays import ArrayDataset
from modeldyno.errors import DataError, ToolError
from modeldyno.models.parity import check_parity
from modeldyno.protocols import Tensors
from modeldyno.records.artifact import Parity, Task
from modeldyno.records.signature import Signature, TensorSpec

Array = NDArray[Any]


class Computes:
    """A session that applies a function to `x` [rows, 3]."""

    def __init__(self, function: Callable[[Array], Array], first: int | str = "batch") -> None:
        self._function = function
        self.signature = Signature(
            inputs=(TensorSpec(name="x", datatype="FP32", shape=(first, 3)),),
            outputs=(TensorSpec(name="y", datatype="FP32", shape=(first, 3)),),
        )

    def run(self, inputs: Tensors) -> dict[str, Array]:
        return {"y": self._function(inputs["x"])}

    def close(self) -> None:
        """Nothing is held."""


def rows(count: int = 60) -> ArrayDataset:
    return ArrayDataset("rows", {"x": np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)})


def label(outputs: Tensors) -> Array:
    labels: Array = np.asarray(outputs["y"]).argmax(axis=1)
    return labels


def value(outputs: Tensors) -> Array:
    return as_numbers(np.asarray(outputs["y"]))


def compare(
    function: Callable[[Array], Array], task: Task = "classification", count: int = 60, first: int | str = "batch"
) -> Parity:
    return check_parity(
        Computes(lambda x: x, first),
        Computes(function, first),
        rows(count),
        task=task,
        answers=label if task == "classification" else value,
        data="real",
    )


def test_the_same_answers_are_no_flips_and_still_have_an_interval() -> None:
    parity = compare(lambda x: x + np.float32(0.25))
    assert (0, 60, (1, 3), True) == (parity.flips, parity.rows, parity.batch_sizes, parity.batch_consistent)
    assert pytest.approx(0.25, abs=1e-6) == parity.largest_difference
    assert 0 == parity.flip_rate.value == parity.flip_rate.low
    assert parity.flip_rate.high is not None
    assert 0.01 < parity.flip_rate.high < 0.1


def test_outputs_of_bf16_are_compared_by_their_values() -> None:
    parity = compare(lambda x: from_numbers(x + np.float32(0.25)), "regression", count=8)
    assert pytest.approx(0.25, abs=0.02) == parity.largest_difference


def test_other_labels_are_counted_row_by_row() -> None:
    first_is_largest = rows().inputs(0, 60)["x"].argmax(axis=1) == 0

    def swap(x: Array) -> Array:
        return np.where((x.argmax(axis=1) == 0)[:, np.newaxis], x[:, [1, 0, 2]], x)

    parity = compare(swap)
    assert int(first_is_largest.sum()) == parity.flips
    assert pytest.approx(parity.flips / 60) == parity.flip_rate.value
    assert parity.batch_consistent


def test_a_regression_flips_beyond_the_tolerance_only() -> None:
    assert 0 == compare(lambda x: x * np.float32(1.0005), "regression").flips
    assert 60 == compare(lambda x: x * np.float32(1.01), "regression").flips


def test_near_zero_the_size_of_the_other_values_counts() -> None:
    assert 0 == compare(lambda x: x + np.float32(1e-4), "regression").flips


def test_answers_that_depend_on_the_batch_are_seen() -> None:
    parity = compare(lambda x: x - x[::-1] if len(x) < 10 else x)
    assert (0, False) == (parity.flips, parity.batch_consistent)


def test_a_frozen_batch_dimension_is_an_error() -> None:
    with pytest.raises(ToolError, match=r"shape \[2, 3\] for a batch of 60"):
        compare(lambda x: x[:2])


def test_outputs_of_another_shape_are_an_error() -> None:
    with pytest.raises(ToolError, match=r"shape \[60, 2\], the original's \[60, 3\]"):
        compare(lambda x: x[:, :2])


def test_a_candidate_that_gives_nan_is_an_error_though_labels_agree() -> None:
    def lose(x: Array) -> Array:
        return np.where(x == x.min(axis=1, keepdims=True), np.float32(np.nan), x)

    with pytest.raises(ToolError, match="60 NaN or infinite values"):
        check_parity(
            Computes(lambda x: x),
            Computes(lose),
            rows(),
            task="classification",
            answers=lambda outputs: np.nanargmax(outputs["y"], axis=1),
            data="real",
        )


def test_nan_in_both_is_the_same_answer() -> None:
    def lose(x: Array) -> Array:
        return np.where(x > 1, np.float32(np.nan), x)

    parity = check_parity(Computes(lose), Computes(lose), rows(), task="regression", answers=value, data="real")
    assert (0, 0.0) == (parity.flips, parity.largest_difference)


def test_a_fixed_batch_is_compared_in_calls_of_its_size() -> None:
    seen: list[int] = []

    def note(x: Array) -> Array:
        seen.append(len(x))
        return x

    parity = compare(note, first=8)
    assert (56, (8,)) == (parity.rows, parity.batch_sizes)
    assert {8} == set(seen)


def test_too_few_rows_for_one_call_are_refused() -> None:
    with pytest.raises(DataError, match="at least 8 rows"):
        compare(lambda x: x, count=7, first=8)


def test_two_rows_are_not_tried_in_threes() -> None:
    assert (1,) == compare(lambda x: x, count=2).batch_sizes
