"""JSON lines: one row a line, an object with the model's inputs, or the row of its only input."""

from pathlib import Path

from modeldyno.data.arrays import ArrayDataset
from modeldyno.data.columns import UNNAMED, read_columns
from modeldyno.data.fitting import fit_tensors
from modeldyno.data.labels import FEATURE_NAMES, check_labels, choose_labels
from modeldyno.errors import DataError
from modeldyno.records.signature import Signature


def open_jsonl(path: Path, signature: Signature, label: str | None) -> ArrayDataset:
    """Lines such as `{"tokens": [1, 2], "y": 0}` with the names of the model's inputs, or `[1, 2]`.

    A model with one input may have it under the name X, x, data or inputs, too.

    Raises:
        DataError: unreadable, a line without an input, or not fitting the model.
    """
    columns = read_columns(path)
    names = columns.names
    inputs = [spec.name for spec in signature.inputs]
    labels = None if names == [UNNAMED] else choose_labels(path.name, names, label, set(inputs) & set(names))
    if len(inputs) == 1 and inputs[0] not in names:
        other = next((name for name in (UNNAMED, *FEATURE_NAMES) if name in names), inputs[0])
        sources = {inputs[0]: other}
    else:
        sources = {name: name for name in inputs}
    missing = [name for name in sources.values() if name not in names]
    if missing:
        raise DataError(
            f"{path.name} lacks the model's inputs {', '.join(missing)}",
            why=f"its lines have {', '.join(names)}",
            hint="each line is an object with one member for each input",
        )
    arrays = {name: columns.array(source) for name, source in sources.items()}
    tensors = fit_tensors(path.name, arrays, signature)
    checked = None if labels is None else check_labels(path.name, labels, columns.array(labels), columns.rows)
    return ArrayDataset(path.name, tensors, checked, labels)
