"""Which training rows to keep."""

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import UsageError
from modeldyno.processing.steps import FLOATS, Array, Specs, spec_of
from modeldyno.protocols import Tensors
from modeldyno.records.preparation import DropDuplicates, DropMissing, DropOutliers, RowStep


def kept_rows(step: RowStep, tensors: Tensors, labels: Array | None, specs: Specs) -> NDArray[np.bool_]:
    """For each row whether it stays.

    Raises:
        UsageError: a tensor is not there, or does not hold what the step needs.
    """
    match step:
        case DropDuplicates():
            return _first_of_each([*tensors.values(), *([] if labels is None else [labels])])
        case DropMissing(tensors=names):
            for name in names:
                if name not in tensors:
                    raise UsageError(f"there is no tensor {name!r}", why=f"what is there: {', '.join(tensors)}")
            present = [_present(tensors[name]) for name in names or tensors]
            return np.asarray(np.all(present, axis=0))
        case DropOutliers():
            spec_of(step.tensor, specs, FLOATS, "floats")
            return _within(tensors[step.tensor], step.factor)


def _first_of_each(arrays: list[Array]) -> NDArray[np.bool_]:
    seen: set[tuple[object, ...]] = set()
    kept = np.zeros(len(arrays[0]), bool)
    for row in range(len(kept)):
        # Bytes, for NaN is not equal to itself; objects are texts, whose bytes would be addresses.
        key = tuple(
            tuple(array[row : row + 1].ravel().tolist()) if array.dtype == object else array[row].tobytes()
            for array in arrays
        )
        kept[row] = key not in seen
        seen.add(key)
    return kept


def _present(array: Array) -> NDArray[np.bool_]:
    if array.dtype == object:
        values = np.array([bool(text) for text in array.ravel().tolist()], bool).reshape(array.shape)
    else:
        values = ~np.isnan(array) if array.dtype.kind == "f" else np.ones(array.shape, bool)
    return np.asarray(values.reshape(len(array), -1).all(axis=1))


def _within(array: Array, factor: float) -> NDArray[np.bool_]:
    columns = array.reshape(len(array), -1)
    low, high = np.nanquantile(columns, (0.25, 0.75), axis=0)
    reach = factor * (high - low)
    is_beyond = (columns < low - reach) | (columns > high + reach)  # NaN is neither
    return np.asarray(~is_beyond.any(axis=1))
