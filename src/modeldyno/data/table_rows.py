"""Tables on disk of which any rows can be read without the others."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from pyarrow import ArrowException, csv, parquet

from modeldyno.data.line_index import LineIndex
from modeldyno.errors import DataError, first_line


class TableRows(Protocol):
    """Rows of a table that need not all be in memory."""

    @property
    def names(self) -> list[str]:
        """Of the columns."""
        ...

    @property
    def rows(self) -> int:
        """How many there are."""
        ...

    def table(self, names: Sequence[str], start: int, stop: int) -> Any:
        """These columns of rows `start` to `stop`, as an Arrow table."""
        ...

    def column(self, name: str) -> Any:
        """One column of all rows, as an Arrow table."""
        ...


class ArrowRows:
    """An Arrow table, usually one that is mapped from files.

    Args:
        table: the whole.
    """

    def __init__(self, table: Any) -> None:
        self._table = table

    @property
    def names(self) -> list[str]:
        """See `TableRows`."""
        return list(self._table.column_names)

    @property
    def rows(self) -> int:
        """See `TableRows`."""
        return int(self._table.num_rows)

    def table(self, names: Sequence[str], start: int, stop: int) -> Any:
        """See `TableRows`."""
        return self._table.select(list(names)).slice(start, stop - start)

    def column(self, name: str) -> Any:
        """See `TableRows`."""
        return self._table.select([name])


class ParquetRows:
    """A .parquet file, read by its row groups; those last read are kept.

    Raises:
        DataError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = parquet.ParquetFile(path)
        except (ArrowException, OSError) as problem:
            raise unreadable(path, problem) from problem
        metadata = self._file.metadata
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        self._starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])
        self._kept: tuple[tuple[str, ...], int, int, Any] = ((), 0, 0, None)

    @property
    def names(self) -> list[str]:
        """See `TableRows`."""
        return list(self._file.schema_arrow.names)

    @property
    def rows(self) -> int:
        """See `TableRows`."""
        return int(self._starts[-1])

    def table(self, names: Sequence[str], start: int, stop: int) -> Any:
        """See `TableRows`."""
        first = int(np.searchsorted(self._starts, start, side="right")) - 1
        end = int(np.searchsorted(self._starts, stop, side="left"))
        if self._kept[:3] != (tuple(names), first, end):
            try:
                table = self._file.read_row_groups(list(range(first, end)), columns=list(names))
            except (ArrowException, OSError) as problem:
                raise unreadable(self._path, problem) from problem
            self._kept = (tuple(names), first, end, table)
        return self._kept[3].slice(start - int(self._starts[first]), stop - start)

    def column(self, name: str) -> Any:
        """See `TableRows`."""
        try:
            return self._file.read(columns=[name])
        except (ArrowException, OSError) as problem:
            raise unreadable(self._path, problem) from problem


class CsvRows:
    """A .csv file with a header, of which the place of each row is known.

    Raises:
        DataError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = LineIndex(path, quoted=True)
        self._header = self._lines.lines(0, 1)
        if not self._header.endswith(b"\n"):
            self._header += b"\n"
        self._names = list(self._parsed(b"").column_names)

    @property
    def names(self) -> list[str]:
        """See `TableRows`."""
        return self._names

    @property
    def rows(self) -> int:
        """See `TableRows`."""
        return len(self._lines) - 1

    def table(self, names: Sequence[str], start: int, stop: int) -> Any:
        """See `TableRows`."""
        return self._parsed(self._lines.lines(start + 1, stop + 1)).select(list(names))

    def column(self, name: str) -> Any:
        """See `TableRows`."""
        try:
            # As texts first, block by block: read_csv would hold all blocks, and open_csv takes the type of the first.
            options = csv.ConvertOptions(include_columns=[name], column_types={name: pa.string()})
            parsing = csv.ParseOptions(newlines_in_values=True)
            with csv.open_csv(self._path, parse_options=parsing, convert_options=options) as blocks:
                texts = blocks.read_all()
            stream = io.BytesIO()
            csv.write_csv(texts, stream)
            return csv.read_csv(io.BytesIO(stream.getbuffer()), parse_options=parsing)
        except (ArrowException, OSError) as problem:
            raise unreadable(self._path, problem) from problem

    def _parsed(self, lines: bytes) -> Any:
        options = csv.ParseOptions(newlines_in_values=True)
        try:
            return csv.read_csv(io.BytesIO(self._header + lines), parse_options=options)
        except (ArrowException, OSError) as problem:
            raise unreadable(self._path, problem) from problem


def rows_of(path: Path) -> TableRows:
    """The rows of a file whose name ends in .csv or .parquet."""
    return CsvRows(path) if path.suffix.lower() == ".csv" else ParquetRows(path)


def mapped_stream(paths: Sequence[Path]) -> Any:
    """Files in Arrow's streaming format as one table, mapped into memory.

    Raises:
        DataError: one cannot be read, or they differ in their columns.
    """
    tables = []
    for path in paths:
        try:
            tables.append(pa.ipc.open_stream(pa.memory_map(str(path))).read_all())
        except (ArrowException, OSError) as problem:
            raise unreadable(path, problem) from problem
    try:
        return pa.concat_tables(tables)
    except ArrowException as problem:
        raise unreadable(paths[0].parent, problem) from problem


def unpacked_bytes(path: Path) -> int:
    """The size of a .parquet file's columns without compression.

    Raises:
        DataError: it cannot be read.
    """
    try:
        metadata = parquet.read_metadata(path)
    except (ArrowException, OSError) as problem:
        raise unreadable(path, problem) from problem
    return sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))


def unreadable(path: Path, problem: Exception) -> DataError:
    """The error for a file that Arrow cannot read."""
    return DataError(f"cannot read {path}", why=first_line(problem))
