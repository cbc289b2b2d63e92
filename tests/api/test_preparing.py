"""From training data to a document of plain constants, and from that to the same numbers everywhere."""

import json
from pathlib import Path

import numpy as np
import pytest

from modeldyno.api.preparing import prepare
from modeldyno.cli.main import main
from modeldyno.data.files import open_dataset
from modeldyno.errors import DataError, InputError, OutputError, UsageError
from modeldyno.processing.operations import plan_operations
from modeldyno.records.data_document import DataDocument
from modeldyno.records.files import read_record, write_record
from modeldyno.records.preparation import (
    DropDuplicates,
    DropMissing,
    DropOutliers,
    FitImpute,
    FitLimit,
    FitOneHot,
    FitOrdinal,
    FitProject,
    FitScale,
    FitTfIdf,
    Preparation,
)
from modeldyno.records.processing import Cast, Concatenate, Impute, JoinColumns, Normalise, Processing, Rename
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.records.table_operations import Limit, OneHot, Ordinal, Project

ROWS = """age,income,colour,y
20,1000,red,0
30,,blue,1
40,3000,red,0
,2000,green,1
40,3000,red,0
30,9000000,blue,1
"""
STEPS = Preparation(
    steps=(
        DropDuplicates(),
        DropOutliers(tensor="income", factor=2),
        JoinColumns(tensors=("age", "income"), output="numbers"),
        FitImpute(tensor="numbers", strategy="mean"),
        FitScale(tensor="numbers"),
        Cast(tensor="numbers", datatype="FP32"),
        FitOneHot(tensor="colour"),
        Concatenate(tensors=("numbers", "colour"), output="x"),
    )
)


@pytest.fixture
def train(tmp_path: Path) -> Path:
    (tmp_path / "train.csv").write_text(ROWS)
    return tmp_path / "train.csv"


def test_constants_are_learnt_from_the_rows_that_stay(train: Path) -> None:
    prepared = prepare(train, STEPS)
    assert (("drop_duplicates", 1), ("drop_outliers", 1)) == prepared.dropped
    assert 4 == prepared.rows
    join, impute, scale, _, one_hot, _ = prepared.processing.operations
    assert JoinColumns(tensors=("age", "income"), output="numbers") == join
    assert Impute(tensor="numbers", values=(30.0, 2000.0)) == impute
    assert isinstance(scale, Normalise)
    assert (30.0, 2000.0) == scale.mean
    np.testing.assert_allclose([np.sqrt(50), np.sqrt(500_000)], scale.std)
    assert OneHot(tensor="colour", categories=("blue", "green", "red")) == one_hot
    assert (TensorSpec(name="x", datatype="FP32", shape=("batch", 5)),) == prepared.outputs


def test_prepared_rows_are_those_that_the_document_makes(train: Path, tmp_path: Path) -> None:
    prepare(train, STEPS, out=tmp_path / "processing.json", rows_out=tmp_path / "rows.npz")
    stored = np.load(tmp_path / "rows.npz")
    assert [0, 1, 0, 1] == stored["y"].tolist()
    np.testing.assert_allclose(0, stored["x"][:, :2].mean(axis=0), atol=1e-6)
    assert [[0, 0, 1], [1, 0, 0], [0, 0, 1], [0, 1, 0]] == stored["x"][:, 2:].tolist()
    write_record(tmp_path / "data.json", DataDocument(path="train.csv", processing="processing.json"))
    wanted = Signature(inputs=(TensorSpec(name="input", datatype="FP32", shape=("batch", 5)),), outputs=())
    dataset = open_dataset(tmp_path / "data.json", wanted)
    assert stored["x"].tolist() == dataset.inputs(0, 4)["input"].tolist()
    assert dataset.labels is not None
    assert [0, 1, 0, 1, 0, 1] == dataset.labels.tolist()


def test_the_document_needs_nothing_but_its_own_constants(train: Path, tmp_path: Path) -> None:
    prepare(train, STEPS, out=tmp_path / "processing.json")
    processing = read_record(tmp_path / "processing.json", Processing)
    step = plan_operations(processing.operations, {one.name: one for one in processing.inputs}, place="here")
    colour = np.empty(1, object)
    colour[0] = b"purple"
    row = step.apply({"age": np.array([np.nan]), "income": np.array([2000.0]), "colour": colour})
    assert [[0, 0, 0, 0, 0]] == row["x"].tolist()


