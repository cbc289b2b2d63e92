import copy
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.calibration import FrozenEstimator
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import ThreadpoolController

from modeldyno.errors import InputError, ToolError
from modeldyno.models.scikit.estimator import scikit_signature
from modeldyno.records.deployment import SessionSettings
from modeldyno.runtimes.scikit import ScikitRuntime, ScikitSession, _predicts_most_probable
from modeldyno.runtimes.thread_limit import ThreadLimit
from modeldyno.testing import models as samples


@pytest.fixture(autouse=True)
def restored_threads() -> Iterator[None]:
    with ThreadpoolController().limit():
        yield
    ThreadLimit._process = 0
    ThreadLimit._thread.threads = 0


def open_estimator(estimator: Any, threads: int = 1) -> ScikitSession:
    signature = scikit_signature(estimator)
    return ScikitRuntime(lambda _: estimator).open(Path("model.skops"), signature, SessionSettings(threads=threads))


def some_rows(features: int = 64) -> NDArray[np.float32]:
    return np.random.default_rng(1).uniform(0, 16, (40, features)).astype(np.float32)


@pytest.mark.parametrize(
    "make",
    (
        samples.digits_mlp,
        samples.digits_forest,
        samples.digit_words_pipeline,
        lambda: RidgeClassifier().fit(*samples.digits()),
        lambda: GradientBoostingClassifier(n_estimators=2).fit(samples.digits()[0][:200], samples.digits()[1][:200]),
    ),
)
def test_labels_are_those_of_predict(make: Any) -> None:
    estimator, rows = make(), some_rows()
    found = open_estimator(estimator).run({"input": rows})["label"]
    expected = [label.encode() if isinstance(label, str) else label for label in estimator.predict(rows).tolist()]
    assert expected == found.tolist()


def moved_threshold() -> Any:
    """Says yes from a probability of 5 % on."""
    features, labels = samples.digits()
    inner = LogisticRegression(tol=0.1).fit(features / 16, labels > 4)
    return FixedThresholdClassifier(FrozenEstimator(inner), threshold=0.05).fit(features / 16, labels > 4)


def test_a_classifier_with_a_threshold_of_its_own_keeps_it() -> None:
    estimator, rows = moved_threshold(), some_rows() / 16
    expected = estimator.predict(rows).astype(int).tolist()
    assert expected == open_estimator(estimator).run({"input": rows})["label"].tolist()
    by_probability = estimator.predict_proba(rows).argmax(axis=1).tolist()
    assert expected != by_probability


class Contrary(MLPClassifier):  # type: ignore[misc]
    """Predicts the least probable class."""

    def predict(self, features: Any) -> Any:
        return self.classes_.take(self.predict_proba(features).argmin(axis=1))


class Clipped(GaussianNB):  # type: ignore[misc]
    """Not of a kind whose predict is known."""


@pytest.mark.parametrize("kind", (Contrary, Clipped))
def test_the_short_cut_is_not_taken_for_kinds_that_are_not_known(kind: type) -> None:
    estimator = kind(max_iter=400, tol=1e-2) if kind is Contrary else kind()
    features, labels = samples.digits()
    estimator.fit(features[:200], labels[:200])
    assert not _predicts_most_probable(estimator, scikit_signature(estimator))


def test_the_short_cut_is_not_taken_when_predict_was_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    estimator = GaussianNB().fit(*samples.digits())
    assert _predicts_most_probable(estimator, scikit_signature(estimator))
    monkeypatch.setattr(estimator, "predict", lambda rows: np.zeros(len(rows), int), raising=False)
    assert not _predicts_most_probable(estimator, scikit_signature(estimator))


def test_steps_that_refuse_strange_values_do_not_stop_the_opening() -> None:
    def need_positive(rows: NDArray[Any]) -> NDArray[Any]:
        if (rows < 0).any():
            raise ValueError("negative")
        return rows

    pipeline = make_pipeline(FunctionTransformer(need_positive), GaussianNB()).fit(*samples.digits())
    assert 40 == len(open_estimator(pipeline).run({"input": some_rows()})["label"])


def test_a_model_fitted_with_column_names_answers_by_position_without_a_warning() -> None:
    features, labels = samples.digits()
    estimator = GaussianNB().fit(features, labels)
    estimator.feature_names_in_ = np.array([f"pixel_{number}" for number in range(64)], dtype=object)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session = open_estimator(estimator)
        session.run({"input": some_rows()})


def test_threads_are_limited_in_the_thread_that_computes() -> None:
    session = open_estimator(samples.digits_mlp(), threads=1)
    for library in ThreadpoolController().lib_controllers:
        library.set_num_threads(2)
    session.run({"input": some_rows()})
    assert {1} == {library.num_threads for library in ThreadpoolController().lib_controllers}


def test_sessions_with_different_threads_each_get_their_own() -> None:
    one, two = (open_estimator(samples.digits_mlp(), threads=threads) for threads in (1, 2))
    for session, expected in ((one, 1), (two, 2), (one, 1)):
        session.run({"input": some_rows()})
        assert {expected} == {library.num_threads for library in ThreadpoolController().lib_controllers}


def test_a_forest_works_with_the_threads_of_the_session_not_those_of_its_training() -> None:
    forest = copy.deepcopy(samples.digits_forest()).set_params(n_jobs=2)
    open_estimator(forest, threads=1)
    assert 1 == forest.n_jobs


def test_rows_that_do_not_fit_are_an_error_in_words() -> None:
    with pytest.raises(ToolError, match="could not compute") as caught:
        open_estimator(samples.digits_mlp()).run({"input": some_rows(63)})
    assert "63 features" in caught.value.why


def test_another_number_of_features_is_found_at_opening() -> None:
    signature = scikit_signature(samples.digits_mlp())
    other = GaussianNB().fit(np.eye(3), [0, 1, 2])
    with pytest.raises(InputError, match="not the model that was asked for"):
        ScikitRuntime(lambda _: other).open(Path("model.skops"), signature, SessionSettings())
