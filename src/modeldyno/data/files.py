"""From a path to rows that fit a model."""

from collections.abc import Sequence
from pathlib import Path

from modeldyno.data.asked import Asked, TakesGaps
from modeldyno.errors import DataError
from modeldyno.protocols import Dataset
from modeldyno.records.signature import Signature

_ENDINGS = (".npz", ".npy", ".csv", ".parquet", ".jsonl")
STREAMED_ABOVE_BYTES = 512 * 2**20
"""Files of more content than this are read row by row as they are needed, instead of held in memory."""


def open_dataset(
    path: Path,
    signature: Signature,
    *,
    label: str | None = None,
    beside: Sequence[str] = (),
    takes_gaps: TakesGaps | None = None,
) -> Dataset:
    """The rows of a file or a folder, checked and converted to the model's inputs.

    Files end in .npz, .npy, .csv, .parquet or .jsonl, or are a data document (.json, `DataDocument`). Folders hold
    images, or are written by `save_to_disk` of Hugging Face's `datasets`.

    Values are converted only where nothing but rounding to the model's precision is lost. Missing labels are not an
    error here: `labels` is then None. What is larger than memory is read when rows are asked for, and what no model can
    answer is found then.

    Args:
        path: the file or folder.
        signature: of the model that will answer the rows.
        label: name of the array or column with the labels; without it one called y, label, labels, target, targets
            or class is taken.
        beside: arrays or columns that are no features: what `data.beside.read_beside` reads.
        takes_gaps: whether the model answers rows that lack a number; None: only where a data document says so.

    Raises:
        InputError: a .json file that is no data document.
        DataError: missing, unreadable, empty or ambiguous; wrong number of features or wrong datatype; infinity,
            or NaN that the model does not take; labels that do not match the rows; something that is not declared.
        UsageError: declared operations do not fit the rows, or an extra is not installed.
    """
    return open_rows(path, Asked(signature, label, tuple(beside), takes_gaps or False))


def open_rows(path: Path, asked: Asked, *, streamed_above: int = STREAMED_ABOVE_BYTES) -> Dataset:
    """See `open_dataset`.

    Args:
        path: the file or folder.
        asked: what is wanted.
        streamed_above: files of more bytes than this are not held in memory.
    """
    if path.is_dir():
        return _open_folder(path, asked)
    _check_readable(path)
    ending = path.suffix.lower()
    streamed = _content_bytes(path) > streamed_above
    if ending in (".npz", ".npy"):
        from modeldyno.data.numpy_files import open_npy, open_npz

        return (open_npy if ending == ".npy" else open_npz)(path, asked, streamed=streamed)
    if ending in (".csv", ".parquet"):
        from modeldyno.data.tables import open_streamed_table, open_table

        return open_streamed_table(path, asked) if streamed else open_table(path, asked)
    if ending == ".jsonl":
        from modeldyno.data.lines import open_jsonl, open_streamed_jsonl

        return open_streamed_jsonl(path, asked) if streamed else open_jsonl(path, asked)
    if ending == ".json":
        from modeldyno.data.documents import open_document

        return open_document(path, asked)
    raise DataError(
        f"{path} has an unknown format",
        why=f"data files end in {', '.join(_ENDINGS)}",
        hint="save the rows as one of these",
    )


def _open_folder(path: Path, asked: Asked) -> Dataset:
    from modeldyno.data.hugging_face import SPLITS, STATE, open_hugging_face
    from modeldyno.data.image_folder import open_image_folder

    if (path / STATE).is_file() or (path / SPLITS).is_file():
        return open_hugging_face(path, asked)
    return open_image_folder(path, asked)


def _check_readable(path: Path) -> None:
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


def _content_bytes(path: Path) -> int:
    """The size of what is in a file, which may be packed."""
    size = path.stat().st_size
    if path.suffix.lower() == ".npz":
        import zipfile

        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return sum(member.file_size for member in archive.infolist())
    if path.suffix.lower() == ".parquet":
        from modeldyno.data.table_rows import unpacked_bytes

        return unpacked_bytes(path)
    return size
