from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pyarrow import parquet

from modeldyno.bfloat16 import BF16, from_numbers
from modeldyno.data.files import open_dataset
from modeldyno.errors import DataError
from modeldyno.protocols import Dataset
from modeldyno.records.signature import Signature, TensorSpec

THREE = Signature(
    inputs=(TensorSpec(name="input", datatype="FP32", shape=("batch", 3)),),
    outputs=(TensorSpec(name="label", datatype="INT64", shape=("batch",)),),
)
TWO_INPUTS = Signature(
    inputs=(
        TensorSpec(name="left", datatype="FP32", shape=("batch", 2)),
        TensorSpec(name="right", datatype="INT64", shape=("batch",)),
    ),
    outputs=THREE.outputs,
)
TEXT = Signature(inputs=(TensorSpec(name="input", datatype="BYTES", shape=("batch", 1)),), outputs=THREE.outputs)
FEATURES = np.arange(12.0).reshape(4, 3)
LABELS = np.array([0, 1, 1, 0])

Save = Callable[..., Path]


@pytest.fixture
def npz(tmp_path: Path) -> Save:
    def save(**arrays: Any) -> Path:
        np.savez(tmp_path / "rows.npz", **arrays)
        return tmp_path / "rows.npz"

    return save


def write_csv(folder: Path, text: str) -> Path:
    path = folder / "rows.csv"
    path.write_text(text)
    return path


def refuse(path: Path, signature: Signature = THREE, label: str | None = None) -> DataError:
    with pytest.raises(DataError) as caught:
        open_dataset(path, signature, label=label)
    return caught.value


def whole(dataset: Dataset) -> NDArray[Any]:
    return next(iter(dataset.inputs(0, dataset.rows).values()))


BRAIN = Signature(inputs=(TensorSpec(name="input", datatype="BF16", shape=("batch", 3)),), outputs=THREE.outputs)


def test_numbers_become_bf16_where_only_rounding_is_lost(npz: Save, tmp_path: Path) -> None:
    exact = from_numbers(FEATURES)
    for features in (FEATURES, FEATURES * 1.0001, FEATURES.astype(np.float16), FEATURES.astype(np.int8), exact):
        found = whole(open_dataset(npz(X=features, y=LABELS), BRAIN))
        assert BF16 == found.dtype
        np.testing.assert_array_equal(exact, found)
    rows = "\n".join(",".join(map(str, row)) for row in FEATURES)
    np.testing.assert_array_equal(exact, whole(open_dataset(write_csv(tmp_path, f"a,b,c\n{rows}\n"), BRAIN)))


def test_a_value_beyond_bf16_is_refused(npz: Save) -> None:
    error = refuse(npz(X=np.where(FEATURES == 4, 3.4e38, FEATURES)), BRAIN)
    assert "beyond the range of BF16" in str(error)
    assert "row 1" in error.why
    assert "NaN" in str(refuse(npz(X=from_numbers(np.where(FEATURES == 4, np.nan, FEATURES))), BRAIN))


def test_bf16_in_a_file_is_read_as_the_numbers_it_stands_for(npz: Save) -> None:
    np.testing.assert_array_equal(FEATURES, whole(open_dataset(npz(X=from_numbers(FEATURES)), THREE)))


@pytest.mark.parametrize("name", ("X", "x", "data", "inputs", "input", "anything"))
@pytest.mark.parametrize("label", ("y", "labels", "target"))
def test_arrays_with_usual_names_are_found(npz: Save, name: str, label: str) -> None:
    dataset = open_dataset(npz(**{name: FEATURES, label: LABELS}), THREE)
    assert FEATURES.astype(np.float32).tolist() == whole(dataset).tolist()
    assert np.float32 == whole(dataset).dtype
    assert dataset.labels is not None
    assert LABELS.tolist() == dataset.labels.tolist()
    assert f"rows.npz: 4 rows, 3 features, labels {label} (2 classes)" == dataset.describe()


