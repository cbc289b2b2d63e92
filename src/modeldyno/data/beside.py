"""Columns that go with the rows and not into the model: what to slice by, weights, the query of a document."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.data.columns import FILE_COLUMN, UNNAMED, read_columns
from modeldyno.errors import DataError


def read_beside(path: Path, names: Sequence[str], rows: int) -> dict[str, NDArray[Any]]:
    """Columns or arrays of a data file by name, one value a row.

    Args:
        path: the file that the rows came from.
        names: of the columns.
        rows: how many there must be.

    Raises:
        DataError: there is no such column, or it has another number of rows or several values a row.
    """
    if not names:
        return {}
    columns = read_columns(path)
    found = {}
    for name in dict.fromkeys(names):
        if name not in columns.names or name in (UNNAMED, FILE_COLUMN):
            told = ", ".join(one for one in columns.names if one not in (UNNAMED, FILE_COLUMN))
            raise DataError(
                f"{path.name} has no column or array {name!r}",
                why=f"it holds {told or 'no named columns'}",
                hint="name one of these" if told else "give rows with named columns",
            )
        array = columns.array(name)
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim != 1 or len(array) != rows:
            raise DataError(
                f"{name!r} in {path.name} has the shape {list(array.shape)}, and the data have {rows:,} rows",
                why="one value for each row is needed",
            )
        found[name] = array
    return found


def read_weights(values: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Weights of rows: numbers, none negative, not all zero.

    Raises:
        DataError: they are not.
    """
    if values.dtype.kind not in "biuf":
        raise DataError(f"the weights {name!r} are no numbers", why=f"for example {str(values[0])[:40]!r}")
    weights = values.astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(weights) | (weights < 0))
    if wrong.size:
        raise DataError(
            f"the weight of row {wrong[0]} (counted from 0) is {weights[wrong[0]]}",
            why="a weight is a number that is not negative",
        )
    if not weights.any():
        raise DataError(f"all weights in {name!r} are 0", hint="then no row counts; name another column")
    return weights
