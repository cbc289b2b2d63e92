"""What is larger than memory: the same rows, the same digest, read in blocks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyarrow import csv, parquet

from modeldyno.data.arrays import ArrayDataset
from modeldyno.data.asked import Asked
from modeldyno.data.files import open_rows
from modeldyno.data.line_index import LineIndex
from modeldyno.data.streamed import StreamedDataset
from modeldyno.errors import DataError
from modeldyno.records.signature import Signature, TensorSpec

ROWS = 5000
GENERATOR = np.random.default_rng(0)
FEATURES = GENERATOR.normal(size=(ROWS, 3)).round(3)
LABELS = GENERATOR.integers(0, 3, ROWS)
NAMES = np.array(["cat", "dog", "a longer name"])[LABELS]
OUTPUT = (TensorSpec(name="label", datatype="INT64", shape=("batch",)),)
THREE = Asked(Signature(inputs=(TensorSpec(name="input", datatype="FP32", shape=("batch", 3)),), outputs=OUTPUT))
TWO = Asked(
    Signature(
        inputs=(
            TensorSpec(name="left", datatype="FP32", shape=("batch", 3)),
            TensorSpec(name="right", datatype="BYTES", shape=("batch",)),
        ),
        outputs=OUTPUT,
    )
)


def save_npz(folder: Path) -> Path:
    np.savez(folder / "rows.npz", X=FEATURES, y=NAMES)
    return folder / "rows.npz"


def save_packed(folder: Path) -> Path:
    np.savez_compressed(folder / "rows.npz", X=np.asfortranarray(FEATURES), y=NAMES)
    return folder / "rows.npz"


def save_npy(folder: Path) -> Path:
    np.save(folder / "rows.npy", FEATURES)
    return folder / "rows.npy"


def table() -> pa.Table:
    return pa.table({**{f"f{place}": FEATURES[:, place] for place in range(3)}, "y": NAMES})


def save_csv(folder: Path) -> Path:
    csv.write_csv(table(), folder / "rows.csv")
    return folder / "rows.csv"


def save_parquet(folder: Path) -> Path:
    parquet.write_table(table(), folder / "rows.parquet", row_group_size=700)
    return folder / "rows.parquet"


def save_jsonl(folder: Path) -> Path:
    lines = [json.dumps({"input": row, "y": name}) for row, name in zip(FEATURES.tolist(), NAMES.tolist(), strict=True)]
    (folder / "rows.jsonl").write_text("\n".join(lines))
    return folder / "rows.jsonl"


@pytest.mark.parametrize("save", (save_npz, save_packed, save_npy, save_csv, save_parquet, save_jsonl))
def test_streamed_rows_are_those_in_memory(tmp_path: Path, save: Callable[[Path], Path]) -> None:
    path = save(tmp_path)
    held, streamed = open_rows(path, THREE), open_rows(path, THREE, streamed_above=0)
    assert isinstance(held, ArrayDataset)
    assert isinstance(streamed, StreamedDataset)
    assert held.rows == streamed.rows == ROWS
    assert held.digest == streamed.digest
    assert f"{held.describe()}, read in blocks" == streamed.describe()
    for start, stop in ((0, 1), (699, 701), (100, 1500), (ROWS - 3, ROWS + 10)):
        expected, actual = held.inputs(start, stop)["input"], streamed.inputs(start, stop)["input"]
        assert expected.dtype == actual.dtype
        assert expected.tolist() == actual.tolist()
    if held.labels is not None and streamed.labels is not None:
        assert held.labels.tolist() == streamed.labels.tolist()


def test_several_inputs_and_texts_are_streamed(tmp_path: Path) -> None:
    texts = [f'row {number}, "said"\nsomebody' for number in range(ROWS)]
    parquet.write_table(pa.table({"left": list(FEATURES), "right": texts, "y": LABELS}), tmp_path / "rows.parquet")
    held = open_rows(tmp_path / "rows.parquet", TWO)
    streamed = open_rows(tmp_path / "rows.parquet", TWO, streamed_above=0)
    assert held.digest == streamed.digest
    assert texts[4999].encode() == streamed.inputs(4999, 5000)["right"][0]


def test_the_digest_knows_each_value_and_label(tmp_path: Path) -> None:
    def digest(features: NDArray[Any], labels: NDArray[Any]) -> str:
        np.savez(tmp_path / "rows.npz", X=features, y=labels)
        return open_rows(tmp_path / "rows.npz", THREE, streamed_above=0).digest

    changed = FEATURES.copy()
    changed[4321, 1] += 1
    assert 3 == len({digest(FEATURES, LABELS), digest(changed, LABELS), digest(FEATURES, LABELS[::-1])})


def test_what_no_model_can_answer_is_named_with_its_row_when_it_is_read(tmp_path: Path) -> None:
    features = FEATURES.copy()
    features[3000, 2] = np.nan
    np.savez(tmp_path / "rows.npz", X=features, y=LABELS)
    dataset = open_rows(tmp_path / "rows.npz", THREE, streamed_above=0)
    with pytest.raises(DataError, match="1 NaN or missing") as caught:
        dataset.inputs(2990, 3100)
    assert "row 10, column 2" in caught.value.why
    assert "counted from row 2,990 of the data on" in caught.value.why


def test_what_does_not_fit_at_all_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", X=np.ones((9, 5)), y=np.arange(9))
    with pytest.raises(DataError, match="5 features, the model takes 3"):
        open_rows(tmp_path / "rows.npz", THREE, streamed_above=0)


def test_pickled_arrays_are_not_mapped(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", X=np.array([[1], ["a"]], object))
    with pytest.raises(DataError, match="cannot read") as caught:
        open_rows(tmp_path / "rows.npz", THREE, streamed_above=0)
    assert "pickled" in caught.value.why


def test_a_table_with_a_header_only_is_empty(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b,c\n")
    with pytest.raises(DataError, match=r"rows\.csv is empty"):
        open_rows(tmp_path / "rows.csv", THREE, streamed_above=0)


@given(
    st.lists(st.text(st.sampled_from('ab\n"\r, '), min_size=1), min_size=1, max_size=20), st.sampled_from(("", "\n"))
)
def test_each_line_is_found_wherever_values_break(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str], end: str
) -> None:
    path = tmp_path_factory.mktemp("lines") / "rows.csv"
    lines = ['"x{}"'.format(cell.replace('"', '""')) for cell in cells]
    path.write_bytes("\n".join(lines).encode() + end.encode())
    index = LineIndex(path, quoted=True)
    assert len(lines) == len(index)
    assert [f"{line}\n" for line in lines[:-1]] == [index.lines(row, row + 1).decode() for row in range(len(lines) - 1)]
    assert lines[-1] == index.lines(len(lines) - 1, len(lines) + 5).decode().removesuffix("\n")


def test_empty_lines_are_no_rows(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b"\n\r\n[1,2,3]\n\n[4,5,6]\r\n  \n7\n")
    index = LineIndex(tmp_path / "rows.jsonl", quoted=False)
    assert [b"[1,2,3]\n", b"[4,5,6]\r\n", b"7\n"] == [index.lines(row, row + 1) for row in range(len(index))]


@pytest.mark.parametrize(
    ("labels", "expected"),
    (
        (["1", "2", "3"], [1, 2, 3]),
        (["1", "2.5", "3"], [1, 2.5, 3]),
        (["1", "cat, dog", '"x"'], ["1", "cat, dog", '"x"']),
    ),
)
def test_labels_of_a_streamed_table_have_the_type_of_all_of_them(
    tmp_path: Path, labels: list[str], expected: list[object]
) -> None:
    cells = ['"{}"'.format(label.replace('"', '""')) if not label.isdigit() else label for label in labels]
    lines = [f"1,2,3,{cell}" for cell in cells]
    (tmp_path / "rows.csv").write_text("\n".join(["a,b,c,y", *lines]))
    held, streamed = (open_rows(tmp_path / "rows.csv", THREE, streamed_above=limit).labels for limit in (10**9, 0))
    assert held is not None
    assert streamed is not None
    assert expected == held.tolist() == streamed.tolist()
