import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from modeldyno.bfloat16 import from_numbers
from modeldyno.data.bodies import Body, count_bodies, read_bodies
from modeldyno.data.columns import UNNAMED, read_columns
from modeldyno.errors import DataError


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def refuse(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        read_columns(path)
    return caught.value


def test_a_table_gives_plain_values(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    parquet.write_table(
        pa.table({"n": [1, None], "t": ["a", "b"], "b": [b"\xff", b""], "l": [[1.5], []], "d": [date(2026, 1, 2)] * 2}),
        path,
    )

    columns = read_columns(path)

    assert ["n", "t", "b", "l", "d"] == columns.names
    assert {"n": 1, "t": "a", "b": b"\xff", "l": [1.5], "d": "2026-01-02"} == columns.row(0)
    assert columns.row(1)["n"] is None


def test_a_csv_file_and_arrays_give_rows(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", X=np.array([[1, 2], [3, 4]], np.float32), y=np.array(["a", "b"]))

    assert {"n": 2, "t": "y"} == read_columns(write(tmp_path, "r.csv", "n,t\n1,x\n2,y\n")).row(1)
    assert {"X": [3.0, 4.0], "y": "b"} == read_columns(tmp_path / "rows.npz").row(1)


def test_lines_that_are_no_objects_are_rows_without_a_name(tmp_path: Path) -> None:
    columns = read_columns(write(tmp_path, "r.jsonl", '[1, 2]\n\n{"a": 1}\n"\u2028"\n'))

    assert ([UNNAMED], 3) == (columns.names, columns.rows)
    assert [[1, 2], {"a": 1}, "\u2028"] == [columns.document(index) for index in range(3)]
    np.save(tmp_path / "rows.npy", np.arange(4).reshape(2, 2))
    assert [2, 3] == read_columns(tmp_path / "rows.npy").document(1)


def test_a_line_keeps_what_it_lacks(tmp_path: Path) -> None:
    columns = read_columns(write(tmp_path, "r.jsonl", '{"a": 1, "b": null}\n{"a": 2}\n'))

    assert [{"a": 1, "b": None}, {"a": 2}] == [columns.document(index) for index in range(2)]
    with pytest.raises(DataError, match=r"row 1 of .* has no 'b'"):
        columns.array("b")


def test_the_only_column_of_a_table_is_its_value_and_the_only_member_of_a_line_is_not(tmp_path: Path) -> None:
    assert "x" == read_columns(write(tmp_path, "r.csv", "answer\nx\n")).value(0)
    assert {"answer": "x"} == read_columns(write(tmp_path, "r.jsonl", '{"answer": "x"}\n')).value(0)
    assert {"a": 1, "b": 2} == read_columns(write(tmp_path, "two.csv", "a,b\n1,2\n")).value(0)


def test_a_column_becomes_an_array(tmp_path: Path) -> None:
    columns = read_columns(
        write(tmp_path, "r.jsonl", '{"n": 1, "l": [1, 2.5], "t": "ab"}\n{"n": 2, "l": [3, 4], "t": ""}\n')
    )

    assert [1, 2] == columns.array("n").tolist()
    assert (2, 2) == columns.array("l").shape
    assert ["ab", ""] == columns.array("t").tolist()
    with pytest.raises(DataError, match="differ in shape"):
        read_columns(write(tmp_path, "ragged.jsonl", '{"l": [1]}\n{"l": [1, 2]}\n')).array("l")


def test_a_folder_gives_the_names_of_its_files(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", ".hidden"):
        write(tmp_path, name, name)
    (tmp_path / "inner").mkdir()

    columns = read_columns(tmp_path)

    assert [{"file": "a.png"}, {"file": "b.png"}] == [columns.row(index) for index in range(columns.rows)]
    assert tmp_path == columns.folder


@pytest.mark.parametrize(
    ("name", "text", "said"),
    (
        ("r.txt", "x", "unknown format"),
        ("r.csv", "", "cannot read"),
        ("r.csv", "a,b\n", "is empty"),
        ("r.csv", "1,2\n3,4\n", "no header row"),
        ("r.jsonl", "", "holds no rows"),
        ("r.jsonl", '{"a": 1}\n{"a"\n', "line 2 of"),
        ("r.npz", "PK\x03\x04", "cannot read"),
    ),
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    assert said in refuse(write(tmp_path, name, text)).what


def test_a_missing_file_an_empty_folder_and_uneven_arrays_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "uneven.npz", a=np.zeros(2), b=np.zeros(3))
    np.savez(tmp_path / "scalar.npz", a=np.float32(1))
    (tmp_path / "empty").mkdir()
    (tmp_path / "latin.jsonl").write_bytes(b'"\xe4"')

    assert "there is no data file" in refuse(tmp_path / "none.csv").what
    assert "holds no files" in refuse(tmp_path / "empty").what
    assert "a 2, b 3" == refuse(tmp_path / "uneven.npz").why
    assert "single number" in refuse(tmp_path / "scalar.npz").what
    assert "is not UTF-8" in refuse(tmp_path / "latin.jsonl").what


def test_every_file_of_a_folder_is_a_body_with_its_type(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    (tmp_path / "b").write_bytes(b"")

    assert [Body(b"\x89PNG", "image/png"), Body(b"", "application/octet-stream")] == read_bodies(
        tmp_path, most=9, most_bytes=9000
    )
    assert [Body(b"\x89PNG", "image/png")] == read_bodies(tmp_path, most=1, most_bytes=9000)
    assert [Body(b"\x89PNG", "image/png")] == read_bodies(tmp_path, most=9, most_bytes=4)
    assert 2 == count_bodies(tmp_path)
    assert (1, [Body(b"\x89PNG", "image/png")]) == (
        count_bodies(tmp_path / "a.png"),
        read_bodies(tmp_path / "a.png", most=9, most_bytes=9000),
    )


@pytest.mark.parametrize(
    ("name", "text", "documents"),
    (
        ("r.csv", "n,t\n1,x\n2,y\n", [{"n": 1, "t": "x"}, {"n": 2, "t": "y"}]),
        ("r.csv", "t\nx\n", [{"t": "x"}]),
        ("r.jsonl", '[1]\n{"a": {"b": null}}\n', [[1], {"a": {"b": None}}]),
    ),
)
def test_every_row_of_a_table_is_a_body(tmp_path: Path, name: str, text: str, documents: list[Any]) -> None:
    bodies = read_bodies(write(tmp_path, name, text), most=9, most_bytes=9000)

    assert documents == [json.loads(one.content) for one in bodies]
    assert {"application/json"} == {one.media_type for one in bodies}
    assert len(documents) == count_bodies(tmp_path / name)


def test_bf16_is_read_as_the_numbers_it_stands_for(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", y=from_numbers(np.array([[1.0, -2.5]])))
    columns = read_columns(tmp_path / "rows.npz")

    assert [[1.0, -2.5]] == columns.array("y").tolist()
    assert {"y": [1.0, -2.5]} == columns.document(0)