def test_every_fit_is_that_of_its_definition(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal([0, 5], [1, 3], (200, 2))
    np.savez(tmp_path / "train.npz", values=values, level=np.arange(200) % 3, y=np.zeros(200, int))
    steps = Preparation(
        steps=(
            FitLimit(tensor="values", low=0.05, high=0.95),
            FitScale(tensor="values", method="robust"),
            FitScale(tensor="values", method="min_max"),
            FitOrdinal(tensor="level"),
            FitProject(tensor="values", components=1, whiten=True, output="first"),
        )
    )
    prepared = prepare(tmp_path / "train.npz", steps, rows_out=tmp_path / "rows.npz")
    limit, _, _, ordinal, project = prepared.processing.operations
    assert isinstance(limit, Limit)
    np.testing.assert_allclose(np.quantile(values, 0.05, axis=0), limit.low)
    assert Ordinal(tensor="level", categories=(0, 1, 2), unknown=-1) == ordinal
    assert isinstance(project, Project)
    stored = np.load(tmp_path / "rows.npz")
    assert (0.0, 1.0) == (stored["values"].min().round(12), stored["values"].max().round(12))
    np.testing.assert_allclose(1, stored["first"].std(ddof=1))


def test_terms_of_texts_are_learnt(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"text": "good film"}\n{"text": "bad film"}\n{"text": "good good"}\n')
    prepared = prepare(tmp_path / "train.jsonl", Preparation(steps=(FitTfIdf(tensor="text", most_terms=2),)))
    assert (TensorSpec(name="text", datatype="FP32", shape=("batch", 2)),) == prepared.outputs


def test_rows_with_gaps_can_be_left_out(train: Path) -> None:
    assert 4 == prepare(train, Preparation(steps=(DropMissing(),))).rows
    assert 5 == prepare(train, Preparation(steps=(DropMissing(tensors=("age",)),))).rows


@pytest.mark.parametrize(
    ("steps", "message"),
    (
        ((FitScale(tensor="colour"),), r"step 0 \(fit_scale\): tensor 'colour' is BYTES"),
        ((DropDuplicates(), FitScale(tensor="size")), r"step 1 \(fit_scale\): there is no tensor 'size'"),
        ((Rename(names={"age": "colour"}),), r"step 0 \(rename\)"),
        ((FitProject(tensor="age"),), r"step 0 \(fit_project\): .* is no matrix"),
        ((FitLimit(tensor="age", low=1, high=0),), "quantiles 1 and 0"),
        ((DropMissing(tensors=("size",)),), "no tensor 'size'"),
    ),
)
def test_a_step_that_does_not_fit_is_named(train: Path, steps: tuple[object, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        prepare(train, Preparation(steps=steps))  # type: ignore[arg-type]


def test_components_of_rows_with_gaps_name_the_step_that_is_missing(train: Path) -> None:
    steps = Preparation(steps=(JoinColumns(tensors=("age", "income"), output="x"), FitProject(tensor="x")))
    with pytest.raises(DataError, match="holds NaN") as caught:
        prepare(train, steps)
    assert "fit_impute" in caught.value.hint


def test_a_column_without_any_value_cannot_be_filled(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", x=np.full((3, 2), np.nan), y=np.arange(3))
    with pytest.raises(DataError, match="column 0 of tensor 'x' holds no value at all"):
        prepare(tmp_path / "train.npz", Preparation(steps=(FitImpute(tensor="x"),)))


def test_nothing_is_replaced_unasked(train: Path, tmp_path: Path) -> None:
    (tmp_path / "processing.json").write_text("mine")
    with pytest.raises(OutputError, match="is there already"):
        prepare(train, STEPS, out=tmp_path / "processing.json")
    prepare(train, STEPS, out=tmp_path / "processing.json", force=True)
    assert read_record(tmp_path / "processing.json", Processing).inputs


def test_the_verb_reads_steps_and_says_what_it_learnt(
    train: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_record(tmp_path / "steps.json", STEPS)
    out = tmp_path / "processing.json"
    assert 0 == main(["prepare", str(train), "--steps", str(tmp_path / "steps.json"), "--out", str(out)])
    printed = " ".join(capsys.readouterr().out.split())  # lines break where a path is long
    assert "1 row left out by drop_outliers" in printed
    assert "one_hot tensor colour, categories [blue, green, red]" in printed
    assert "x FP32 [batch, 5]" in printed
    assert f"dyno combine sequence {out}" in printed
    arguments = ["prepare", str(train), "--steps", str(tmp_path / "steps.json"), "--json"]
    assert 0 == main(arguments)
    assert 4 == json.loads(capsys.readouterr().out)["rows"]


def test_steps_that_are_none_are_refused(train: Path, tmp_path: Path) -> None:
    (tmp_path / "steps.json").write_text('{"steps": [{"op": "fit_magic"}]}')
    with pytest.raises(InputError, match="not a valid preparation record"):
        prepare(train, tmp_path / "steps.json")
