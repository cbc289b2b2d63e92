"""A trace on disk, CSV or Parquet, to recorded arrivals."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import InputError
from modeldyno.traffic.repeats import numbered_by_first
from modeldyno.traffic.replay import Arrivals

MOMENT_NAMES = ("timestamp", "time", "arrival", "seconds", "t")
"""Columns of moments in seconds, the first of these that is there; so is a table's only column."""
ROW_NAMES = ("rows", "size", "batch", "batch_size")
"""Columns with the rows in each request, the first of these that is there."""
QUESTION_NAMES = ("question", "query", "key", "content", "prompt_id")
"""Columns that tell what each request asks, the first of these that is there: equal values ask the same."""
_MOST_ROWS = 2**20


def read_trace(path: Path) -> tuple[Arrivals, str]:
    """The arrivals, counted from the first, and the `sha256:` digest of the file.

    The file is a table with a column of moments in seconds, in order (see `MOMENT_NAMES`), from any origin, and
    perhaps one of rows in each request (see `ROW_NAMES`), and one that tells which requests ask the same
    (see `QUESTION_NAMES`): numbers or text, an identifier or a digest.

    Raises:
        InputError: the file is missing, no table, or its moments or rows cannot be.
    """
    try:
        digest = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    except OSError as problem:
        raise InputError(f"cannot read the trace {path}", why=problem.strerror or str(problem)) from problem
    table = _read_table(path)
    names = list(table.column_names)
    moments_name = next((name for name in MOMENT_NAMES if name in names), names[0] if len(names) == 1 else None)
    if moments_name is None:
        raise InputError(
            f"the trace {path} has no column of moments",
            why=f"its columns are {', '.join(names) or 'none'}",
            hint=f"name the column with the seconds {MOMENT_NAMES[0]!r}",
        )
    seconds = _numbers(path, table, moments_name)
    if np.any(np.diff(seconds) < 0):
        place = int(np.flatnonzero(np.diff(seconds) < 0)[0])
        raise InputError(
            f"the moments of the trace {path} are not in order",
            why=f"row {place + 2} says {seconds[place + 1]:g} s, after {seconds[place]:g} s",
            hint="sort the file by its moments",
        )
    rows_name = next((name for name in ROW_NAMES if name in names), None)
    rows = None if rows_name is None else _row_counts(path, table, rows_name)
    questions_name = next((name for name in QUESTION_NAMES if name in names), None)
    questions = None if questions_name is None else _questions(path, table, questions_name)
    return Arrivals(np.rint((seconds - seconds[0]) * 1e9).astype(np.int64), rows, questions), digest


def _read_table(path: Path) -> Any:
    from pyarrow import ArrowException, csv, parquet

    try:
        is_parquet = path.suffix.lower() in (".parquet", ".pq")
        table = parquet.read_table(path) if is_parquet else csv.read_csv(path)
        _ = table.column_names  # decoded here and nowhere before
    except (ArrowException, OSError, UnicodeDecodeError) as problem:
        raise InputError(
            f"the trace {path} cannot be read",
            why=str(problem),
            hint="a trace is a CSV file with a header row, or a .parquet file",
        ) from problem
    return table


def _numbers(path: Path, table: Any, name: str) -> NDArray[np.float64]:
    if not table.num_rows:
        raise InputError(f"the trace {path} holds no request")
    try:
        numbers = np.asarray(table.column(name).to_numpy(), np.float64)
    except (ValueError, TypeError) as problem:
        raise InputError(f"column {name!r} of the trace {path} does not hold numbers", why=str(problem)) from problem
    if not np.isfinite(numbers).all():
        place = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise InputError(f"column {name!r} of the trace {path} has no number in row {place + 1}")
    return numbers


def _row_counts(path: Path, table: Any, name: str) -> NDArray[np.int64]:
    numbers = _numbers(path, table, name)
    wrong = np.flatnonzero((numbers < 1) | (numbers > _MOST_ROWS) | (numbers != np.rint(numbers)))
    if len(wrong):
        raise InputError(
            f"column {name!r} of the trace {path} says {numbers[wrong[0]]:g} rows in row {wrong[0] + 1}",
            why=f"a request has a whole number of rows, at least 1 and at most {_MOST_ROWS:,}",
        )
    return numbers.astype(np.int64)


def _questions(path: Path, table: Any, name: str) -> NDArray[np.int64]:
    column = table.column(name)
    if column.null_count:
        raise InputError(
            f"column {name!r} of the trace {path} is empty in {column.null_count:,} of {table.num_rows:,} rows",
            why="a request whose question is not known may or may not repeat another",
            hint="give every request a value, or leave the column out (--repeats then says how many repeat)",
        )
    return numbered_by_first(np.array([str(value) for value in column.to_pylist()]))
