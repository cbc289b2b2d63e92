"""Directories written by `save_to_disk` of Hugging Face's `datasets`, read by Arrow without that library.

A directory holds files in Arrow's streaming format, `state.json` with their names and `dataset_info.json` with the
features (huggingface/datasets, src/datasets/arrow_dataset.py, `Dataset.save_to_disk`).
"""

from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from modeldyno.data.asked import Asked
from modeldyno.data.image_folder import IMAGE_FILES
from modeldyno.data.image_layout import IMAGE, image_operations
from modeldyno.data.prepared import PreparedDataset, Rows
from modeldyno.data.table_rows import ArrowRows, mapped_stream
from modeldyno.data.tables import choose_columns, streamed_table
from modeldyno.errors import DataError
from modeldyno.protocols import Dataset
from modeldyno.records.base import Record
from modeldyno.records.data_document import ImageReading
from modeldyno.records.signature import Signature

STATE = "state.json"
SPLITS = "dataset_dict.json"


class _DataFile(Record, frozen=True, kw_only=True):
    filename: str


class _State(Record, frozen=True, kw_only=True):
    data_files: tuple[_DataFile, ...] = msgspec.field(name="_data_files")


class _Splits(Record, frozen=True, kw_only=True):
    splits: tuple[str, ...]


def open_hugging_face(folder: Path, asked: Asked, reading: ImageReading | None = None) -> Dataset:
    """The rows of one split, mapped into memory; a feature of type Image is decoded when it is asked for.

    Raises:
        DataError: several splits, damaged, or not fitting the model.
    """
    table = mapped_table(folder)
    source = ArrowRows(table)
    spec = asked.signature.inputs[0]
    chosen = choose_columns(folder.name, source.names, asked)
    image = chosen.features[0]
    if spec.datatype == "BYTES" or len(chosen.features) > 1 or not _holds_files(table.schema.field(image).type):
        return streamed_table(folder.name, source, asked)
    rows = streamed_table(
        folder.name,
        ArrowRows(table.rename_columns([IMAGE if name == image else name for name in table.column_names])),
        asked._replace(signature=Signature(inputs=(IMAGE_FILES,), outputs=())),
    )
    operations = image_operations(spec, reading or ImageReading())
    return PreparedDataset(Rows(folder.name, rows, (IMAGE_FILES,), chosen.labels), operations, asked.signature)


def mapped_table(folder: Path) -> Any:
    """All rows of the split in a folder.

    Raises:
        DataError: several splits, or damaged.
    """
    if (folder / SPLITS).is_file():
        splits = _decoded(folder / SPLITS, _Splits).splits
        raise DataError(
            f"{folder} holds the splits {', '.join(splits)}",
            why="a model is judged on one of them",
            hint=f"name it: --data {folder / (splits[-1] if splits else 'SPLIT')}",
        )
    state = _decoded(folder / STATE, _State)
    table = mapped_stream([folder / one.filename for one in state.data_files])
    if not table.num_rows:
        raise DataError(f"{folder} is empty", why="it has no rows")
    return table


def _holds_files(kind: Any) -> bool:
    is_file = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return bool(is_file or (pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0))


def _decoded(path: Path, kind: Any) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError) as problem:
        raise DataError(
            f"cannot read {path}", why=str(problem), hint="write it again with save_to_disk of `datasets`"
        ) from problem
