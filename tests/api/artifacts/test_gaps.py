"""Rows that lack a number reach the models that take them, and others refuse them by name."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from skops.io import dump
from tests.models.onnx.averaging_models import save

import modeldyno
from modeldyno.api.artifacts.gaps import TriedRow
from modeldyno.api.judging.changed_rows import Changes
from modeldyno.augmentation.perturbing import parse_perturbations
from modeldyno.data.files import open_dataset
from modeldyno.errors import DataError
from modeldyno.models.examine import examine
from modeldyno.models.onnx.gaps import looks_for_gaps

COLUMNS = ("length", "width", "height")


@pytest.fixture
def rows() -> NDArray[np.float32]:
    generator = np.random.default_rng(0)
    made = generator.normal(size=(200, 3)).astype(np.float32)
    made[generator.random(made.shape) < 0.2] = np.nan
    made[0] = (1, np.nan, 2)
    return made


def labels_of(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    return ((rows[:, 0] > 0) | np.isnan(rows[:, 1])).astype(np.int64)


@pytest.fixture
def table(rows: NDArray[np.float32], tmp_path: Path) -> Path:
    lines = [",".join((*COLUMNS, "y"))]
    for row, label in zip(rows.tolist(), labels_of(rows).tolist(), strict=True):
        lines.append(",".join(["" if np.isnan(cell) else repr(cell) for cell in row] + [str(label)]))
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "table.csv"


def hist(rows: NDArray[np.float32], folder: Path) -> Path:
    dump(HistGradientBoostingClassifier(max_iter=10).fit(rows, labels_of(rows)), folder / "hist.skops")
    return folder / "hist.skops"


def test_a_model_that_was_trained_with_gaps_is_asked_about_rows_with_gaps(
    rows: NDArray[np.float32], table: Path, tmp_path: Path
) -> None:
    found = modeldyno.evaluate(hist(rows, tmp_path), data=table)
    assert found.quality is not None
    assert found.quality.metrics["accuracy"].value > 0.9


def test_arrays_may_have_gaps_too(rows: NDArray[np.float32], tmp_path: Path) -> None:
    np.savez(tmp_path / "table.npz", X=rows, y=labels_of(rows))
    found = modeldyno.evaluate(hist(rows, tmp_path), data=tmp_path / "table.npz")
    assert found.quality is not None
    assert 200 == found.quality.rows


def test_a_model_that_takes_none_names_the_row_and_the_column_and_what_to_do(
    rows: NDArray[np.float32], table: Path, tmp_path: Path
) -> None:
    dump(LogisticRegression().fit(np.nan_to_num(rows), labels_of(rows)), tmp_path / "line.skops")
    with pytest.raises(DataError, match="that this model does not take") as caught:
        modeldyno.evaluate(tmp_path / "line.skops", data=table)
    assert "the first is in row 0, column 1 'width' (counted from 0)" == caught.value.why
    assert "dyno prepare with the step fit_impute" in caught.value.hint
    assert '"gaps": true' in caught.value.hint


def test_an_imputer_in_a_converted_model_is_seen(rows: NDArray[np.float32], table: Path, tmp_path: Path) -> None:
    model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(rows, labels_of(rows))
    dump(model, tmp_path / "filled.skops")
    derived = modeldyno.convert(
        tmp_path / "filled.skops", to="onnx", out=tmp_path / "filled.onnx", data=table, budget_ns=2_000_000_000
    )
    parity = derived.made[0].assessed.artifact.parity
    assert parity is not None
    assert (0, 200) == (parity.flips, parity.rows)
    assert looks_for_gaps(tmp_path / "filled.onnx")
    found = modeldyno.evaluate(tmp_path / "filled.onnx", data=table, reference=tmp_path / "filled.skops")
    assert found.change is not None
    assert found.change.flip_rate is not None
    assert 0 == found.change.flip_rate.value


def test_a_network_that_makes_a_number_of_a_gap_is_not_believed(table: Path, tmp_path: Path) -> None:
    values = [
        helper.make_tensor_value_info(name, kind, sizes)
        for name, kind, sizes in (("x", TensorProto.FLOAT, ["batch", 3]), ("label", TensorProto.INT64, ["batch"]))
    ]
    graph = helper.make_graph(
        [helper.make_node("ArgMax", ["x"], ["label"], axis=1, keepdims=0)], "most", values[:1], values[1:]
    )
    model = save(graph, tmp_path / "most.onnx", 17)
    assert not looks_for_gaps(model)
    with pytest.raises(DataError, match="that this model does not take"):
        modeldyno.evaluate(model, data=table)


def test_a_document_still_says_it_for_models_that_cannot_be_asked(
    rows: NDArray[np.float32], table: Path, tmp_path: Path
) -> None:
    document = tmp_path / "table.json"
    document.write_text('{"path": "table.csv", "gaps": true}')
    signature = examine(hist(rows, tmp_path), trust=False).signature
    assert np.isnan(open_dataset(document, signature).inputs(0, 1)["input"]).any()
    with pytest.raises(DataError):
        open_dataset(table, signature)


def test_a_model_is_opened_and_asked_once_however_many_rows_have_gaps() -> None:
    asked = []

    class Echo:
        signature = None

        def run(self, inputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
            asked.append(inputs)
            return {"y": np.nan_to_num(inputs["x"])}

        def close(self) -> None: ...

    tried = TriedRow(lambda: True, cast("Any", Echo))
    row = {"x": np.array([[np.nan]], np.float32)}
    assert [True, True] == [tried(row), tried(row)]
    assert 1 == len(asked)
    spread = TriedRow(lambda: True, cast("Any", _Spreading))
    assert not spread(row)


class _Spreading:
    def run(self, inputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        return inputs

    def close(self) -> None: ...


def test_robustness_is_told_of_rows_with_gaps_and_noise_leaves_the_other_numbers_of_a_column(
    rows: NDArray[np.float32], table: Path, tmp_path: Path
) -> None:
    changes = Changes(perturb=parse_perturbations("noise=0.01:3"))
    found = modeldyno.evaluate(hist(rows, tmp_path), data=table, changes=changes)
    assert found.robustness is not None
    weak, strong = found.robustness.curves[0].points
    assert weak.metrics["accuracy"].value > strong.metrics["accuracy"].value