def test_labels_may_be_missing(npz: Save) -> None:
    dataset = open_dataset(npz(X=FEATURES), THREE)
    assert dataset.labels is None
    assert "rows.npz: 4 rows, 3 features, no labels" == dataset.describe()


def test_the_user_names_the_labels(npz: Save) -> None:
    dataset = open_dataset(
        npz(X=FEATURES, species=np.array(["cat", "dog", "dog", "cat"]), y=LABELS), THREE, label="species"
    )
    assert dataset.labels is not None
    assert ["cat", "dog", "dog", "cat"] == dataset.labels.tolist()


def test_inputs_are_taken_by_name(npz: Save) -> None:
    dataset = open_dataset(npz(right=np.arange(4), left=np.ones((4, 2)), y=LABELS), TWO_INPUTS)
    rows = dataset.inputs(1, 3)
    assert ["left", "right"] == list(rows)
    assert [1, 2] == rows["right"].tolist()
    assert "rows.npz: 4 rows, inputs left, right, labels y (2 classes)" == dataset.describe()


def test_an_input_of_several_that_is_missing_is_named(npz: Save) -> None:
    problem = refuse(npz(left=np.ones((4, 2)), other=LABELS), TWO_INPUTS)
    assert "lacks the model's inputs right" in problem.what
    assert "left, other" in problem.why


