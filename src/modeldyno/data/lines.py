"""JSON lines: one row a line, an object with the model's inputs, or the row of its only input."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.data.arrays import ArrayDataset
from modeldyno.data.asked import Asked
from modeldyno.data.columns import UNNAMED, Columns, columns_of_lines, read_columns
from modeldyno.data.fitting import fit_tensors
from modeldyno.data.labels import FEATURE_NAMES, check_labels, choose_labels
from modeldyno.data.line_index import LineIndex
from modeldyno.data.missing_inputs import missing_inputs
from modeldyno.data.streamed import StreamedDataset
from modeldyno.errors import DataError

_BLOCK_ROWS = 4096


def open_jsonl(path: Path, asked: Asked) -> ArrayDataset:
    """Lines such as `{"tokens": [1, 2], "y": 0}` with the names of the model's inputs, or `[1, 2]`.

    A model with one input may have it under the name X, x, data or inputs, too.

    Raises:
        DataError: unreadable, a line without an input, or not fitting the model.
    """
    columns = read_columns(path)
    sources, labels = _chosen(columns, asked)
    arrays = {name: columns.array(source) for name, source in sources.items()}
    tensors = fit_tensors(path.name, arrays, asked.signature, may_miss=asked.may_miss)
    checked = None if labels is None else check_labels(path.name, labels, columns.array(labels), columns.rows)
    return ArrayDataset(path.name, tensors, checked, labels)


def open_streamed_jsonl(path: Path, asked: Asked) -> StreamedDataset:
    """As `open_jsonl`, with the labels and the places of the lines only in memory.

    Raises:
        DataError: see `open_jsonl`.
    """
    lines = LineIndex(path, quoted=False)
    if not len(lines):
        raise DataError(f"{path} holds no rows")

    def columns(start: int, stop: int) -> Columns:
        return columns_of_lines(path, lines.lines(start, stop))

    sources, labels = _chosen(columns(0, 1), asked)
    checked = None
    if labels is not None:
        parts = [columns(start, start + _BLOCK_ROWS).array(labels) for start in range(0, len(lines), _BLOCK_ROWS)]
        checked = check_labels(path.name, labels, np.concatenate(parts), len(lines))

    def read(start: int, stop: int) -> dict[str, NDArray[Any]]:
        found = columns(start, stop)
        return {name: found.array(source) for name, source in sources.items()}

    dataset = StreamedDataset(path.name, len(lines), read, asked, checked, labels)
    dataset.inputs(0, 1)  # what does not fit at all is refused now
    return dataset


def _chosen(columns: Columns, asked: Asked) -> tuple[dict[str, str], str | None]:
    """Input name to the column it is read from, and the column with the labels."""
    source, names = columns.path.name, asked.without(columns.names)
    inputs = [spec.name for spec in asked.signature.inputs]
    labels = None if names == [UNNAMED] else choose_labels(source, names, asked.label, set(inputs) & set(names))
    if len(inputs) == 1 and inputs[0] not in names:
        other = next((name for name in (UNNAMED, *FEATURE_NAMES) if name in names), inputs[0])
        sources = {inputs[0]: other}
    else:
        sources = {name: name for name in inputs}
    missing = [name for name in sources.values() if name not in names]
    if missing:
        raise missing_inputs(
            source,
            missing,
            why=f"its lines have {', '.join(names)}",
            hint="each line is an object with one member for each input",
        )
    return sources, labels
