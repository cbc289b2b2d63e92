"""scikit-learn as it is: the reference every other candidate is compared with, and a candidate itself."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import InputError, ToolError, first_line
from modeldyno.processing.tables import table_of
from modeldyno.protocols import Tensors
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.signature import Signature
from modeldyno.runtimes.input_shapes import InputShapes
from modeldyno.runtimes.thread_limit import ThreadLimit

_FAILED = "scikit-learn could not compute this batch"


class ScikitRuntime:
    """A `modeldyno.protocols.Runtime`.

    Args:
        load: from a path to the fitted estimator; decides what may be loaded.
    """

    name = "scikit-learn"
    formats = frozenset({"sklearn"})

    def __init__(self, load: Callable[[Path], object]) -> None:
        self._load = load

    def open(self, path: Path, signature: Signature, settings: SessionSettings) -> "ScikitSession":
        """Load the estimator at `path`.

        Raises:
            InputError: it cannot be loaded, or is another model than `signature` says.
            TrustError: loading it would run code.
        """
        estimator: Any = self._load(path)
        _check_features(estimator, signature, path)
        _set_jobs(estimator, settings.threads)
        # Estimators fitted on a table with named columns say this on every call; here columns go by position.
        warnings.filterwarnings("ignore", message="X does not have valid feature names", category=UserWarning)
        return ScikitSession(estimator, signature, ThreadLimit(settings.threads))


class ScikitSession:
    """A `modeldyno.protocols.Session`: `predict`, and `predict_proba` where the signature asks for probabilities."""

    def __init__(self, estimator: Any, signature: Signature, limit: ThreadLimit) -> None:
        self._signature = signature
        self._limit = limit
        self._rows = _rows_of(signature, is_named=hasattr(estimator, "feature_names_in_"))
        self._compute = _computation(estimator, signature)

    @property
    def signature(self) -> Signature:
        """See `Session`."""
        return self._signature

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        """See `Session`.

        Raises:
            ToolError: the estimator refuses the rows or fails on them.
        """
        try:
            self._limit.hold()
            return self._compute(self._rows(inputs))
        except ToolError:
            raise
        except Exception as problem:
            raise ToolError(_FAILED, why=first_line(problem)) from problem

    def close(self) -> None:
        """See `Session`; closing twice is as good as once."""
        self._compute = _refuse_closed


Computation = Callable[[Any], dict[str, NDArray[Any]]]


def _check_features(estimator: Any, signature: Signature, path: Path) -> None:
    features = getattr(estimator, "n_features_in_", None)
    one = signature.inputs[0]
    # A vectoriser takes whatever text there is, and does not count.
    expected = len(signature.inputs) if len(signature.inputs) > 1 or len(one.shape) == 1 else one.shape[-1]
    if features != expected and not (features is None and one.datatype == "BYTES" and len(one.shape) == 1):
        raise InputError(
            f"{path} is not the model that was asked for",
            why=f"it takes {features} features, not {[spec.shape for spec in signature.inputs]}",
        )


def _rows_of(signature: Signature, *, is_named: bool) -> Callable[[Tensors], Any]:
    """From tensors to what the estimator takes: a matrix, a list of texts, or a table; see `scikit_signature`."""
    first, *others = signature.inputs
    if not others and first.datatype != "BYTES":
        return lambda inputs: inputs[first.name]
    if not others and len(first.shape) == 1:
        return lambda inputs: [text.decode() for text in inputs[first.name].tolist()]

    shapes = InputShapes(signature)

    def table(inputs: Tensors) -> Any:
        shapes.require(inputs, _FAILED)
        columns = [(spec.name, inputs[spec.name][:, 0]) for spec in signature.inputs]
        decoded = [(name, _decoded(values) if values.dtype == object else values) for name, values in columns]
        return table_of(decoded, is_named=is_named)

    return table


def _decoded(texts: NDArray[Any]) -> NDArray[Any]:
    return np.array([text.decode() for text in texts.tolist()], object)


def _computation(estimator: Any, signature: Signature) -> Computation:
    names = [spec.name for spec in signature.outputs]
    if not hasattr(estimator, "classes_"):
        return _values(estimator, names[0])
    # Classes are sorted (np.unique made them), so a label's place can be searched; text answers are bytes outside.
    classes = np.asarray(estimator.classes_)
    if signature.outputs[0].datatype == "BYTES":
        answers = np.empty(len(classes), object)
        answers[:] = [str(label).encode() for label in classes.tolist()]
    else:
        answers = classes.astype(np.int64)
    if len(names) == 1:
        return _labels(estimator, names[0], classes, answers)
    if _predicts_most_probable(estimator, signature):
        return _most_probable(estimator, names, answers)
    return _both(estimator, names, classes, answers)


def _values(estimator: Any, name: str) -> Computation:
    def compute(rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return {name: np.asarray(estimator.predict(rows), dtype=np.float32)}

    return compute


def _labels(estimator: Any, name: str, classes: NDArray[Any], answers: NDArray[Any]) -> Computation:
    def compute(rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return {name: answers.take(np.searchsorted(classes, estimator.predict(rows)))}

    return compute


def _most_probable(estimator: Any, names: list[str], answers: NDArray[Any]) -> Computation:
    def compute(rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
        probabilities = estimator.predict_proba(rows)
        return {
            names[0]: answers.take(probabilities.argmax(axis=1)),
            names[1]: probabilities.astype(np.float32, copy=False),
        }

    return compute


def _both(estimator: Any, names: list[str], classes: NDArray[Any], answers: NDArray[Any]) -> Computation:
    def compute(rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return {
            names[0]: answers.take(np.searchsorted(classes, estimator.predict(rows))),
            names[1]: estimator.predict_proba(rows).astype(np.float32, copy=False),
        }

    return compute


def _predicts_most_probable(estimator: Any, signature: Signature) -> bool:
    """Whether one call of `predict_proba` gives the label too, which halves the work.

    True only for kinds that scikit-learn defines so, and tried on random rows as well: SVC with probability=True
    predicts by votes and estimates probabilities apart, and a threshold classifier moves the border.
    """
    final = estimator
    while hasattr(final, "steps"):
        final = final.steps[-1][1]
    is_matrix = len(signature.inputs) == 1 and signature.inputs[0].datatype != "BYTES"
    if not is_matrix or type(final) not in _argmax_kinds():  # a subclass may predict otherwise
        return False
    generator = np.random.default_rng(0)
    features = int(signature.inputs[0].shape[-1])
    for scale in (0.1, 1.0, 10.0, 100.0):
        rows = (generator.standard_normal((64, features)) * scale).astype(np.float32)
        try:
            expected, probabilities = estimator.predict(rows), estimator.predict_proba(rows)
        except ValueError:
            # A step may refuse values outside its domain; then nothing is known, and asking twice is always right.
            return False
        if not np.array_equal(expected, np.asarray(estimator.classes_).take(probabilities.argmax(axis=1))):
            return False
    return True


def _argmax_kinds() -> frozenset[type]:
    """Classifiers whose `predict` is the class of the highest `predict_proba` (scikit-learn 1.9, their sources).

    GradientBoostingClassifier is not among them: with two classes it gives a tie to the second.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
    from sklearn.ensemble import (
        ExtraTreesClassifier,
        HistGradientBoostingClassifier,
        RandomForestClassifier,
    )
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neural_network import MLPClassifier
    from sklearn.tree import DecisionTreeClassifier

    return frozenset(
        {
            DecisionTreeClassifier,
            ExtraTreesClassifier,
            GaussianNB,
            HistGradientBoostingClassifier,
            LinearDiscriminantAnalysis,
            LogisticRegression,
            MLPClassifier,
            QuadraticDiscriminantAnalysis,
            RandomForestClassifier,
        }
    )


def _set_jobs(estimator: Any, threads: int) -> None:
    """Parallel work inside an estimator follows the session's threads, not what it was trained with."""
    jobs = [name for name in estimator.get_params() if name == "n_jobs" or name.endswith("__n_jobs")]
    if jobs:
        estimator.set_params(**dict.fromkeys(jobs, threads))


def _refuse_closed(_rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    raise ToolError("this session is closed")
