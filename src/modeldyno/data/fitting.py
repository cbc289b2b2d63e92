"""Making arrays from a file fit the inputs of a model, or saying exactly why they do not."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.bfloat16 import BF16, as_numbers, from_numbers
from modeldyno.data.asked import TakesGaps
from modeldyno.errors import DataError
from modeldyno.records.signature import DATATYPES, Signature, TensorSpec

_SUPPORTED_KINDS = "biuf"
"""NumPy dtype kinds of numbers: bool, signed, unsigned, float."""
_FILL = (
    "drop these rows, or fill them the way it was done in training: dyno prepare with the step fit_impute; "
    'where the model fills them itself, say so in a data document: {"path": FILE, "gaps": true}'
)


def fit_tensors(
    source: str,
    arrays: Mapping[str, NDArray[Any]],
    signature: Signature,
    *,
    may_miss: bool | TakesGaps = False,
    columns: Sequence[str] = (),
) -> dict[str, NDArray[Any]]:
    """The arrays in the order, datatypes and shapes of the signature's inputs.

    Args:
        source: the file, for messages.
        arrays: input name to array.
        signature: of the model.
        may_miss: whether NaN and missing texts, which become empty, may pass; or who is asked whether NaN may.
        columns: names of the columns of the only input, for messages.

    Raises:
        DataError: wrong number of features or dimensions, a datatype that does not convert without loss, infinity, NaN
            that may not pass, no rows, or different numbers of rows.
    """
    is_asked = callable(may_miss)
    fitted = {
        spec.name: fit_tensor(
            source, arrays[spec.name], spec, may_miss=is_asked or bool(may_miss), fills=not is_asked, columns=columns
        )
        for spec in signature.inputs
    }
    rows = {name: len(array) for name, array in fitted.items()}
    if len(set(rows.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in rows.items())
        raise DataError(f"the inputs in {source} differ in their number of rows", why=told)
    if callable(may_miss):
        _ask_about_gaps(source, fitted, may_miss, columns)
    return fitted


def _ask_about_gaps(
    source: str, fitted: Mapping[str, NDArray[Any]], takes_gaps: TakesGaps, columns: Sequence[str]
) -> None:
    """Show the first row that lacks a number to who knows whether the model takes it."""
    lacking = {name: array for name, array in fitted.items() if array.dtype.kind == "f" and np.isnan(array).any()}
    if not lacking:
        return
    name, row = min(((name, int(np.argwhere(np.isnan(array))[0][0])) for name, array in lacking.items()), key=_by_row)
    if not takes_gaps({one: array[row : row + 1] for one, array in fitted.items()}):
        _check_finite(source, lacking[name], columns or ((name,) if len(fitted) > 1 else ()))


def _by_row(place: tuple[str, int]) -> int:
    return place[1]


def fit_tensor(
    source: str,
    array: NDArray[Any],
    spec: TensorSpec,
    *,
    may_miss: bool = False,
    fills: bool = True,
    columns: Sequence[str] = (),
) -> NDArray[Any]:
    """One array as one input of the model wants it; see `fit_tensors`. Without `fills` texts may not be missing."""
    if array.ndim == 0 or len(array) == 0:
        raise DataError(
            f"{source} is empty",
            why=f"input {spec.name!r} needs at least one row",
            hint="check the file, or how it was made",
        )
    array = _fit_rank(array, spec)
    _check_shape(source, array, spec)
    if spec.datatype == "BYTES":
        return _fit_text(source, array, spec, may_miss=may_miss and fills)
    return _fit_numbers(source, array, spec, may_miss=may_miss, columns=columns)


def _fit_rank(array: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    """A row may come flat when the model wants it shaped, and a single column may come without its dimension."""
    sizes = spec.shape[1:]
    if array.ndim == 2 and len(sizes) > 1 and all(isinstance(size, int) for size in sizes):
        wanted = int(np.prod([int(size) for size in sizes]))
        if array.shape[1] == wanted:
            return array.reshape(len(array), *[int(size) for size in sizes])
    if array.ndim == 1 and sizes == (1,):
        return array[:, np.newaxis]
    if array.ndim == 2 and not sizes and array.shape[1] == 1:
        return array[:, 0]
    return array


def _check_shape(source: str, array: NDArray[Any], spec: TensorSpec) -> None:
    wanted = spec.shape[1:]
    found = array.shape[1:]
    if len(wanted) == 1 and len(found) == 1 and isinstance(wanted[0], int) and found[0] != wanted[0]:
        raise DataError(
            f"{source} has {found[0]} features, the model takes {wanted[0]}",
            why=f"input {spec.name!r} has the shape {_show(spec.shape)}",
            hint="a column too many is often the label: name it with --label NAME"
            if found[0] > wanted[0]
            else "give all features that it was trained on, in the same order",
        )
    fits = len(wanted) == len(found) and all(
        isinstance(size, str) or size == length for size, length in zip(wanted, found, strict=True)
    )
    if not fits:
        raise DataError(
            f"{source} has rows of shape {_show(found)}, the model takes {_show(wanted)}",
            why=f"input {spec.name!r} has the shape {_show(spec.shape)}",
            hint="shape the rows the way it was done in training",
        )


def _show(shape: Sequence[int | str]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _fit_text(source: str, array: NDArray[Any], spec: TensorSpec, *, may_miss: bool) -> NDArray[Any]:
    if array.dtype == object:
        array = _filled(source, array, spec, may_miss=may_miss)
    if array.dtype.kind not in "US" and not (
        array.dtype == object and all(isinstance(item, (str, bytes)) for item in array.ravel().tolist())
    ):
        raise DataError(
            f"{source} holds {array.dtype} where the model takes text",
            why=f"input {spec.name!r} is BYTES",
        )
    texts = np.empty(array.shape, object)
    texts.ravel()[:] = [item.encode() if isinstance(item, str) else item for item in array.ravel().tolist()]
    return texts


def _filled(source: str, array: NDArray[Any], spec: TensorSpec, *, may_miss: bool) -> NDArray[Any]:
    missing = np.array([item is None for item in array.ravel().tolist()], bool).reshape(array.shape)
    if not missing.any():
        return array
    if not may_miss:
        raise DataError(
            f"{int(missing.sum())} texts in {source} are missing",
            why=f"input {spec.name!r} is BYTES; the first is in row {int(np.argwhere(missing)[0][0])} (counted from 0)",
            hint="drop these rows",
        )
    filled = array.copy()
    filled[missing] = b""
    return filled


def _fit_numbers(
    source: str, array: NDArray[Any], spec: TensorSpec, *, may_miss: bool, columns: Sequence[str]
) -> NDArray[Any]:
    array = as_numbers(array)
    if array.dtype.kind not in _SUPPORTED_KINDS:
        sample = str(array.ravel()[0])[:40]
        raise DataError(
            f"{source} holds {_kind_in_words(array)} where the model takes numbers, for example {sample!r}",
            why=f"input {spec.name!r} is {spec.datatype}",
            hint="encode text as numbers the way it was done in training; if it is the label, use --label NAME",
        )
    target = np.dtype(DATATYPES[spec.datatype])
    is_float = target.kind == "f" or target == BF16
    may_miss = may_miss and is_float and array.dtype.kind == "f"
    _check_finite(source, np.where(np.isnan(array), 0, array) if may_miss else array, columns)
    if is_float:
        return _fit_floats(source, array, spec, target)
    return _fit_integers(source, array, spec, target)


def _kind_in_words(array: NDArray[Any]) -> str:
    return {"U": "text", "S": "text", "O": "text", "M": "dates", "m": "durations", "c": "complex numbers"}.get(
        array.dtype.kind, str(array.dtype)
    )


def _check_finite(source: str, array: NDArray[Any], columns: Sequence[str] = ()) -> None:
    if array.dtype.kind != "f":
        return
    bad = ~np.isfinite(array)
    if not bad.any():
        return
    count, missing = int(bad.sum()), int(np.isnan(array).sum())
    whose = "this model does not take" if missing == count else "no model can answer"
    raise DataError(
        f"{source} holds {count} {'value' if count == 1 else 'values'} that {whose}: "
        f"{missing} NaN or missing, {count - missing} infinite",
        why=f"the first is in {_place(np.argwhere(bad)[0], columns)} (counted from 0)",
        hint=_FILL if missing else "drop these rows, or limit the values the way it was done in training",
    )


def _place(indices: NDArray[np.intp], columns: Sequence[str]) -> str:
    row, *rest = (int(index) for index in indices)
    if len(columns) == 1:
        return f"row {row}, column {columns[0]!r}"
    if len(rest) == 1 and len(columns) > rest[0]:
        return f"row {row}, column {rest[0]} {columns[rest[0]]!r}"
    return f"row {row}, column {', '.join(map(str, rest))}" if rest else f"row {row}"


def _fit_floats(source: str, array: NDArray[Any], spec: TensorSpec, target: np.dtype[Any]) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        fitted = from_numbers(array) if target == BF16 else array.astype(target, copy=False)
    is_beyond = np.isinf(as_numbers(fitted))
    if is_beyond.any():
        place = int(np.argwhere(is_beyond)[0][0])
        raise DataError(
            f"{source} holds values beyond the range of {spec.datatype}",
            why=f"the first is in row {place} (counted from 0)",
            hint="scale the features the way it was done in training",
        )
    return np.ascontiguousarray(fitted)


def _fit_integers(source: str, array: NDArray[Any], spec: TensorSpec, target: np.dtype[Any]) -> NDArray[Any]:
    low, high = (0, 1) if target.kind == "b" else (int(np.iinfo(target).min), int(np.iinfo(target).max))
    whole = array == np.round(array) if array.dtype.kind == "f" else np.ones(array.shape, bool)
    if not whole.all():
        place = int(np.argwhere(~whole)[0][0])
        raise DataError(
            f"{source} holds fractions where the model takes whole numbers",
            why=f"input {spec.name!r} is {spec.datatype}; the first fraction is in row {place} (counted from 0)",
        )
    # As Python integers: comparing uint64 or float64 with the limits of int64 in NumPy rounds.
    if not low <= int(array.min()) <= int(array.max()) <= high:
        raise DataError(
            f"{source} holds values from {int(array.min())} to {int(array.max())}",
            why=f"input {spec.name!r} is {spec.datatype}, which holds {low} to {high}",
        )
    return np.ascontiguousarray(array.astype(target, copy=False))
