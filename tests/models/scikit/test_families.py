"""Every family of scikit-learn's models that people train answers the same in ONNX, made here from its own file."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    StackingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import Lasso, LogisticRegression, Ridge, RidgeClassifier, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, SVR, LinearSVC
from skops.io import dump

from modeldyno.errors import InputError
from modeldyno.models.conversion import ConversionTask
from modeldyno.models.examine import examine
from modeldyno.models.scikit.conversion import convert
from modeldyno.records.artifact import Model

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
"""Answers are compared, not trained well."""

ROWS = 240


def numbers() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(ROWS, 4)).astype(np.float32)


def converted(estimator: Any, folder: Path) -> tuple[Model, onnxruntime.InferenceSession]:
    dump(estimator, folder / "model.skops")
    model = examine(folder / "model.skops", trust=False)
    destination = folder / "model.onnx"
    convert(ConversionTask(source=model.path, destination=str(destination), signature=model.signature, trust=False))
    assert model.signature == examine(destination, trust=False).signature
    return model, onnxruntime.InferenceSession(str(destination), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    "estimator",
    (
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(MinMaxScaler(), SGDClassifier(loss="log_loss", random_state=0)),
        make_pipeline(RobustScaler(), RidgeClassifier()),
        make_pipeline(MaxAbsScaler(), LinearSVC()),
        make_pipeline(StandardScaler(), SVC()),
        make_pipeline(Normalizer(), MLPClassifier((8,), max_iter=60, random_state=0)),
        make_pipeline(QuantileTransformer(n_quantiles=20), GradientBoostingClassifier(n_estimators=3)),
        make_pipeline(PowerTransformer(), AdaBoostClassifier(n_estimators=3)),
        make_pipeline(PolynomialFeatures(2), StandardScaler(), GaussianNB()),
        StackingClassifier([("bayes", GaussianNB()), ("line", LogisticRegression())], cv=2),
        make_pipeline(StandardScaler(), KNeighborsClassifier(algorithm="brute")),
    ),
    ids=lambda one: "-".join(type(step).__name__ for _, step in getattr(one, "steps", [("", one)])),
)
def test_a_classifier_answers_alike(estimator: Any, tmp_path: Path) -> None:
    rows = numbers()
    labels = (rows[:, 0] > 0).astype(np.int64) + (rows[:, 1] > 0.5)
    estimator.fit(rows, labels)
    _, session = converted(estimator, tmp_path)
    found = [np.asarray(one) for one in session.run(None, {"input": rows})]
    assert estimator.predict(rows).tolist() == found[0].tolist()
    for probabilities in found[1:]:
        np.testing.assert_allclose(estimator.predict_proba(rows), probabilities, atol=1e-5)


@pytest.mark.parametrize(
    "estimator",
    (
        Ridge(),
        Lasso(alpha=0.01),
        make_pipeline(StandardScaler(), SVR()),
        make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(8,), max_iter=60, random_state=0)),
        GradientBoostingRegressor(n_estimators=5),
        HistGradientBoostingRegressor(max_iter=5),
    ),
    ids=lambda one: "-".join(type(step).__name__ for _, step in getattr(one, "steps", [("", one)])),
)
def test_a_regressor_answers_alike(estimator: Any, tmp_path: Path) -> None:
    rows = numbers()
    estimator.fit(rows, rows @ np.array([3, -2, 1, 0.5]))
    _, session = converted(estimator, tmp_path)
    np.testing.assert_allclose(estimator.predict(rows), session.run(None, {"input": rows})[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "imputer", (SimpleImputer(strategy="median"), KNNImputer()), ids=lambda one: type(one).__name__
)
def test_an_imputer_fills_the_same_gaps(imputer: Any, tmp_path: Path) -> None:
    rows = numbers()
    labels = (rows[:, 0] > 0).astype(np.int64)
    rows[::5, 2] = np.nan
    estimator = make_pipeline(imputer, LogisticRegression()).fit(rows, labels)
    _, session = converted(estimator, tmp_path)
    _, probabilities = session.run(None, {"input": rows})
    np.testing.assert_allclose(estimator.predict_proba(rows), probabilities, atol=1e-5)


@pytest.mark.parametrize(
    "vectoriser", (CountVectorizer(), TfidfVectorizer(ngram_range=(1, 2))), ids=lambda one: type(one).__name__
)
def test_a_vectoriser_cuts_the_same_words(vectoriser: Any, tmp_path: Path) -> None:
    said = np.array(["good great fine", "bad poor cold", "a lovely WARM room", "rude, dull"] * 10, object)
    estimator = make_pipeline(vectoriser, LogisticRegression()).fit(said, [1, 0, 1, 0] * 10)
    _, session = converted(estimator, tmp_path)
    asked = np.array(["Great, and cold!", "", "warm room bad", "unheard of"], object)
    _, probabilities = session.run(None, {"text": asked})
    np.testing.assert_allclose(estimator.predict_proba(asked), probabilities, atol=1e-5)


def test_a_setting_that_the_converter_does_not_know_is_refused_in_words(tmp_path: Path) -> None:
    rows = numbers()
    estimator = make_pipeline(KBinsDiscretizer(3, quantile_method="linear"), LogisticRegression())
    estimator.fit(rows, (rows[:, 0] > 0).astype(np.int64))
    with pytest.raises(InputError, match=r"model\.skops cannot be converted to ONNX") as caught:
        converted(estimator, tmp_path)
    assert "onehot encoding not supported" in caught.value.why
    assert "it can still be measured and served as it came" == caught.value.hint