@pytest.mark.parametrize(("name", "content"), (("said.csv", "text\ngood\n"), ("said.jsonl", '{"text": "good"}\n')))
def test_texts_for_a_model_of_tokens_are_shown_the_way(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    tokens = Signature(
        inputs=tuple(
            TensorSpec(name=one, datatype="INT64", shape=("batch", "length")) for one in ("input_ids", "attention_mask")
        ),
        outputs=TWO_INPUTS.outputs,
    )
    problem = refuse(path, tokens)
    assert "input_ids" in problem.what
    assert "`tokenise`" in problem.hint


def test_several_arrays_that_may_be_the_features_are_ambiguous(npz: Save) -> None:
    problem = refuse(npz(train=FEATURES, test=FEATURES))
    assert "train, test" in problem.what
    assert "--label" in problem.hint


def test_several_arrays_that_may_be_the_labels_are_ambiguous(npz: Save) -> None:
    problem = refuse(npz(X=FEATURES, y=LABELS, target=LABELS))
    assert "y, target" in problem.what
    assert "--label y" in problem.hint


def test_a_label_that_is_not_there_is_refused_with_those_that_are(npz: Save) -> None:
    problem = refuse(npz(X=FEATURES, y=LABELS), label="spezies")
    assert "no labels called 'spezies'" in problem.what
    assert "X, y" in problem.why


def test_the_wrong_number_of_features_says_both(npz: Save) -> None:
    problem = refuse(npz(X=np.ones((4, 5)), y=LABELS))
    assert "has 5 features, the model takes 3" in problem.what
    fewer = refuse(npz(X=np.ones((4, 2)), y=LABELS))
    assert "has 2 features, the model takes 3" in fewer.what
    assert "all features" in fewer.hint


def test_rows_of_another_rank_are_refused(npz: Save) -> None:
    assert "rows of shape [3, 2]" in refuse(npz(X=np.ones((4, 3, 2)))).what


def test_images_may_come_flat(npz: Save) -> None:
    image = Signature(inputs=(TensorSpec(name="i", datatype="FP32", shape=("n", 1, 3)),), outputs=THREE.outputs)
    assert (4, 1, 3) == whole(open_dataset(npz(X=FEATURES), image)).shape


def test_nan_and_infinity_are_counted_and_the_first_is_located(npz: Save) -> None:
    features = FEATURES.copy()
    features[1, 2], features[3, 0] = np.nan, np.inf
    problem = refuse(npz(X=features))
    assert "2 values" in problem.what
    assert "1 NaN or missing, 1 infinite" in problem.what
    assert "row 1, column 2" in problem.why


def test_a_value_beyond_single_precision_is_refused(npz: Save) -> None:
    problem = refuse(npz(X=np.where(FEATURES == 5, 1e300, FEATURES)))
    assert "beyond the range of FP32" in problem.what
    assert "row 1" in problem.why


@pytest.mark.parametrize("features", (np.ones((0, 3)), np.zeros(0), np.array(1.0)))
def test_no_rows_are_refused(npz: Save, features: NDArray[Any]) -> None:
    assert "is empty" in refuse(npz(X=features)).what


def test_text_where_numbers_belong_is_shown(npz: Save) -> None:
    assert "'red'" in refuse(npz(X=np.array([["red", "1", "2"]]))).what


def test_complex_numbers_are_refused(npz: Save) -> None:
    assert "complex" in refuse(npz(X=FEATURES * 1j)).what


def test_fractions_where_whole_numbers_belong_are_refused(npz: Save) -> None:
    problem = refuse(npz(left=np.ones((4, 2)), right=np.array([1, 2, 2.5, 3])), TWO_INPUTS)
    assert "fractions" in problem.what
    assert "row 2" in problem.why


def test_whole_numbers_that_do_not_fit_are_refused(npz: Save) -> None:
    small = Signature(inputs=(TensorSpec(name="i", datatype="UINT8", shape=("n", 3)),), outputs=THREE.outputs)
    assert "from 0 to 275" in refuse(npz(X=FEATURES * 25), small).what
    assert np.uint8 == whole(open_dataset(npz(X=FEATURES), small)).dtype


def test_the_largest_integers_are_compared_exactly(npz: Save) -> None:
    wide = Signature(inputs=(TensorSpec(name="i", datatype="INT64", shape=("n",)),), outputs=THREE.outputs)
    largest = 2**63 - 1
    assert [largest] == whole(open_dataset(npz(i=np.array([largest], np.uint64)), wide)).tolist()
    assert "which holds" in refuse(npz(i=np.array([largest + 1], np.uint64)), wide).why


def test_labels_of_another_length_are_refused_with_both_numbers(npz: Save) -> None:
    assert "has 4 rows but 3 labels in 'y'" in refuse(npz(X=FEATURES, y=LABELS[:3])).what


def test_labels_with_gaps_are_refused(npz: Save) -> None:
    problem = refuse(npz(X=FEATURES, y=np.array([0, np.nan, 1, np.nan])))
    assert "2 of the labels" in problem.what
    assert "row 1" in problem.why


def test_one_hot_labels_are_refused_with_the_way_out(npz: Save) -> None:
    assert "argmax" in refuse(npz(X=FEATURES, y=np.eye(4))).hint


def test_inputs_of_different_length_are_refused(npz: Save) -> None:
    problem = refuse(npz(left=np.ones((4, 2)), right=np.arange(3)), TWO_INPUTS)
    assert "left 4, right 3" in problem.why


def test_pickled_arrays_are_never_loaded(npz: Save) -> None:
    problem = refuse(npz(X=np.array([[1, "a", None]], dtype=object)))
    assert "pickled Python objects, which are never loaded" in problem.what


@pytest.mark.parametrize("kept", (10, 200, -30))
def test_a_truncated_npz_cannot_be_read(npz: Save, kept: int) -> None:
    path = npz(X=FEATURES, y=LABELS)
    path.write_bytes(path.read_bytes()[:kept])
    assert "cannot read" in refuse(path).what


def test_a_npy_file_holds_features_only(tmp_path: Path) -> None:
    path = tmp_path / "rows.npy"
    np.save(path, FEATURES)
    dataset = open_dataset(path, THREE)
    assert (4, None) == (dataset.rows, dataset.labels)
    assert "without labels" in refuse(path, label="y").what
    assert "takes 2 inputs" in refuse(path, TWO_INPUTS).what


def test_a_csv_gives_its_columns_in_order(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "a,class,b,c\n1,cat,2,3.5\n4,dog,5,6\n")
    dataset = open_dataset(path, THREE)
    assert [[1, 2, 3.5], [4, 5, 6]] == whole(dataset).tolist()
    assert dataset.labels is not None
    assert ["cat", "dog"] == dataset.labels.tolist()


def test_a_csv_without_a_header_is_refused(tmp_path: Path) -> None:
    assert "no header row" in refuse(write_csv(tmp_path, "1,2,3\n4,5,6\n")).what


def test_an_empty_cell_in_a_csv_is_located(tmp_path: Path) -> None:
    problem = refuse(write_csv(tmp_path, "a,b,c\n1,2,3\n4,,6\n"))
    assert "1 NaN or missing" in problem.what
    assert "row 1, column 1" in problem.why


def test_a_text_column_among_the_features_is_named(tmp_path: Path) -> None:
    problem = refuse(write_csv(tmp_path, "a,b,colour\n1,2,red\n"))
    assert "column 'colour'" in problem.what
    assert "--label colour" in problem.hint


def test_a_column_too_many_suggests_that_it_is_the_label(tmp_path: Path) -> None:
    problem = refuse(write_csv(tmp_path, "a,b,c,species\n1,2,3,0\n"))
    assert "has 4 features, the model takes 3" in problem.what
    assert "--label" in problem.hint


def test_a_csv_with_a_header_alone_is_empty(tmp_path: Path) -> None:
    assert "is empty" in refuse(write_csv(tmp_path, "a,b,c\n")).what


def test_a_csv_that_is_no_text_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"\x1f\xa4\x00,\xff\n\x80,1\n")
    assert "cannot read" in refuse(path).what


