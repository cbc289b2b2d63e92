"""Tables: `.csv` with a header row and `.parquet`, read by Arrow; one column may hold the labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import ArrowException, csv, parquet

from modeldyno.data.arrays import ArrayDataset
from modeldyno.data.asked import Asked
from modeldyno.data.fitting import fit_tensors
from modeldyno.data.labels import check_labels, choose_labels
from modeldyno.data.missing_inputs import missing_inputs
from modeldyno.data.streamed import StreamedDataset
from modeldyno.data.table_rows import TableRows, rows_of, unreadable
from modeldyno.errors import DataError
from modeldyno.records.signature import Signature

TEXT_NAMES = ("text", "sentence", "content", "document", "image")
"""Columns that hold the input of a model with one BYTES input when none is called like it."""


class Chosen(NamedTuple):
    """Which columns of a table are what."""

    features: list[str]
    labels: str | None


def open_table(path: Path, asked: Asked) -> ArrayDataset:
    """A CSV file whose first row names the columns, or a Parquet file, in memory.

    Raises:
        DataError: unreadable, without a header, or not fitting the model.
    """
    table = read_table(path)
    chosen = choose_columns(path.name, table.column_names, asked)
    arrays = arrays_of(path.name, table, chosen.features, asked.signature)
    columns = chosen.features if len(asked.signature.inputs) == 1 else ()
    tensors = fit_tensors(path.name, arrays, asked.signature, may_miss=asked.may_miss, columns=columns)
    checked = None if chosen.labels is None else _labels(path.name, table, chosen.labels)
    return ArrayDataset(path.name, tensors, checked, chosen.labels)


def open_streamed_table(path: Path, asked: Asked) -> StreamedDataset:
    """As `open_table`, with the labels only in memory."""
    return streamed_table(path.name, rows_of(path), asked)


def streamed_table(name: str, source: TableRows, asked: Asked) -> StreamedDataset:
    """Rows of a table, read when they are asked for.

    Args:
        name: what the user calls it.
        source: the rows.
        asked: what is wanted of them.

    Raises:
        DataError: not fitting the model.
    """
    _check_names(name, source.names, source.rows)
    chosen = choose_columns(name, source.names, asked)
    checked = None
    if chosen.labels is not None:
        checked = _labels(name, source.column(chosen.labels), chosen.labels)

    def read(start: int, stop: int) -> dict[str, NDArray[Any]]:
        return arrays_of(name, source.table(chosen.features, start, stop), chosen.features, asked.signature)

    dataset = StreamedDataset(name, source.rows, read, asked, checked, chosen.labels)
    dataset.inputs(0, 1)  # what does not fit at all is refused now
    return dataset


def read_table(path: Path) -> Any:
    """An Arrow table from a file whose name ends in .csv or .parquet.

    Raises:
        DataError: unreadable, without a header, or with two columns of one name.
    """
    is_csv = path.suffix.lower() == ".csv"
    try:
        options = csv.ParseOptions(newlines_in_values=True)
        table = csv.read_csv(path, parse_options=options) if is_csv else parquet.read_table(path)
        names = list(table.column_names)  # decoded here and nowhere before
    except (ArrowException, OSError, UnicodeDecodeError) as problem:
        raise unreadable(path, problem) from problem
    _check_names(path.name, names, table.num_rows, is_csv=is_csv)
    return table


def _check_names(name: str, names: list[str], rows: int, *, is_csv: bool | None = None) -> None:
    is_csv = name.lower().endswith(".csv") if is_csv is None else is_csv
    if is_csv and names and all(_is_number(one) for one in names):
        raise DataError(
            f"{name} has no header row",
            why=f"its first row is numbers: {', '.join(names[:5])}",
            hint="put the column names in the first row",
        )
    if len(set(names)) < len(names):
        twice = next(one for one in names if names.count(one) > 1)
        raise DataError(f"{name} has two columns called {twice!r}", hint="rename one of them")
    if rows == 0:
        raise DataError(f"{name} is empty", why="it has column names but no rows")


def choose_columns(name: str, columns: Sequence[str], asked: Asked) -> Chosen:
    """Which columns are the features, and which holds the labels.

    Raises:
        DataError: an input of the model, or a label that was named, is not there.
    """
    signature, names = asked.signature, asked.without(columns)
    several = len(signature.inputs) > 1
    inputs = {spec.name for spec in signature.inputs}
    labels = choose_labels(name, names, asked.label, inputs if several else set())
    features = [one for one in names if one != labels]
    if several:
        missing = sorted(inputs - set(features))
        if missing:
            raise missing_inputs(
                name,
                missing,
                why=f"it has the columns {', '.join(features)}",
                hint="a model with several inputs takes one column for each, under its name",
            )
        return Chosen(sorted(inputs), labels)
    if not features:
        raise DataError(f"{name} has no column left for the features")
    wanted = signature.inputs[0].name
    if wanted in features:
        return Chosen([wanted], labels)
    if signature.inputs[0].datatype == "BYTES" and signature.inputs[0].shape[1:] in ((), (1,)):
        return Chosen([_text_column(name, features)], labels)
    return Chosen(features, labels)


def _text_column(name: str, features: list[str]) -> str:
    usual = [one for one in features if one in TEXT_NAMES]
    candidates = usual or features
    if len(candidates) == 1:
        return candidates[0]
    raise DataError(
        f"it is not clear which column of {name} holds the texts: it has {', '.join(features)}",
        why=f"one called like the model's input, or one of {', '.join(TEXT_NAMES)}, is looked for",
        hint="rename the column",
    )


def arrays_of(name: str, table: Any, features: Sequence[str], signature: Signature) -> dict[str, NDArray[Any]]:
    """Input name to array, not yet fitted.

    Raises:
        DataError: text where numbers are needed, or lists of different lengths.
    """
    if len(signature.inputs) > 1:
        return {one: _column(name, table, one) for one in features}
    spec = signature.inputs[0]
    if len(features) == 1:
        column = _column(name, table, features[0])
        if spec.datatype != "BYTES" and column.ndim == 1:
            _refuse_text(name, features[0], column)
        is_scalar = column.ndim == 1 and len(spec.shape) > 1
        return {spec.name: column[:, np.newaxis] if is_scalar else column}
    columns = [_values(table, one) for one in features]
    if spec.datatype != "BYTES":
        for one, column in zip(features, columns, strict=True):
            _refuse_text(name, one, column)
    return {spec.name: np.column_stack(columns)}


def _labels(name: str, table: Any, label: str) -> NDArray[Any]:
    return check_labels(name, label, _values(table, label), table.num_rows)


def _column(name: str, table: Any, one: str) -> NDArray[Any]:
    column = _values(table, one)
    if not (column.dtype == object and any(isinstance(cell, np.ndarray) for cell in column[:1])):
        return column
    # A table cannot hold a row of several numbers in one cell except as a list.
    try:
        return np.array(table.column(one).to_pylist())
    except ValueError as problem:
        raise DataError(f"column {one!r} of {name} holds lists of different lengths") from problem


def _values(table: Any, one: str) -> NDArray[Any]:
    """A column as NumPy has it: missing numbers are NaN, missing texts None, images their files."""
    column = table.column(one)
    kind = column.type
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        files: NDArray[Any] = np.empty(len(column), object)
        files[:] = [None if cell is None else cell["bytes"] for cell in column.to_pylist()]
        return files
    values: NDArray[Any] = column.to_numpy()
    return values


def _refuse_text(name: str, one: str, column: NDArray[Any]) -> None:
    if column.dtype.kind in "biuf":
        return
    row, sample = next(((row, item) for row, item in enumerate(column.tolist()) if item is not None), (0, None))
    raise DataError(
        f"column {one!r} of {name} does not hold numbers, for example {str(sample)[:40]!r} in row {row}",
        why="the model takes numbers only",
        hint="encode it the way it was done in training; if it is the label, say --label " + one,
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
