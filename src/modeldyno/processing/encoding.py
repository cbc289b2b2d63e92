"""Operations that make numbers of texts and categories, and keep numbers within limits."""

from collections.abc import Mapping

import numpy as np

from modeldyno.errors import DataError, UsageError
from modeldyno.processing.steps import FLOATS, WHOLES, Array, Specs, Step, channels, has_rows, one_tensor, spec_of
from modeldyno.records.signature import TensorSpec
from modeldyno.records.table_operations import Category, Limit, OneHot, Ordinal, ParseNumbers

_CATEGORICAL = WHOLES | {"BYTES"}


def plan_parse_numbers(operation: ParseNumbers, specs: Specs) -> Step:
    """See `ParseNumbers`."""
    spec_of(operation.tensor, specs, frozenset({"BYTES"}), "texts")

    def compute(array: Array) -> Array:
        return np.array([_number(text) for text in array.ravel().tolist()], np.float64).reshape(array.shape)

    return one_tensor(operation, specs, compute, datatype="FP64")


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def plan_limit(operation: Limit, specs: Specs) -> Step:
    """See `Limit`."""
    spec = spec_of(operation.tensor, specs, FLOATS, "floats")
    low = channels(operation.low, spec, operation.axis, "low")
    high = channels(operation.high, spec, operation.axis, "high")
    if (low > high).any():
        raise UsageError("a lower limit is above the upper one", why=f"{list(operation.low)}, {list(operation.high)}")
    return one_tensor(operation, specs, lambda array: np.asarray(np.clip(array, low, high)))


def plan_one_hot(operation: OneHot, specs: Specs) -> Step:
    """See `OneHot`."""
    spec = spec_of(operation.tensor, specs, _CATEGORICAL, "texts or whole numbers")
    places = _places(operation.categories, spec)
    if not has_rows(spec) or spec.shape[1:] not in ((), (1,)):
        raise UsageError(f"tensor {spec.name!r} is no column", why=f"its shape is {list(spec.shape)}")

    def compute(array: Array) -> Array:
        found = _found(array.reshape(len(array)), places)
        if operation.unknown == "refuse":
            _require_known(array, found, operation.tensor)
        made = np.zeros((len(array), len(places)), np.float32)
        rows = np.flatnonzero(found >= 0)
        made[rows, found[rows]] = 1
        return made

    return one_tensor(operation, specs, compute, datatype="FP32", shape=(spec.shape[0], len(places)))


def plan_ordinal(operation: Ordinal, specs: Specs) -> Step:
    """See `Ordinal`."""
    places = _places(operation.categories, spec_of(operation.tensor, specs, _CATEGORICAL, "texts or whole numbers"))

    def compute(array: Array) -> Array:
        found = _found(array, places)
        if operation.unknown is None:
            _require_known(array, found, operation.tensor)
            return found.astype(np.float32)
        return np.where(found < 0, operation.unknown, found).astype(np.float32)

    return one_tensor(operation, specs, compute, datatype="FP32")


def _places(categories: tuple[Category, ...], spec: TensorSpec) -> dict[object, int]:
    """What a value is in the tensor, to its place."""
    is_text = spec.datatype == "BYTES"
    if not categories or any(isinstance(one, str) != is_text for one in categories):
        raise UsageError(
            f"the categories of tensor {spec.name!r} are not {'texts' if is_text else 'whole numbers'}",
            why=f"it is {spec.datatype}, and they are {', '.join(map(repr, categories[:5])) or 'none'}",
        )
    places: dict[object, int] = {
        one.encode() if isinstance(one, str) else one: place for place, one in enumerate(categories)
    }
    if len(places) < len(categories):
        raise UsageError(f"a category of tensor {spec.name!r} is named twice")
    return places


def _found(array: Array, places: Mapping[object, int]) -> Array:
    """The place of each value, -1 where it is no category."""
    return np.array([places.get(value, -1) for value in array.ravel().tolist()], np.int64).reshape(array.shape)


def _require_known(array: Array, found: Array, name: str) -> None:
    wrong = np.flatnonzero(found.ravel() < 0)
    if wrong.size:
        value = array.ravel()[wrong[0]]
        shown = value.decode(errors="replace") if isinstance(value, bytes) else value
        raise DataError(f"tensor {name!r} holds {shown!r}, which is no known category")
