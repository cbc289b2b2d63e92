import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from modeldyno.errors import InputError, OutputError, TrustError
from modeldyno.models.examine import examine
from modeldyno.models.scikit.estimator import load_scikit, save_skops, scikit_classes, scikit_signature
from modeldyno.testing import models as samples


class Homemade(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A class of the user's own, which no file may run unasked."""

    def fit(self, features: NDArray[Any], labels: NDArray[Any]) -> "Homemade":
        self.classes_, self.n_features_in_ = np.unique(labels), features.shape[1]
        return self

    def predict(self, features: NDArray[Any]) -> NDArray[Any]:
        return np.full(len(features), self.classes_[0])


def outputs_of(estimator: Any) -> list[tuple[str, str, tuple[int | str, ...]]]:
    return [(spec.name, spec.datatype, spec.shape) for spec in scikit_signature(estimator).outputs]


def test_text_classes_make_a_text_label() -> None:
    pipeline = samples.digit_words_pipeline()
    assert [("label", "BYTES", ("batch",)), ("probabilities", "FP32", ("batch", 10))] == outputs_of(pipeline)
    assert tuple(sorted(samples.WORDS)) == scikit_classes(pipeline)


def test_a_regressor_gives_one_value_a_row() -> None:
    assert [("value", "FP32", ("batch",))] == outputs_of(samples.ink_regressor())


def test_a_regressor_of_two_targets_gives_two_values_a_row() -> None:
    assert [("value", "FP32", ("batch", 2))] == outputs_of(samples.halves_regressor())


def test_a_classifier_without_probabilities_gives_the_label_alone() -> None:
    features, labels = samples.digits()
    assert [("label", "INT64", ("batch",))] == outputs_of(RidgeClassifier().fit(features, labels))


def test_yes_and_no_become_one_and_nought() -> None:
    features, labels = samples.digits()
    assert (0, 1) == scikit_classes(LogisticRegression(tol=0.1).fit(features / 16, labels > 4))


def test_several_labels_a_row_are_refused() -> None:
    features, labels = samples.digits()
    estimator = DecisionTreeClassifier(max_depth=2).fit(features, np.c_[labels, labels > 4])
    with pytest.raises(InputError, match="predicts 2 labels a row"):
        scikit_signature(estimator)


def test_an_estimator_that_was_not_fitted_is_refused() -> None:
    with pytest.raises(InputError, match="does not say how many features"):
        scikit_signature(LinearRegression())


def test_a_clusterer_is_refused() -> None:
    with pytest.raises(InputError, match="neither a classifier nor a regressor"):
        scikit_signature(KMeans(2, n_init=1).fit(np.arange(8.0).reshape(4, 2)))


class Duck:
    """Predicts, but is nothing that scikit-learn knows."""

    def predict(self, features: NDArray[Any]) -> NDArray[Any]:
        return np.zeros(len(features))


def test_an_object_that_only_looks_like_a_model_is_refused(tmp_path: Path) -> None:
    joblib.dump(Duck(), tmp_path / "duck.joblib")
    with pytest.raises(InputError, match="Duck is neither a classifier nor a regressor"):
        examine(tmp_path / "duck.joblib", trust=True)


def test_a_search_that_was_not_refitted_is_refused() -> None:
    search = GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2, refit=False)
    search.fit(np.arange(8.0).reshape(8, 1), [0, 1] * 4)
    with pytest.raises(InputError, match=r"how many features|does not say its classes"):
        scikit_signature(search)


def test_a_transformer_is_not_a_model(tmp_path: Path) -> None:
    save_skops(StandardScaler().fit(np.eye(3)), tmp_path / "scaler.skops")
    with pytest.raises(InputError, match=r"has no predict method|is not a model"):
        load_scikit(tmp_path / "scaler.skops", trust=False)


def test_unknown_types_in_a_skops_file_are_named_and_refused(tmp_path: Path) -> None:
    path = tmp_path / "homemade.skops"
    skops.io.dump(Homemade().fit(np.eye(3), np.arange(3)), path)
    with pytest.raises(TrustError, match="Homemade") as caught:
        load_scikit(path, trust=False)
    assert "--trust" in caught.value.hint


def test_trees_are_loaded_without_trust(tmp_path: Path) -> None:
    save_skops(samples.digits_forest(), tmp_path / "forest.skops")
    assert 64 == load_scikit(tmp_path / "forest.skops", trust=False).n_features_in_


def test_another_version_of_scikit_learn_is_told_and_does_not_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.skops"
    monkeypatch.setattr("sklearn.base.__version__", "1.2.3")
    save_skops(samples.ink_regressor(), path)
    monkeypatch.undo()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = examine(path, trust=False)
    assert model.made_with.startswith("scikit-learn 1.2.3, read by ")


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        save_skops(samples.ink_regressor(), tmp_path / "nowhere" / "model.skops")
