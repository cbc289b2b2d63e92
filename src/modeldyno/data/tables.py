"""Tables: `.csv` with a header row and `.parquet`, read by Arrow; one column may hold the labels."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyarrow import ArrowException, csv, parquet

from modeldyno.data.arrays import ArrayDataset
from modeldyno.data.fitting import fit_tensors
from modeldyno.data.labels import check_labels, choose_labels
from modeldyno.errors import DataError
from modeldyno.records.signature import Signature


def open_table(path: Path, signature: Signature, label: str | None) -> ArrayDataset:
    """A CSV file whose first row names the columns, or a Parquet file.

    Raises:
        DataError: unreadable, without a header, or not fitting the model.
    """
    return _from_table(path, read_table(path), signature, label)


def read_table(path: Path) -> Any:
    """An Arrow table from a file whose name ends in .csv or .parquet.

    Raises:
        DataError: unreadable, without a header, or with two columns of one name.
    """
    try:
        table = csv.read_csv(path) if path.suffix.lower() == ".csv" else parquet.read_table(path)
    except (ArrowException, OSError) as problem:
        raise _unreadable(path, problem) from problem
    names = list(table.column_names)
    if path.suffix.lower() == ".csv" and names and all(_is_number(name) for name in names):
        raise DataError(
            f"{path.name} has no header row",
            why=f"its first row is numbers: {', '.join(names[:5])}",
            hint="put the column names in the first row",
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path.name} has two columns called {twice!r}", hint="rename one of them")
    if table.num_rows == 0:
        raise DataError(f"{path.name} is empty", why="it has column names but no rows")
    return table


def _from_table(path: Path, table: Any, signature: Signature, label: str | None) -> ArrayDataset:
    names = list(table.column_names)
    several = len(signature.inputs) > 1
    inputs = {spec.name for spec in signature.inputs}
    labels = choose_labels(path.name, names, label, inputs if several else set())
    features = [name for name in names if name != labels]
    if several:
        arrays = {name: _column(path, table, name) for name in _named(path, inputs, features)}
    else:
        arrays = {signature.inputs[0].name: _stack(path, table, features, signature)}
    tensors = fit_tensors(path.name, arrays, signature)
    checked = None if labels is None else check_labels(path.name, labels, _values(table, labels), table.num_rows)
    return ArrayDataset(path.name, tensors, checked, labels)


def _named(path: Path, inputs: set[str], features: list[str]) -> list[str]:
    missing = sorted(inputs - set(features))
    if missing:
        raise DataError(
            f"{path.name} lacks the model's inputs {', '.join(missing)}",
            why=f"it has the columns {', '.join(features)}",
            hint="a model with several inputs takes one column for each, under its name",
        )
    return sorted(inputs)


def _stack(path: Path, table: Any, features: list[str], signature: Signature) -> NDArray[Any]:
    if not features:
        raise DataError(f"{path.name} has no column left for the features")
    columns = [_values(table, name) for name in features]
    if signature.inputs[0].datatype != "BYTES":
        for name, column in zip(features, columns, strict=True):
            _refuse_text(path, name, column)
    return np.column_stack(columns)


def _column(path: Path, table: Any, name: str) -> NDArray[Any]:
    column = _values(table, name)
    # A table cannot hold a row of several numbers in one cell except as a list.
    if column.dtype == object and isinstance(column[0], np.ndarray):
        if len({len(cell) for cell in column}) > 1:
            raise DataError(f"column {name!r} of {path.name} holds lists of different lengths")
        return np.stack(list(column))
    return column


def _values(table: Any, name: str) -> NDArray[Any]:
    """A column as NumPy has it: missing numbers are NaN, missing texts None."""
    values: NDArray[Any] = table.column(name).to_numpy()
    return values


def _refuse_text(path: Path, name: str, column: NDArray[Any]) -> None:
    if column.dtype.kind in "biuf":
        return
    row, sample = next(((row, item) for row, item in enumerate(column.tolist()) if item is not None), (0, None))
    raise DataError(
        f"column {name!r} of {path.name} does not hold numbers, for example {str(sample)[:40]!r} in row {row}",
        why="the model takes numbers only",
        hint="encode it the way it was done in training; if it is the label, say --label " + name,
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _unreadable(path: Path, problem: Exception) -> DataError:
    lines = str(problem).strip().splitlines()
    return DataError(f"cannot read {path}", why=lines[0] if lines else type(problem).__name__)
