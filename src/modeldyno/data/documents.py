"""Data documents: a path, and what is declared about the rows there."""

from pathlib import Path

from modeldyno.data.arrays import ArrayDataset
from modeldyno.data.asked import Asked
from modeldyno.data.files import open_rows
from modeldyno.data.hugging_face import STATE, open_hugging_face
from modeldyno.data.image_folder import image_rows, open_image_folder
from modeldyno.data.numbered import NumberedDataset
from modeldyno.data.prepared import PreparedDataset, Rows
from modeldyno.data.streamed import StreamedDataset
from modeldyno.errors import DataError
from modeldyno.protocols import Dataset
from modeldyno.records.data_document import DataDocument
from modeldyno.records.files import read_record
from modeldyno.records.processing import Processing
from modeldyno.records.signature import Signature


def open_document(path: Path, asked: Asked) -> Dataset:
    """The rows that a document describes, as the model takes them.

    Args:
        path: of the document.
        asked: what is wanted; without a label that of the document.

    Raises:
        InputError: it is no such document.
        DataError: it contradicts itself, or the rows do not fit.
        UsageError: an operation does not fit the rows.
    """
    document = read_record(path, DataDocument)
    asked = asked._replace(label=asked.label or document.label or None, may_miss=document.gaps or asked.may_miss)
    place = path.parent / document.path
    if document.processing and document.images is not None:
        raise DataError(
            f"{path} declares both images and processing",
            why="processing of images begins with the operation decode_image, which says the same",
            hint="leave one of them out",
        )
    if document.processing:
        dataset = _processed(place, path.parent / document.processing, asked)
    elif document.images is None:
        dataset = open_rows(place, asked)
    elif (place / STATE).is_file():
        dataset = open_hugging_face(place, asked, document.images)
    elif place.is_dir():
        dataset = open_image_folder(place, asked, document.images)
    else:
        raise DataError(f"{path} declares images, and {place} is no folder of images")
    return NumberedDataset(dataset, document.classes, str(path)) if document.classes else dataset


def _processed(place: Path, source: Path, asked: Asked) -> Dataset:
    processing = read_record(source, Processing)
    if place.is_dir() and not (place / STATE).is_file():
        return PreparedDataset(image_rows(place, asked.label), processing.operations, asked.signature)
    if not processing.inputs:
        raise DataError(
            f"{source} does not say what goes into its first operation",
            hint='declare "inputs": [{"name": NAME, "datatype": TYPE, "shape": ["batch", SIZE]}] in it',
        )
    raw = asked._replace(signature=Signature(inputs=processing.inputs, outputs=()), may_miss=True)
    dataset = open_rows(place, raw)
    label = dataset.label_name if isinstance(dataset, (ArrayDataset, StreamedDataset)) else asked.label
    rows = Rows(place.name, dataset, processing.inputs, label)
    return PreparedDataset(rows, processing.operations, asked.signature)
