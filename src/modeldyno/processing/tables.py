"""Columns as the table that libraries of classical models take."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray


def table_of(columns: Sequence[tuple[str, NDArray[Any]]], *, is_named: bool) -> Any:
    """Columns as scikit-learn takes them: a table when it chooses them by name, else a matrix of objects.

    The table is one of pandas where that is installed; without it one of Arrow, which steps that only pass columns on
    do not take.

    Args:
        columns: name and values [rows]; texts as str.
        is_named: whether it was fitted on a table whose columns have names.
    """
    if is_named:
        named = {name: values.tolist() if values.dtype == object else values for name, values in columns}
        return _table_maker()(named)
    matrix = np.empty((len(columns[0][1]), len(columns)), object)
    for place, (_, values) in enumerate(columns):
        matrix[:, place] = values
    return matrix


@cache
def _table_maker() -> Callable[[dict[str, Any]], Any]:
    if find_spec("pandas") is not None:
        import pandas as pd

        made: Callable[[dict[str, Any]], Any] = pd.DataFrame
    else:
        import pyarrow as pa

        made = pa.table
    return made
