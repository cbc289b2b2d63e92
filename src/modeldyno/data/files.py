"""From a path to rows that fit a model."""

from pathlib import Path

from modeldyno.data.arrays import ArrayDataset
from modeldyno.errors import DataError
from modeldyno.records.signature import Signature

_ENDINGS = (".npz", ".npy", ".csv", ".parquet", ".jsonl")


def open_dataset(path: Path, signature: Signature, *, label: str | None = None) -> ArrayDataset:
    """The rows in a .npz, .npy, .csv, .parquet or .jsonl file, checked and converted to the model's inputs.

    Values are converted only where nothing but rounding to the model's precision is lost. Missing labels are not an
    error here: `labels` is then None.

    Args:
        path: the file.
        signature: of the model that will answer the rows.
        label: name of the array or column with the labels; without it one called y, label, labels, target, targets
            or class is taken.

    Raises:
        DataError: missing, unreadable, empty or ambiguous; wrong number of features or wrong datatype; NaN or
            infinity; labels that do not match the rows.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(1)
    except OSError as problem:
        raise DataError(
            f"cannot read the data {path}",
            why=problem.strerror or str(problem),
            hint="check the path" if isinstance(problem, FileNotFoundError) else "",
        ) from problem
    if not start:
        raise DataError(f"{path} is empty", hint="check how it was made")
    ending = path.suffix.lower()
    if ending in (".npz", ".npy"):
        from modeldyno.data.numpy_files import open_npy, open_npz

        return (open_npz if ending == ".npz" else open_npy)(path, signature, label)
    if ending in (".csv", ".parquet"):
        from modeldyno.data.tables import open_table

        return open_table(path, signature, label)
    if ending == ".jsonl":
        from modeldyno.data.lines import open_jsonl

        return open_jsonl(path, signature, label)
    raise DataError(
        f"{path} has an unknown format",
        why=f"data files end in {', '.join(_ENDINGS)}",
        hint="save the rows as one of these",
    )