def test_a_ragged_csv_cannot_be_read(tmp_path: Path) -> None:
    assert "cannot read" in refuse(write_csv(tmp_path, "a,b,c\n1,2,3\n4,5\n")).what


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    assert "two columns called 'a'" in refuse(write_csv(tmp_path, "a,b,a\n1,2,3\n")).what


def test_labels_with_an_empty_text_are_refused(tmp_path: Path) -> None:
    problem = refuse(write_csv(tmp_path, "a,b,c,y\n1,2,3,cat\n1,2,3,\n"))
    assert "1 of the labels 'y'" in problem.what


def test_a_parquet_file_gives_the_same_as_a_csv(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    parquet.write_table(pa.table({"a": [1, 4], "b": [2.0, 5.0], "c": [True, False], "y": [0, 1]}), path)
    dataset = open_dataset(path, THREE)
    assert [[1, 2, 1], [4, 5, 0]] == whole(dataset).tolist()
    assert dataset.labels is not None
    assert [0, 1] == dataset.labels.tolist()


def test_lists_in_parquet_serve_inputs_of_several_numbers(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    parquet.write_table(pa.table({"left": [[1.0, 2.0], [3.0, 4.0]], "right": [5, 6], "label": ["a", "b"]}), path)
    rows = open_dataset(path, TWO_INPUTS).inputs(0, 2)
    assert ([[1, 2], [3, 4]], [5, 6]) == (rows["left"].tolist(), rows["right"].tolist())


def test_lists_of_different_lengths_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    parquet.write_table(pa.table({"left": [[1.0, 2.0], [3.0]], "right": [5, 6]}), path)
    assert "different lengths" in refuse(path, TWO_INPUTS).what


def test_a_file_that_is_not_parquet_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_text("no")
    assert "cannot read" in refuse(path).what


def test_texts_become_bytes(tmp_path: Path, npz: Save) -> None:
    assert [[b"a"], ["ö".encode()]] == whole(open_dataset(npz(X=np.array([["a"], ["ö"]])), TEXT)).tolist()
    assert [[b"a"], [b"b"]] == whole(open_dataset(write_csv(tmp_path, "words\na\nb\n"), TEXT)).tolist()
    assert "where the model takes text" in refuse(npz(X=np.ones((2, 1))), TEXT).what


def test_a_missing_file_an_empty_one_and_an_unknown_ending_are_told(tmp_path: Path) -> None:
    assert "No such file" in refuse(tmp_path / "nowhere.npz").why
    (tmp_path / "empty.npz").touch()
    assert "is empty" in refuse(tmp_path / "empty.npz").what
    (tmp_path / "rows.xlsx").write_text("x")
    assert ".parquet" in refuse(tmp_path / "rows.xlsx").why


def test_the_digest_follows_values_and_labels_and_nothing_else(npz: Save, tmp_path: Path) -> None:
    first = open_dataset(npz(X=FEATURES, y=LABELS), THREE).digest
    parquet.write_table(
        pa.table({"a": FEATURES[:, 0], "b": FEATURES[:, 1], "c": FEATURES[:, 2], "y": LABELS}), tmp_path / "r.parquet"
    )
    assert first == open_dataset(tmp_path / "r.parquet", THREE).digest
    assert first != open_dataset(npz(X=FEATURES + 1, y=LABELS), THREE).digest
    assert first != open_dataset(npz(X=FEATURES, y=1 - LABELS), THREE).digest
    assert first != open_dataset(npz(X=FEATURES), THREE).digest
    texts = {open_dataset(npz(X=np.array(rows)), TEXT).digest for rows in ([["ab"], ["c"]], [["a"], ["bc"]])}
    assert 2 == len(texts)


def write_lines(folder: Path, text: str) -> Path:
    path = folder / "rows.jsonl"
    path.write_text(text)
    return path


def test_lines_of_json_hold_the_inputs_by_name_and_labels(tmp_path: Path) -> None:
    path = write_lines(tmp_path, '{"left": [1, 2], "right": 3, "y": 0}\n{"right": 6, "left": [4, 5], "y": 1}\n')

    dataset = open_dataset(path, TWO_INPUTS)

    assert [[1.0, 2.0], [4.0, 5.0]] == dataset.inputs(0, 2)["left"].tolist()
    assert [3, 6] == dataset.inputs(0, 2)["right"].tolist()
    assert dataset.labels is not None
    assert [0, 1] == dataset.labels.tolist()


@pytest.mark.parametrize("line", ("[1, 2, 3]", '{"input": [1, 2, 3]}', '{"X": [1, 2, 3]}'))
def test_the_only_input_may_be_the_whole_line(tmp_path: Path, line: str) -> None:
    dataset = open_dataset(write_lines(tmp_path, f"{line}\n{line}\n"), THREE)

    assert [[1.0, 2.0, 3.0]] * 2 == dataset.inputs(0, 2)["input"].tolist()


def test_a_text_a_line_fits_a_model_of_texts(tmp_path: Path) -> None:
    dataset = open_dataset(write_lines(tmp_path, '["a"]\n["b"]\n'), TEXT)

    assert [[b"a"], [b"b"]] == dataset.inputs(0, 2)["input"].tolist()


@pytest.mark.parametrize(
    ("text", "said"),
    (('{"left": [1, 2]}\n', "lacks the model's inputs right"), ("[1]\n", "lacks the model's inputs left, right")),
)
def test_lines_without_an_input_are_refused(tmp_path: Path, text: str, said: str) -> None:
    assert said in refuse(write_lines(tmp_path, text), TWO_INPUTS).what


def test_texts_are_taken_from_the_column_that_is_called_so(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "id,text,y\n7,good film,1\n8,bad film,0\n")
    assert [[b"good film"], [b"bad film"]] == whole(open_dataset(path, TEXT)).tolist()


def test_texts_that_could_be_in_several_columns_are_ambiguous(tmp_path: Path) -> None:
    problem = refuse(write_csv(tmp_path, "title,body,y\na,b,1\n"), TEXT)
    assert "which column of rows.csv holds the texts" in problem.what


def test_missing_texts_are_counted_and_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    parquet.write_table(pa.table({"text": ["a", None, None], "y": [1, 0, 1]}), path)
    problem = refuse(path, TEXT)
    assert "2 texts in rows.parquet are missing" in problem.what
    assert "row 1" in problem.why
