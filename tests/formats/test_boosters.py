"""XGBoost and LightGBM files all the way, held against the libraries' own answers."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from tests.formats import whole_way

import modeldyno
from modeldyno.clock import SystemClock
from modeldyno.errors import InputError, UsageError
from modeldyno.models.boosters.lightgbm_file import load_lightgbm
from modeldyno.models.boosters.xgboost_file import load_xgboost
from modeldyno.models.conversion import convert_to_onnx
from modeldyno.models.examine import examine
from modeldyno.protocols import Runtime
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.runtimes.boosters import LIGHTGBM, XGBOOST, BoosterLibrary, BoosterRuntime
from modeldyno.runtimes.onnx_runtime import OnnxRuntime
from modeldyno.testing import runtime_kit

Rows = tuple[NDArray[np.float32], NDArray[Any]]
MINUTE_NS = 60 * 10**9


def rows_for(objective: str) -> Rows:
    load = load_digits if "multi" in objective else load_breast_cancer if "binary" in objective else load_diabetes
    data, labels = load(return_X_y=True)
    return data.astype(np.float32), labels


def grown_xgboost(objective: str, path: Path) -> tuple[Any, NDArray[np.float32]]:
    rows, labels = rows_for(objective)
    classes = {"num_class": 10} if objective.startswith("multi") else {}
    labels = (labels > 100).astype(int) if objective.startswith("rank") else labels
    matrix = xgboost.DMatrix(rows, labels, group=[len(rows)] if objective.startswith("rank") else None)
    booster = xgboost.train({"objective": objective, "max_depth": 3, "nthread": 1, **classes}, matrix, 4)
    booster.save_model(path)
    return booster, rows


def grown_lightgbm(objective: str, path: Path) -> tuple[Any, NDArray[np.float32]]:
    rows, labels = rows_for(objective)
    classes = {"num_class": 10} if objective.startswith("multi") else {}
    settings = {"objective": objective, "num_leaves": 7, "num_threads": 1, "verbose": -1, **classes}
    booster = lightgbm.train(settings, lightgbm.Dataset(rows, labels), 4)
    booster.save_model(path)
    return booster, rows


XGBOOST_OBJECTIVES = (
    "multi:softprob",
    "multi:softmax",
    "binary:logistic",
    "binary:logitraw",
    "reg:squarederror",
    "rank:ndcg",
)
LIGHTGBM_OBJECTIVES = ("multiclass", "multiclassova", "binary", "regression", "poisson")


def check_answers(outputs: dict[str, NDArray[Any]], expected: NDArray[Any], *, is_classifier: bool) -> None:
    if not is_classifier:
        np.testing.assert_allclose(expected, outputs["value"], rtol=1e-6)
    elif expected.ndim == 1:
        np.testing.assert_allclose(expected, outputs["probabilities"][:, 1], rtol=1e-6)
        np.testing.assert_array_equal(expected > 0.5, outputs["label"])
    else:
        np.testing.assert_allclose(expected, outputs["probabilities"], rtol=1e-5)
        np.testing.assert_array_equal(expected.argmax(axis=1), outputs["label"])


@pytest.mark.parametrize("ending", (".ubj", ".json"))
@pytest.mark.parametrize("objective", XGBOOST_OBJECTIVES)
def test_xgboost_answers_as_its_own_library(objective: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"model{ending}"
    booster, rows = grown_xgboost(objective, path)
    model = examine(path, trust=False)
    assert (objective, booster.num_features()) == (model.description.split(",")[0], model.signature.inputs[0].shape[1])
    session = BoosterRuntime(XGBOOST, load_xgboost).open(path, model.signature, SessionSettings())
    is_classifier = objective in ("multi:softprob", "multi:softmax", "binary:logistic")
    outputs: dict[str, NDArray[Any]] = session.run({"input": rows})
    if objective == "multi:softmax":
        np.testing.assert_array_equal(booster.inplace_predict(rows), outputs["label"])
        np.testing.assert_allclose(1, outputs["probabilities"].sum(axis=1), rtol=1e-5)
    else:
        check_answers(outputs, booster.inplace_predict(rows), is_classifier=is_classifier)
    runtime_kit.check_runtime(BoosterRuntime(XGBOOST, load_xgboost), path, model.signature, {"input": rows[:20]})


def test_two_classes_with_labels_only_get_the_probabilities_of_their_sums(tmp_path: Path) -> None:
    rows, labels = rows_for("binary")
    path = tmp_path / "model.ubj"
    booster = xgboost.train({"objective": "multi:softmax", "num_class": 2}, xgboost.DMatrix(rows, labels), 3)
    booster.save_model(path)
    session = BoosterRuntime(XGBOOST, load_xgboost).open(path, examine(path, trust=False).signature, SessionSettings())
    outputs: dict[str, NDArray[Any]] = session.run({"input": rows})
    sums = np.exp(booster.inplace_predict(rows, predict_type="margin"))
    np.testing.assert_allclose(sums / sums.sum(axis=1, keepdims=True), outputs["probabilities"], rtol=1e-5)
    np.testing.assert_array_equal(booster.inplace_predict(rows), outputs["label"])


@pytest.mark.parametrize("objective", LIGHTGBM_OBJECTIVES)
def test_lightgbm_answers_as_its_own_library(objective: str, tmp_path: Path) -> None:
    path = tmp_path / "model.txt"
    booster, rows = grown_lightgbm(objective, path)
    model = examine(path, trust=False)
    session = BoosterRuntime(LIGHTGBM, load_lightgbm).open(path, model.signature, SessionSettings())
    is_classifier = "multi" in objective or objective == "binary"
    check_answers(session.run({"input": rows}), booster.predict(rows), is_classifier=is_classifier)
    runtime_kit.check_runtime(BoosterRuntime(LIGHTGBM, load_lightgbm), path, model.signature, {"input": rows[:20]})


def test_both_let_others_run_while_they_compute(tmp_path: Path) -> None:
    paths = (tmp_path / "model.ubj", tmp_path / "model.txt")
    _, rows = grown_xgboost("reg:squarederror", paths[0])
    grown_lightgbm("regression", paths[1])
    runtimes: tuple[Runtime, ...] = (BoosterRuntime(XGBOOST, load_xgboost), BoosterRuntime(LIGHTGBM, load_lightgbm))
    for path, runtime in zip(paths, runtimes, strict=True):
        session = runtime.open(path, examine(path, trust=False).signature, SessionSettings())
        runtime_kit.check_lock_released(session, {"input": rows[:64]}, SystemClock())


@pytest.mark.parametrize(
    ("grow", "objective", "ending"),
    (
        *(
            (grown_xgboost, objective, ".ubj")
            for objective in ("multi:softprob", "binary:logistic", "reg:squarederror")
        ),
        *((grown_lightgbm, objective, ".txt") for objective in ("multiclass", "binary", "regression", "poisson")),
    ),
)
def test_what_is_converted_answers_the_same_in_onnx(grow: Any, objective: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"model{ending}"
    booster, rows = grow(objective, path)
    model = examine(path, trust=False)
    artifact = convert_to_onnx(model, tmp_path / "m.onnx", trust=False, timeout_ns=MINUTE_NS, memory_bytes=8 * 2**30)
    session = OnnxRuntime().open(Path(artifact.path), model.signature, SessionSettings())
    expected = booster.inplace_predict(rows) if ending == ".ubj" else booster.predict(rows)
    outputs: dict[str, NDArray[Any]] = session.run({"input": rows})
    found = outputs["value"] if "value" in outputs else outputs["probabilities"]
    found = found[:, 1] if expected.ndim == 1 and found.ndim == 2 else found
    np.testing.assert_allclose(expected, found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("grow", "objective", "ending"),
    (
        (grown_xgboost, "rank:ndcg", ".ubj"),
        (grown_xgboost, "binary:logitraw", ".ubj"),
        (grown_lightgbm, "multiclassova", ".txt"),
    ),
)
def test_an_objective_that_onnx_would_change_is_not_converted(
    grow: Any, objective: str, ending: str, tmp_path: Path
) -> None:
    grow(objective, tmp_path / f"model{ending}")
    model = examine(tmp_path / f"model{ending}", trust=False)
    with pytest.raises(InputError, match="cannot be converted to ONNX") as caught:
        convert_to_onnx(model, tmp_path / "m.onnx", trust=False, timeout_ns=MINUTE_NS, memory_bytes=8 * 2**30)
    assert objective in caught.value.why


@pytest.mark.proves("XGBoost", files=".ubj, .json", extra="trees")
@pytest.mark.proves("LightGBM", files=".txt, .lgb", extra="trees")
@pytest.mark.parametrize(("grow", "objective", "ending"), (
    (grown_xgboost, "multi:softprob", ".ubj"), (grown_lightgbm, "multiclass", ".txt"),
))  # fmt: skip
def test_trees_go_all_the_way(grow: Any, objective: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"trees{ending}"
    booster, rows = grow(objective, path)
    np.savez(tmp_path / "rows.npz", X=rows[:600], y=rows_for(objective)[1][:600])
    evaluation = modeldyno.evaluate(path, data=tmp_path / "rows.npz")
    assert evaluation.quality is not None
    search, bundle = whole_way.tune(path, tmp_path / "rows.npz", tmp_path / "out")
    assert {"original", "onnx-fp32"} <= {one.artifact.name for one in search.assessed}
    assert search.winner is not None
    outputs = whole_way.ask(bundle, {"input": rows[:5]})
    expected = booster.inplace_predict(rows[:5]) if ending == ".ubj" else booster.predict(rows[:5])
    np.testing.assert_allclose(expected, outputs["probabilities"], rtol=1e-4, atol=1e-5)


def test_native_trees_can_be_bundled_and_served(tmp_path: Path) -> None:
    path = tmp_path / "ranker.ubj"
    booster, rows = grown_xgboost("rank:ndcg", path)
    np.savez(tmp_path / "rows.npz", X=rows)
    search, bundle = whole_way.tune(path, tmp_path / "rows.npz", tmp_path / "out")
    assert ["original"] == [one.artifact.name for one in search.assessed]
    assert ["onnx-fp32"] == [one.name for one in search.refused if one.stage == "convert"]
    outputs = whole_way.ask(bundle, {"input": rows[:3]})
    np.testing.assert_allclose(booster.inplace_predict(rows[:3]), outputs["value"], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    (
        ("model.json", b'{"weights": []}', "not XGBoost's"),
        ("model.txt", b"hello", "unknown format"),
        ("model.ubj", b"hello world, this is no model", "XGBoost cannot read"),
        ("model.txt", b"tree\nversion=v4\n", "LightGBM cannot read"),
    ),
)
def test_what_is_no_model_is_refused_with_its_reason(name: str, content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        examine(tmp_path / name, trust=False)
    assert why in f"{caught.value.what} {caught.value.why}"


@pytest.mark.parametrize(("module", "name"), (("xgboost", "model.ubj"), ("lightgbm", "model.txt")))
def test_without_the_library_the_command_that_installs_it_is_named(
    module: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (grown_xgboost if module == "xgboost" else grown_lightgbm)(
        "regression" if module == "lightgbm" else "reg:squarederror", tmp_path / name
    )
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("modeldyno.models.boosters.booster.find_spec", lambda _: None)
    with pytest.raises(UsageError, match="is not installed") as caught:
        examine(tmp_path / name, trust=False)
    assert "pip install 'modeldyno[trees]'" == caught.value.hint


def test_categorical_features_are_refused(tmp_path: Path) -> None:
    rows = np.array([[0, 1.5], [1, 2.5], [2, 3.5], [0, 4.5]] * 10, np.float32)
    matrix = xgboost.DMatrix(rows, rows[:, 1], feature_types=["c", "q"], enable_categorical=True)
    xgboost.train({"objective": "reg:squarederror"}, matrix, 2).save_model(tmp_path / "c.ubj")
    with pytest.raises(InputError, match="takes categorical features"):
        examine(tmp_path / "c.ubj", trust=False)


def test_settings_that_trees_do_not_know_are_refused(tmp_path: Path) -> None:
    grown_xgboost("reg:squarederror", tmp_path / "m.ubj")
    signature = examine(tmp_path / "m.ubj", trust=False).signature
    with pytest.raises(UsageError, match="bf16"):
        BoosterRuntime(XGBOOST, load_xgboost).open(tmp_path / "m.ubj", signature, SessionSettings(precision="bf16"))


@pytest.mark.parametrize(("grow", "objective", "ending", "library", "load"), (
    (grown_xgboost, "reg:squarederror", ".ubj", XGBOOST, load_xgboost),
    (grown_lightgbm, "regression", ".txt", LIGHTGBM, load_lightgbm),
))  # fmt: skip
def test_trees_of_another_number_of_features_are_not_the_model(
    grow: Any, objective: str, ending: str, library: BoosterLibrary, load: Callable[[Path], Any], tmp_path: Path
) -> None:
    path = tmp_path / f"trees{ending}"
    _, rows = grow(objective, path)
    signature = Signature(
        inputs=(TensorSpec(name="input", datatype="FP32", shape=("batch", rows.shape[1] + 1)),),
        outputs=(TensorSpec(name="value", datatype="FP32", shape=("batch",)),),
    )
    with pytest.raises(InputError, match="is not the model that was asked for") as caught:
        BoosterRuntime(library, load).open(path, signature, SessionSettings())
    assert f"takes {rows.shape[1]} features" in caught.value.why
