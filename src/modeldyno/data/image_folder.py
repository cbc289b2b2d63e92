"""Folders of image files: a folder for each class, or all in one with the labels in a .csv file beside them."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.data.asked import Asked
from modeldyno.data.image_layout import IMAGE, image_operations
from modeldyno.data.labels import check_labels, choose_labels
from modeldyno.data.prepared import PreparedDataset, Rows
from modeldyno.data.streamed import StreamedDataset
from modeldyno.errors import DataError
from modeldyno.processing.pictures import header_problem, require_pillow
from modeldyno.protocols import Dataset
from modeldyno.records.data_document import ImageReading
from modeldyno.records.signature import Signature, TensorSpec

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
IMAGE_FILES = TensorSpec(name=IMAGE, datatype="BYTES", shape=("batch",))
_FILE_COLUMNS = ("file", "filename", "file_name", "image", "path")
_NAMED = 5


class Listing(NamedTuple):
    """Image files in order, and what they show."""

    files: list[Path]
    labels: NDArray[Any] | None
    label_name: str | None


def open_image_folder(folder: Path, asked: Asked, reading: ImageReading | None = None) -> Dataset:
    """Images for a model that takes them decoded, or as files (BYTES); decoded when they are asked for.

    Args:
        folder: with one folder for each class, or with images and at most one .csv file with their labels.
        asked: what is wanted; the label is a column of the .csv file.
        reading: how pixels become numbers; None: not declared.

    Raises:
        DataError: no images, files that are no images, labels that do not match, or something is not declared.
        UsageError: Pillow is not installed.
    """
    rows, signature = image_rows(folder, asked.label), asked.signature
    if len(signature.inputs) != 1:
        names = ", ".join(spec.name for spec in signature.inputs)
        raise DataError(f"{folder.name} holds images, the model takes {len(signature.inputs)} inputs: {names}")
    spec = signature.inputs[0]
    operations = () if spec.datatype == "BYTES" else image_operations(spec, reading or ImageReading())
    return PreparedDataset(rows, operations, signature)


def image_rows(folder: Path, label: str | None) -> Rows:
    """The image files of a folder as rows of BYTES.

    Raises:
        DataError: no images, files that are no images, or labels that do not match.
        UsageError: Pillow is not installed.
    """
    require_pillow()
    listing = _listing(folder, label)
    _check_files(folder, listing.files)

    def read(start: int, stop: int) -> dict[str, NDArray[Any]]:
        contents: NDArray[Any] = np.empty(stop - start, object)
        contents[:] = [_content(file) for file in listing.files[start:stop]]
        return {IMAGE: contents}

    dataset = StreamedDataset(
        folder.name,
        len(listing.files),
        read,
        Asked(Signature(inputs=(IMAGE_FILES,), outputs=())),
        listing.labels,
        listing.label_name,
    )
    names = [str(file.relative_to(folder)) for file in listing.files]
    return Rows(folder.name, dataset, (IMAGE_FILES,), listing.label_name, names)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as problem:
        raise DataError(f"cannot read {file}", why=problem.strerror or str(problem)) from problem


def _listing(folder: Path, label: str | None) -> Listing:
    classes = sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
    by_class = [(one.name, _images(one)) for one in classes]
    flat = _images(folder)
    if any(files for _, files in by_class):
        if flat:
            raise DataError(
                f"{folder} holds images beside folders of images",
                why=f"for example {flat[0].name}, and {next(name for name, files in by_class if files)}/",
                hint="put each image into the folder of its class",
            )
        return _of_classes(folder, by_class, label)
    if not flat:
        raise DataError(f"{folder} holds no images", why=f"image files end in {', '.join(ENDINGS)}")
    tables = sorted(one for one in folder.glob("*.csv") if not one.name.startswith("."))
    if len(tables) > 1:
        raise DataError(f"{folder} holds several .csv files", why=", ".join(one.name for one in tables))
    if tables:
        return _of_table(folder, tables[0], label)
    if label is not None:
        raise DataError(
            f"{folder} has no labels called {label!r}",
            hint="put a .csv file with the columns file and label beside the images",
        )
    return Listing(flat, None, None)


def _of_classes(folder: Path, by_class: list[tuple[str, list[Path]]], label: str | None) -> Listing:
    if label is not None:
        raise DataError(f"{folder} has a folder for each class, and no labels called {label!r}", hint="omit --label")
    texts = [name for name, files in by_class for _ in files]
    is_number = all(text.isascii() and text.isdigit() for text in texts)
    labels: NDArray[Any] = np.array([int(text) for text in texts]) if is_number else np.array(texts)
    return Listing([file for _, files in by_class for file in files], labels, "folder")


def _of_table(folder: Path, path: Path, label: str | None) -> Listing:
    from modeldyno.data.columns import read_columns

    columns = read_columns(path)
    file_column = next((name for name in _FILE_COLUMNS if name in columns.names), None)
    if file_column is None:
        raise DataError(
            f"{path} does not say which file each row is about",
            why=f"it has the columns {', '.join(columns.names)}",
            hint=f"name one of them {_FILE_COLUMNS[0]}",
        )
    others = [name for name in columns.names if name != file_column]
    chosen = choose_labels(path.name, others, label, set())
    if chosen is None and len(others) == 1:
        chosen = others[0]
    files = [folder / str(name) for name in columns.array(file_column).tolist()]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise DataError(
            f"{path} names {len(missing)} files that are not there: {', '.join(missing[:_NAMED])}",
            why=f"they are looked for in {folder}",
        )
    if chosen is None:
        return Listing(files, None, None)
    return Listing(files, check_labels(path.name, chosen, columns.array(chosen), len(files)), chosen)


def _images(folder: Path) -> list[Path]:
    return sorted(
        one
        for one in folder.iterdir()
        if one.is_file() and one.suffix.lower() in ENDINGS and not one.name.startswith(".")
    )


def _check_files(folder: Path, files: list[Path]) -> None:
    """Name the files that do not even begin like images, before anything is computed."""
    wrong = []
    for file in files:
        try:
            with file.open("rb") as stream:
                problem = header_problem(stream)
        except OSError as error:
            problem = error.strerror or str(error)
        if problem:
            wrong.append((str(file.relative_to(folder)), problem))
    if wrong:
        told = ", ".join(name for name, _ in wrong[:_NAMED]) + (", ..." if len(wrong) > _NAMED else "")
        raise DataError(
            f"{len(wrong)} of {len(files)} images in {folder.name} cannot be decoded: {told}",
            why=wrong[0][1],
            hint="mend or remove them",
        )
