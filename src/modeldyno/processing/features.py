"""Operations that make features of numbers."""

from itertools import combinations, combinations_with_replacement
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from modeldyno.errors import UsageError
from modeldyno.processing.steps import FLOATS, Array, Specs, Step, has_rows, one_tensor, spec_of
from modeldyno.records.signature import DATATYPES, TensorSpec
from modeldyno.records.table_operations import Polynomial, Project, WindowStatistics

_MOST_COLUMNS = 100_000


def plan_polynomial(operation: Polynomial, specs: Specs) -> Step:
    """See `Polynomial`."""
    spec = spec_of(operation.tensor, specs, FLOATS, "floats")
    columns = matrix_columns(spec)
    if operation.degree < 1:
        raise UsageError(f"degree {operation.degree} is below 1")
    choose = combinations if operation.only_interactions else combinations_with_replacement
    products: list[tuple[int, ...]] = []
    for degree in range(1, operation.degree + 1):
        for product in choose(range(columns), degree):
            products.append(product)
            if len(products) > _MOST_COLUMNS:
                raise UsageError(
                    f"degree {operation.degree} of {columns} columns makes more than {_MOST_COLUMNS:,} columns",
                    hint="a lower degree, or fewer columns before it",
                )

    def compute(array: Array) -> Array:
        made = np.empty((len(array), len(products)), array.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            for place, product in enumerate(products):
                np.prod(array[:, product], axis=1, out=made[:, place])
        return made

    return one_tensor(operation, specs, compute, shape=(spec.shape[0], len(products)))


def plan_project(operation: Project, specs: Specs) -> Step:
    """See `Project`."""
    spec = spec_of(operation.tensor, specs, FLOATS, "floats")
    columns = matrix_columns(spec)
    widths = {len(operation.mean), *(len(row) for row in operation.components)}
    if not operation.components or widths != {columns}:
        raise UsageError(
            f"mean and components do not fit the {columns} columns of tensor {spec.name!r}",
            why=f"they are for {', '.join(map(str, sorted(widths)))}",
        )
    dtype = np.dtype(DATATYPES[spec.datatype])
    mean = np.asarray(operation.mean, dtype)
    turned = np.ascontiguousarray(np.asarray(operation.components, dtype).T)

    def compute(array: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            # Row by row by the same order of sums, whatever the batch: BLAS chooses another one for single rows.
            return np.asarray(np.einsum("rc,ck->rk", array - mean, turned))

    return one_tensor(operation, specs, compute, shape=(spec.shape[0], len(operation.components)))


def plan_window_statistics(operation: WindowStatistics, specs: Specs) -> Step:
    """See `WindowStatistics`."""
    spec = spec_of(operation.tensor, specs, FLOATS, "floats")
    if len(spec.shape) not in (2, 3) or not has_rows(spec) or any(isinstance(size, str) for size in spec.shape[1:]):
        raise UsageError(
            f"tensor {spec.name!r} is no series",
            why=f"its shape is {list(spec.shape)}, and [rows, time] or [rows, time, channels] is needed",
        )
    time = int(spec.shape[1])
    counted = int(spec.shape[2]) if len(spec.shape) == 3 else 1
    window, stride, statistics = operation.window, operation.stride, operation.statistics
    if not 1 <= window <= time or stride < 1 or not statistics or ("slope" in statistics and window < 2):
        raise UsageError(f"windows of {window} values, {stride} apart, do not fit {time} values")
    width = ((time - window) // stride + 1) * counted * len(statistics)

    def compute(array: Array) -> Array:
        series = array.reshape(len(array), time, counted).astype(np.float64)
        windows = sliding_window_view(series, window, axis=1)[:, ::stride]
        made = np.stack([_statistic(name, windows) for name in statistics], axis=3)
        return made.reshape(len(array), width).astype(np.float32)

    return one_tensor(operation, specs, compute, datatype="FP32", shape=(spec.shape[0], width))


def _statistic(name: str, windows: Array) -> Array:
    """One number [rows, windows, channels] of each window [rows, windows, channels, values]."""
    if name == "slope":
        steps = np.arange(windows.shape[3]) - (windows.shape[3] - 1) / 2
        return np.asarray(windows @ steps / (steps @ steps))
    compute: Any = {"mean": np.mean, "std": np.std, "min": np.min, "max": np.max}[name]
    return np.asarray(compute(windows, axis=3))


def matrix_columns(spec: TensorSpec) -> int:
    """How many columns a tensor [rows, columns] has.

    Raises:
        UsageError: it is none.
    """
    if len(spec.shape) != 2 or not has_rows(spec) or not isinstance(spec.shape[1], int):
        raise UsageError(
            f"tensor {spec.name!r} is no matrix",
            why=f"its shape is {list(spec.shape)}, and [rows, columns] is needed",
            hint='join columns first: {"op": "join_columns", "tensors": [...], "output": NAME}',
        )
    return spec.shape[1]
