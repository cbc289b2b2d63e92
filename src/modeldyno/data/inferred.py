"""What the columns of a file are, where no model says what it takes."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.data.columns import UNNAMED, read_columns
from modeldyno.data.image_folder import IMAGE_FILES
from modeldyno.data.labels import choose_labels
from modeldyno.errors import DataError
from modeldyno.records.signature import DATATYPES, TensorSpec

_ROWS = "batch"


def infer_inputs(path: Path, label: str | None) -> tuple[TensorSpec, ...]:
    """A tensor for each column but the labels: FP64 for numbers, BYTES for texts, the arrays of a .npz as they are.

    A folder of images is BYTES.

    Raises:
        DataError: it cannot be read, or a column is neither.
    """
    if path.is_dir():
        return (IMAGE_FILES,)
    columns = read_columns(path)
    labels = None if columns.names == [UNNAMED] else choose_labels(path.name, columns.names, label, set())
    is_table = path.suffix.lower() in (".csv", ".parquet", ".jsonl")
    return tuple(
        _spec(path, name or "x", columns.array(name), is_table=is_table) for name in columns.names if name != labels
    )


def _spec(path: Path, name: str, array: NDArray[Any], *, is_table: bool) -> TensorSpec:
    shape = (_ROWS, *array.shape[1:])
    if array.dtype.kind in "biuf":
        # A table read in blocks may have whole numbers in one and fractions or gaps in another.
        datatype = "FP64" if is_table else _datatype(array.dtype)
        return TensorSpec(name=name, datatype=datatype, shape=shape)
    values = [value for value in array.ravel().tolist() if value is not None]
    if array.dtype.kind in "US" or all(isinstance(value, (str, bytes)) for value in values):
        return TensorSpec(name=name, datatype="BYTES", shape=shape)
    if is_table and all(isinstance(value, (int, float)) for value in values):
        return TensorSpec(name=name, datatype="FP64", shape=shape)
    raise DataError(
        f"column {name!r} of {path.name} holds neither numbers nor texts",
        why=f"for example {str(values[0])[:40]!r}",
        hint='declare "inputs" in the steps without it',
    )


def _datatype(dtype: np.dtype[Any]) -> str:
    return next(name for name, own in DATATYPES.items() if own != "object" and np.dtype(own) == dtype)
