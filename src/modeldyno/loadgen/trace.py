"""A trace on disk, CSV or Parquet, to recorded arrivals."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import InputError
from modeldyno.traffic.repeats import numbered_by_first
from modeldyno.traffic.replay import Arrivals

MOMENT_NAMES = ("timestamp", "time", "arrival", "seconds", "t")
"""Columns of moments, in seconds or as dates, the first of these that is there; so is a table's only column."""
ROW_NAMES = ("rows", "size", "batch", "batch_size")
"""Columns with the rows in each request, the first of these that is there."""
QUESTION_NAMES = ("question", "query", "key", "content", "prompt_id")
"""Columns that tell what each request asks, the first of these that is there: equal values ask the same."""
_MOST_ROWS = 2**20
_MOST_SECONDS = 1e11
"""Three thousand years after 1970: what says more is not in seconds."""


def read_trace(path: Path) -> tuple[Arrivals, str]:
    """The arrivals, counted from the first, and the `sha256:` digest of the file.

    The file is a table with a column of moments in order (see `MOMENT_NAMES`): seconds from any origin, or dates such
    as `2026-01-31 10:00:00.250`. Perhaps it has one of rows in each request (see `ROW_NAMES`), and one that tells
    which requests ask the same (see `QUESTION_NAMES`): numbers or text, an identifier or a digest. Names of columns
    may be in capitals.

    Raises:
        InputError: the file is missing, no table, or its moments or rows cannot be.
    """
    try:
        digest = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    except OSError as problem:
        why = problem.strerror or str(problem)
        raise InputError(f"cannot read the trace {path}", why=why, hint="check the path") from problem
    table = _read_table(path)
    names = list(table.column_names)
    moments_name = _named(names, MOMENT_NAMES) or (names[0] if len(names) == 1 else None)
    if moments_name is None:
        raise InputError(
            f"the trace {path} has no column of moments",
            why=f"its columns are {', '.join(names) or 'none'}",
            hint=f"name the column with the seconds {MOMENT_NAMES[0]!r}",
        )
    seconds = _seconds(path, table, moments_name)
    if np.any(np.diff(seconds) < 0):
        place = int(np.flatnonzero(np.diff(seconds) < 0)[0])
        raise InputError(
            f"the moments of the trace {path} are not in order",
            why=f"row {place + 2} says {seconds[place + 1]:g} s, after {seconds[place]:g} s",
            hint="sort the file by its moments",
        )
    rows_name = _named(names, ROW_NAMES)
    rows = None if rows_name is None else _row_counts(path, table, rows_name)
    questions_name = _named(names, QUESTION_NAMES)
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


def _named(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    """The column with the first of the wanted names, in small letters or in capitals."""
    return next((name for one in wanted for name in names if name.lower() == one), None)


def _seconds(path: Path, table: Any, name: str) -> NDArray[np.float64]:
    from pyarrow import compute, float64, int64, timestamp, types

    column = table.column(name)
    if types.is_timestamp(column.type) or types.is_date(column.type):
        place = table.column_names.index(name)
        # Counted from the first: a float of seconds since 1970 would round to a quarter of a microsecond.
        moments = column.cast(timestamp("ns")).cast(int64())
        first = next((one.as_py() for one in moments if one.is_valid), 0)
        since = compute.divide(compute.subtract(moments, first).cast(float64(), safe=False), 1e9)
        return _numbers(path, table.set_column(place, name, since), name)
    seconds = _numbers(path, table, name)
    if seconds.max() > _MOST_SECONDS:
        raise InputError(
            f"column {name!r} of the trace {path} says {seconds.max():,.0f} s",
            why="moments are seconds, and these look like milliseconds or less",
            hint="divide them, or write them as dates: 2026-01-31 10:00:00.250",
        )
    return seconds


def _numbers(path: Path, table: Any, name: str) -> NDArray[np.float64]:
    if not table.num_rows:
        raise InputError(f"the trace {path} holds no request")
    try:
        numbers = np.asarray(table.column(name).to_numpy(), np.float64)
    except (ValueError, TypeError) as problem:
        raise InputError(
            f"column {name!r} of the trace {path} does not hold numbers",
            why=str(problem),
            hint="moments are seconds (0.25) or dates (2026-01-31 10:00:00.250), rows are whole numbers",
        ) from problem
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
