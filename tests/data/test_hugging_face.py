"""Directories as `save_to_disk` of the library `datasets` writes them (huggingface/datasets 4, arrow_dataset.py)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modeldyno.data.files import open_dataset
from modeldyno.errors import DataError
from modeldyno.records.data_document import DataDocument, ImageReading
from modeldyno.records.files import write_record
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.testing.pictures import encoded, pixels

OUTPUT = (TensorSpec(name="label", datatype="INT64", shape=("batch",)),)


def signature(datatype: str, *shape: int | str, name: str = "x") -> Signature:
    return Signature(inputs=(TensorSpec(name=name, datatype=datatype, shape=("batch", *shape)),), outputs=OUTPUT)


def save(folder: Path, columns: dict[str, Any], *, files: int = 2) -> Path:
    folder.mkdir(parents=True)
    table = pa.table(columns)
    size = -(-table.num_rows // files)
    names = [f"data-{number:05}-of-{files:05}.arrow" for number in range(files)]
    for number, name in enumerate(names):
        part = table.slice(number * size, size)
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(part, max_chunksize=3)
    state: dict[str, Any] = {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": "a5f",
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": {}}))
    return folder


def test_texts_and_labels_are_read_from_all_files(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(11)]
    folder = save(tmp_path / "reviews", {"text": texts, "label": np.arange(11) % 2, "id": np.arange(11)}, files=3)
    for one in (signature("BYTES"), signature("BYTES", 1)):
        dataset = open_dataset(folder, one)
        assert dataset.labels is not None
        assert [0, 1] * 5 + [0] == dataset.labels.tolist()
        assert [text.encode() for text in texts[2:9]] == dataset.inputs(2, 9)["x"].ravel().tolist()


def test_lists_are_rows_of_numbers(tmp_path: Path) -> None:
    rows = np.arange(24.0).reshape(4, 2, 3)
    folder = save(tmp_path / "rows", {"x": rows.tolist(), "label": [0, 1, 0, 1]})
    dataset = open_dataset(folder, signature("FP32", 2, 3))
    assert rows[1:3].tolist() == dataset.inputs(1, 3)["x"].tolist()


def test_rows_without_a_feature_are_named(tmp_path: Path) -> None:
    folder = save(tmp_path / "rows", {"text": ["a", None, "c"], "label": [0, 1, 0]})
    with pytest.raises(DataError, match="1 texts in rows are missing") as caught:
        open_dataset(folder, signature("BYTES")).inputs(0, 3)
    assert "row 1" in caught.value.why


def test_one_split_is_named(tmp_path: Path) -> None:
    save(tmp_path / "reviews" / "test", {"text": ["a", "b"], "label": [0, 1]})
    (tmp_path / "reviews" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(DataError, match="holds the splits train, test") as caught:
        open_dataset(tmp_path / "reviews", signature("BYTES"))
    assert str(tmp_path / "reviews" / "test") in caught.value.hint
    assert 2 == open_dataset(tmp_path / "reviews" / "test", signature("BYTES")).rows


def test_damaged_directories_are_refused(tmp_path: Path) -> None:
    folder = save(tmp_path / "rows", {"text": ["a", "b"], "label": [0, 1]})
    (folder / "data-00001-of-00002.arrow").write_bytes(b"damaged")
    with pytest.raises(DataError, match="cannot read"):
        open_dataset(folder, signature("BYTES"))
    (folder / "state.json").write_text("{}")
    with pytest.raises(DataError, match=r"cannot read .*state\.json"):
        open_dataset(folder, signature("BYTES"))


def test_images_are_decoded_as_declared(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="images need the extra `image`")
    images = [{"bytes": encoded(pixels(seed=seed)), "path": None} for seed in range(4)]
    folder = save(tmp_path / "pets", {"img": images, "label": [0, 1, 1, 0]})
    dataset = open_dataset(folder, signature("UINT8", 8, 8, 3))
    assert pixels(seed=2).tolist() == dataset.inputs(2, 3)["x"][0].tolist()
    assert dataset.labels is not None
    assert [0, 1, 1, 0] == dataset.labels.tolist()
    document = tmp_path / "pets.json"
    write_record(document, DataDocument(path="pets", images=ImageReading(scaling="unit")))
    floats = open_dataset(document, signature("FP32", 3, 8, 8)).inputs(2, 3)["x"][0]
    np.testing.assert_allclose(pixels(seed=2).transpose(2, 0, 1) / 255, floats, rtol=1e-6)
