"""scikit-learn pipelines over texts and tables, all the way."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import skops.io
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from tests.formats import whole_way

from modeldyno.errors import ToolError
from modeldyno.models.examine import examine
from modeldyno.models.scikit.estimator import scikit_signature
from modeldyno.records.deployment import SessionSettings
from modeldyno.runtimes.scikit import ScikitRuntime
from modeldyno.testing import runtime_kit

CITIES = ("Aarhus", "Bergen", "Cádiz")


def guests(rows: int = 240) -> tuple[dict[str, list[Any]], list[str]]:
    generator = np.random.default_rng(0)
    age = generator.integers(18, 80, rows).astype(np.float32)
    city = generator.integers(0, 3, rows)
    nights = generator.integers(1, 9, rows).astype(np.float32)
    stays = np.where(age / 40 + city + nights / 9 + generator.normal(0, 0.3, rows) > 2.6, "yes", "no")
    return {"age": age.tolist(), "city": [CITIES[one] for one in city], "nights": nights.tolist()}, stays.tolist()


def by_name() -> Any:
    columns = ColumnTransformer(
        [("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "nights"]),
         ("words", OneHotEncoder(handle_unknown="ignore"), ["city"])]
    )  # fmt: skip
    table, labels = guests()
    return make_pipeline(columns, LogisticRegression()).fit(pa.table(table), labels)


def by_place() -> Any:
    columns = ColumnTransformer(
        [("numbers", "passthrough", [0, 2]),
         ("words", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), slice(1, 2))]
    )  # fmt: skip
    table, labels = guests()
    rows = np.array(list(zip(*table.values(), strict=True)), object)
    return make_pipeline(columns, RandomForestClassifier(5, max_depth=4, random_state=0)).fit(rows, labels)


def spoken() -> tuple[list[str], list[str]]:
    words = {"good": "great fine lovely warm bright kind", "bad": "poor cold rude dull broken late"}
    generator = np.random.default_rng(0)
    labels = [("good", "bad")[one] for one in generator.integers(0, 2, 200)]
    return [" ".join(generator.choice(words[label].split(), 4)) + " room" for label in labels], labels


def texts(vectoriser: Any) -> Any:
    said, labels = spoken()
    return make_pipeline(vectoriser, LogisticRegression()).fit(said, labels)


def as_bytes(values: list[str]) -> NDArray[Any]:
    return np.array([one.encode() for one in values], object)


def columns_of(names: tuple[str, ...], rows: int = 20) -> dict[str, NDArray[Any]]:
    table = guests()[0]
    return {
        name: (as_bytes(values[:rows]) if isinstance(values[0], str) else np.array(values[:rows], np.float32))[:, None]
        for name, values in zip(names, table.values(), strict=True)
    }


@pytest.mark.parametrize(("make", "names"), ((by_name, ("age", "city", "nights")), (by_place, ("x0", "x1", "x2"))))
def test_a_table_has_an_input_for_each_column(make: Any, names: tuple[str, ...], tmp_path: Path) -> None:
    estimator = make()
    signature = scikit_signature(estimator)
    assert [(name, kind) for name, kind in zip(names, ("FP32", "BYTES", "FP32"), strict=True)] == [
        (spec.name, spec.datatype) for spec in signature.inputs
    ]
    skops.io.dump(estimator, tmp_path / "m.skops")
    runtime = ScikitRuntime(lambda path: skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path)))
    inputs = columns_of(names)
    table = guests()[0]
    rows: Any = (
        pa.table({name: values[:20] for name, values in table.items()})
        if make is by_name
        else np.array(list(zip(*(values[:20] for values in table.values()), strict=True)), object)
    )
    session = runtime.open(tmp_path / "m.skops", signature, SessionSettings())
    assert as_bytes(list(estimator.predict(rows))).tolist() == session.run(inputs)["label"].tolist()
    runtime_kit.check_outputs(session, inputs)
    runtime_kit.check_batches(session, inputs, 1e-5)
    runtime_kit.check_widths(session, inputs)


@pytest.mark.proves(
    "scikit-learn pipeline over a table with text and numbers", files=".skops; .joblib and .pkl with `--trust`"
)
def test_a_table_goes_all_the_way_by_its_column_names(tmp_path: Path) -> None:
    skops.io.dump(by_name(), tmp_path / "stays.skops")
    table, labels = guests()
    with (tmp_path / "guests.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*table, "label"])
        writer.writerows(zip(*table.values(), labels, strict=True))
    search, bundle = whole_way.tune(tmp_path / "stays.skops", tmp_path / "guests.csv", tmp_path / "out")
    assert {"original", "onnx-fp32"} <= {one.artifact.name for one in search.assessed}
    outputs = whole_way.ask(bundle, columns_of(tuple(table), 5))
    assert labels[:5].count("yes") in range(6)
    expected = by_name().predict(pa.table({name: values[:5] for name, values in table.items()}))
    assert as_bytes(list(expected)).tolist() == [
        one if isinstance(one, bytes) else one.encode() for one in outputs["label"].tolist()
    ]


def test_a_category_that_was_never_seen_is_an_error_of_its_batch_where_the_encoder_says_so(tmp_path: Path) -> None:
    table, labels = guests()
    columns = ColumnTransformer(
        [("words", OneHotEncoder(), ["city"]), ("numbers", StandardScaler(), ["age", "nights"])]
    )
    estimator = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(pa.table(table), labels)
    skops.io.dump(estimator, tmp_path / "m.skops")
    model = examine(tmp_path / "m.skops", trust=True)
    session = ScikitRuntime(lambda _: estimator).open(tmp_path / "m.skops", model.signature, SessionSettings())
    inputs = columns_of(tuple(table), 2)
    with pytest.raises(ToolError, match="could not compute this batch") as caught:
        session.run({**inputs, "city": as_bytes(["Oslo", "Bergen"])[:, None]})
    assert "Oslo" in caught.value.why


@pytest.mark.parametrize("vectoriser", (TfidfVectorizer(), HashingVectorizer(n_features=64)))
def test_texts_go_in_as_texts(vectoriser: Any, tmp_path: Path) -> None:
    estimator, (said, _) = texts(vectoriser), spoken()
    signature = scikit_signature(estimator)
    assert [("text", "BYTES", ("batch",))] == [(spec.name, spec.datatype, spec.shape) for spec in signature.inputs]
    (tmp_path / "m").touch()
    session = ScikitRuntime(lambda _: estimator).open(tmp_path / "m", signature, SessionSettings())
    answered = session.run({"text": as_bytes(said[:20])})["label"]
    assert as_bytes(list(estimator.predict(said[:20]))).tolist() == answered.tolist()


@pytest.mark.proves("scikit-learn pipeline over texts", files=".skops; .joblib and .pkl with `--trust`")
def test_a_text_classifier_goes_all_the_way(tmp_path: Path) -> None:
    skops.io.dump(texts(TfidfVectorizer()), tmp_path / "mood.skops")
    said, labels = spoken()
    with (tmp_path / "said.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        writer.writerows(zip(said, labels, strict=True))
    search, bundle = whole_way.tune(tmp_path / "mood.skops", tmp_path / "said.csv", tmp_path / "out")
    assert {"original", "onnx-fp32"} <= {one.artifact.name for one in search.assessed}
    outputs = whole_way.ask(bundle, {"text": as_bytes(said[:5])})
    assert labels[:5] == [one.decode() if isinstance(one, bytes) else one for one in outputs["label"].tolist()]
