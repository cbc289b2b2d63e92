"""Named columns of any values, as files have them: what requests are filled from and answers are held against."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import DataError

FILE_COLUMN = "file"
"""The only column of a folder: the names of its files."""
ENDINGS = (".npz", ".npy", ".csv", ".parquet", ".jsonl")
Values = Sequence[Any] | NDArray[Any]
"""Of one column."""
UNNAMED = ""
"""The only column of a file without names: a .npy file, or .jsonl whose lines are no objects."""


class Columns:
    """As many values in each column as there are rows.

    Args:
        path: the file they came from.
        columns: name to values.
        is_documents: whether each row is a JSON document of its own, as in .jsonl.
    """

    def __init__(self, path: Path, columns: dict[str, Values], *, is_documents: bool) -> None:
        self.path = path
        self._columns = columns
        self._is_documents = is_documents

    @property
    def folder(self) -> Path:
        """Where files that a row names are looked for."""
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def names(self) -> list[str]:
        """Of the columns, in the file's order."""
        return list(self._columns)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self._columns.values())))

    def describe(self) -> str:
        """In words: path, rows, columns."""
        names = "" if self.names == [UNNAMED] else f", columns {', '.join(self.names)}"
        return f"{self.path.name}: {self.rows:,} {'row' if self.rows == 1 else 'rows'}{names}"

    def row(self, index: int) -> dict[str, object]:
        """One row: plain Python values, arrays as nested lists, dates as text; without what its line does not have."""
        return {name: _plain(values[index]) for name, values in self._columns.items() if values[index] is not _ABSENT}

    def document(self, index: int) -> object:
        """One row as a JSON document: an object of the columns, or the line of a .jsonl file."""
        row = self.row(index)
        return row.get(UNNAMED, row)

    def value(self, index: int) -> object:
        """As `document`, but the bare value where a table has but one column."""
        row = self.row(index)
        return next(iter(row.values())) if len(row) == 1 and not self._is_documents else self.document(index)

    def array(self, name: str) -> NDArray[Any]:
        """A column as an array, first dimension rows.

        Raises:
            DataError: its values differ in shape, or a row has none.
        """
        column = self._columns.get(name)
        if column is None:
            raise DataError(f"row 0 of {self.path} (counted from 0) has no {name!r}")
        if isinstance(column, np.ndarray) and column.dtype.kind in "biuf":
            return column
        values = [_plain(value) for value in column]
        if _ABSENT in values:
            raise DataError(f"row {values.index(_ABSENT)} of {self.path} (counted from 0) has no {name!r}")
        try:
            array = np.array(values)
        except ValueError as problem:
            raise DataError(f"the values of {name!r} in {self.path} differ in shape", why=str(problem)) from problem
        if array.dtype.kind in "biuf":
            return array
        # As objects: NumPy's own texts lose zero bytes at their end.
        return np.array(values, object)


class _Absent:
    """A key that a line of a .jsonl file does not have, other than null."""


_ABSENT = _Absent()


def read_columns(path: Path) -> Columns:
    """The columns of a .npz, .npy, .csv, .parquet or .jsonl file, or the names of the files in a folder.

    Every array of a .npz is a column.

    Raises:
        DataError: missing, unreadable, empty, of an unknown format, or columns of different lengths.
    """
    if path.is_dir():
        return Columns(path, {FILE_COLUMN: file_names(path)}, is_documents=False)
    if not path.is_file():
        raise DataError(f"there is no data file {path}", hint="check the path")
    ending = path.suffix.lower()
    if ending in (".npz", ".npy"):
        columns = _numpy(path)
    elif ending in (".csv", ".parquet"):
        columns = _table(path)
    elif ending == ".jsonl":
        columns = _lines(path)
    else:
        raise DataError(f"{path} has an unknown format", why=f"data files end in {', '.join(ENDINGS)}")
    rows = {name: len(values) for name, values in columns.items()}
    if len(set(rows.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in rows.items())
        raise DataError(f"the arrays in {path} differ in their number of rows", why=told)
    if not rows or not next(iter(rows.values())):
        raise DataError(f"{path} holds no rows")
    return Columns(path, columns, is_documents=ending == ".jsonl")


def file_names(folder: Path) -> list[str]:
    """The files in a folder, in alphabetical order; hidden ones are left out.

    Raises:
        DataError: there are none.
    """
    names = sorted(one.name for one in folder.iterdir() if one.is_file() and not one.name.startswith("."))
    if not names:
        raise DataError(f"the folder {folder} holds no files", hint="one file for each request is expected")
    return names


def _numpy(path: Path) -> dict[str, Values]:
    from modeldyno.data.numpy_files import read_arrays

    arrays: dict[str, Any] = read_arrays(path)
    scalar = next((name for name, array in arrays.items() if not array.ndim), None)
    if scalar is not None:
        raise DataError(f"the array {scalar!r} in {path} is a single number and has no rows")
    return arrays


def _table(path: Path) -> dict[str, Values]:
    from modeldyno.data.tables import read_table

    table = read_table(path)
    return {name: table.column(name).to_pylist() for name in table.column_names}


def _lines(path: Path) -> dict[str, Values]:
    try:
        return _documents(path, path.read_bytes())
    except OSError as problem:
        raise DataError(f"cannot read {path}", why=problem.strerror or str(problem)) from problem


def columns_of_lines(path: Path, content: bytes) -> Columns:
    """Some lines of a .jsonl file; errors count from the first of them.

    Raises:
        DataError: they are not JSON.
    """
    return Columns(path, _documents(path, content), is_documents=True)


def _documents(path: Path, content: bytes) -> dict[str, Values]:
    try:
        text = content.decode()
    except UnicodeDecodeError as problem:
        raise DataError(f"{path} is not UTF-8", why=str(problem)) from problem
    # Not splitlines, which also splits at signs that may stand in a JSON string.
    documents: list[Any] = [
        _parsed(path, number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()
    ]
    if not all(isinstance(one, dict) for one in documents):
        return {UNNAMED: documents}
    names = dict.fromkeys(name for one in documents for name in one)
    return {name: [one.get(name, _ABSENT) for one in documents] for name in names}


def _parsed(path: Path, number: int, line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise DataError(f"line {number} of {path} is not JSON", why=str(problem)) from problem


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return value.isoformat() if hasattr(value, "isoformat") else value
