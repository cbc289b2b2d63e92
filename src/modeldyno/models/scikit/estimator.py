"""scikit-learn models: reading them without running foreign code, and what goes into and out of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import InputError, first_line
from modeldyno.models.scikit.columns import (
    TEXT,
    column_specs,
    has_named_columns,
    mixed_columns,
    takes_texts,
)
from modeldyno.models.scikit.trees import check_trees
from modeldyno.models.trust import VOUCHED_TYPES, refuse_pickle, refuse_unknown_types
from modeldyno.processing.tables import table_of
from modeldyno.records.artifact import Model, Precision, Task, is_pickle
from modeldyno.records.files import digest_file, output_problem
from modeldyno.records.signature import Signature, TensorSpec

INPUT = "input"
LABEL = "label"
PROBABILITIES = "probabilities"
VALUE = "value"
BATCH = "batch"


class LoadedEstimator(NamedTuple):
    """An estimator and the version of scikit-learn that wrote it."""

    estimator: Any
    made_with: str


def load_scikit(path: Path, *, trust: bool) -> Any:
    """The fitted estimator in a .skops, .joblib or .pkl file.

    Args:
        path: the file; anything that does not end in .skops is taken for a pickle.
        trust: whether the user vouches for the file, so that loading may run code from it.

    Raises:
        InputError: missing, damaged, or not an estimator.
        TrustError: loading it would run code and `trust` is false.
    """
    return read_estimator(path, trust=trust).estimator


def read_estimator(path: Path, *, trust: bool) -> LoadedEstimator:
    """As `load_scikit`, with the version that wrote the file; another version than ours is told, not an error."""
    import warnings

    import sklearn
    from sklearn.exceptions import InconsistentVersionWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", InconsistentVersionWarning)
        load = _load_pickle if is_pickle(path) else _load_skops
        estimator = load(path, trust=trust)
    if not hasattr(estimator, "predict"):
        raise InputError(
            f"{path} holds a {type(estimator).__name__}, which is not a model",
            why="it has no predict method",
            hint="save the fitted estimator or pipeline itself",
        )
    versions = {
        str(warning.message.original_sklearn_version)
        for warning in caught
        if isinstance(warning.message, InconsistentVersionWarning)
    }
    if not versions:
        return LoadedEstimator(estimator, f"scikit-learn {sklearn.__version__}")
    written = ", ".join(sorted(versions))
    return LoadedEstimator(estimator, f"scikit-learn {written}, read by {sklearn.__version__}: answers may differ")


def _load_skops(path: Path, *, trust: bool) -> Any:
    from skops.io import get_untrusted_types, load

    # A damaged archive makes skops raise nearly anything.
    try:
        named = get_untrusted_types(file=path)
    except Exception as problem:
        raise _unreadable(path, "skops", problem) from problem
    unknown = sorted(set(named) - VOUCHED_TYPES)
    if unknown and not trust:
        raise refuse_unknown_types(path, unknown)
    try:
        estimator = load(path, trusted=named)
    except Exception as problem:
        raise _unreadable(path, "skops", problem) from problem
    check_trees(estimator, path)
    return estimator


def _load_pickle(path: Path, *, trust: bool) -> Any:
    if not trust:
        raise refuse_pickle(path)
    import joblib

    try:
        return joblib.load(path)
    except Exception as problem:  # a pickle can raise anything at all while it loads
        raise _unreadable(path, "pickle", problem) from problem


def _unreadable(path: Path, what: str, problem: Exception) -> InputError:
    lines = str(problem).strip().splitlines()
    return InputError(
        f"{path} cannot be read as a {what} file",
        why=f"{type(problem).__name__}: {lines[-1]}" if lines else type(problem).__name__,
        hint="it may be cut short, or need a package that is not installed here",
    )


def save_skops(estimator: Any, path: Path) -> None:
    """Write a fitted estimator as .skops, which holds no code.

    Raises:
        OutputError: when the file cannot be written.
        InputError: when skops cannot represent the estimator.
    """
    from skops.io import dump
    from skops.io.exceptions import UnsupportedTypeException

    try:
        dump(estimator, path)
    except UnsupportedTypeException as problem:
        raise InputError(f"{type(estimator).__name__} cannot be saved as .skops", why=str(problem)) from problem
    except OSError as problem:
        raise output_problem(path, problem) from problem


def scikit_task(estimator: Any) -> Task:
    """Classification or regression.

    Raises:
        InputError: when it is neither (a clusterer, a transformer).
    """
    from sklearn.base import is_classifier, is_regressor

    try:
        if is_classifier(estimator):
            return "classification"
        if is_regressor(estimator):
            return "regression"
    except AttributeError:
        # scikit-learn asks the object for its tags; one that has none is not of its kind, which is said below.
        pass
    raise InputError(
        f"{type(estimator).__name__} is neither a classifier nor a regressor",
        why="only models that predict a label or a value can be judged and served",
    )


def scikit_signature(estimator: Any) -> Signature:
    """Input `input` FP32 [batch, features]; outputs `label` and `probabilities` [batch, classes], or `value`.

    A model that begins with a vectoriser has the input `text` BYTES [batch]; one that takes a table with columns of
    text has an input for each column, [batch, 1], with its name (`x0`, `x1` ... when it has none). A regressor's
    `value` is [batch], or [batch, targets] where it predicts several. One row is predicted to see it.

    Raises:
        InputError: not fitted, neither classifier nor regressor, several labels a row, or it takes neither numbers, nor
            a table, nor texts.
    """
    task = scikit_task(estimator)
    inputs, answer = _inputs_of(estimator)
    if task == "regression":
        shape = (BATCH,) if answer.ndim == 1 else (BATCH, answer.shape[1])
        return Signature(inputs=inputs, outputs=(TensorSpec(name=VALUE, datatype="FP32", shape=shape),))
    classes = scikit_classes(estimator)
    datatype = "BYTES" if isinstance(classes[0], str) else "INT64"
    outputs = [TensorSpec(name=LABEL, datatype=datatype, shape=(BATCH,))]
    if hasattr(estimator, "predict_proba"):
        outputs.append(TensorSpec(name=PROBABILITIES, datatype="FP32", shape=(BATCH, len(classes))))
    return Signature(inputs=inputs, outputs=tuple(outputs))


def scikit_classes(estimator: Any) -> tuple[int | str, ...]:
    """The labels in the order of the probability columns.

    Raises:
        InputError: when there are several labels a row, or labels that are neither whole numbers nor text.
    """
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        raise InputError(
            f"{type(estimator).__name__} does not say its classes",
            why="it was not fitted, or does not keep `classes_`",
            hint="fit it and save it again",
        )
    if isinstance(classes, list):
        raise InputError(
            f"{type(_final_step(estimator)).__name__} predicts {len(classes)} labels a row",
            why="only one label a row can be served and judged",
            hint="save one model for each label",
        )
    if all(isinstance(label, str) for label in classes):
        return tuple(str(label) for label in classes)
    if all(isinstance(label, (bool, int, float, np.bool_, np.number)) and label == int(label) for label in classes):
        return tuple(int(label) for label in classes)
    raise InputError(
        f"the classes {classes[:5]!r} are neither whole numbers nor text",
        hint="fit the model on labels of one of these kinds",
    )


def describe_scikit(path: Path, loaded: LoadedEstimator, task: Task | None) -> Model:
    """The record of a scikit-learn model.

    Args:
        path: the file it came from.
        loaded: what `read_estimator` found in it.
        task: overrides what the estimator says it is.

    Raises:
        InputError: see `scikit_signature`.
    """
    estimator = loaded.estimator
    signature = scikit_signature(estimator)
    own_task = scikit_task(estimator)
    return Model(
        name=path.stem,
        path=str(path),
        format="sklearn",
        description=_describe(estimator),
        task=task or own_task,
        classes=scikit_classes(estimator) if own_task == "classification" else (),
        signature=signature,
        precision=_precision(estimator),
        size_bytes=path.stat().st_size,
        digest=digest_file(path),
        parameters=_parameters(estimator),
        made_with=loaded.made_with,
    )


def _inputs_of(estimator: Any) -> tuple[tuple[TensorSpec, ...], NDArray[Any]]:
    """What goes in, and the answer to one row of it."""
    if takes_texts(estimator):
        answer = _answer(estimator, [["one text"]])
        return (TensorSpec(name=TEXT, datatype="BYTES", shape=(BATCH,)),), answer
    columns = mixed_columns(estimator)
    if columns is not None:
        named = [
            (one.name, np.array([one.example], object if isinstance(one.example, str) else None)) for one in columns
        ]
        row = table_of(named, is_named=has_named_columns(estimator))
        return column_specs(columns, BATCH), _answer(estimator, [row])
    features = _feature_count(estimator)
    # Ones, or zeros where ones are outside its domain.
    rows = [np.full((1, features), fill, np.float32) for fill in (1.0, 0.0)]
    return (TensorSpec(name=INPUT, datatype="FP32", shape=(BATCH, features)),), _answer(estimator, rows)


def _feature_count(estimator: Any) -> int:
    features = getattr(estimator, "n_features_in_", None)
    if not isinstance(features, (int, np.integer)):
        raise InputError(
            f"{type(estimator).__name__} does not say how many features it takes",
            why="it was not fitted, or not on a table of numbers",
            hint="fit it on an array of shape [rows, features] and save it again",
        )
    return int(features)


def _answer(estimator: Any, rows: Sequence[Any]) -> NDArray[Any]:
    """What it predicts for the first of some inputs of one row that it takes."""
    import warnings

    problems: list[Exception] = []
    for row in rows:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return np.asarray(estimator.predict(row))
        except Exception as problem:  # noqa: BLE001 - user-written steps may raise anything
            problems.append(problem)
    raise InputError(
        f"{type(estimator).__name__} cannot predict from an array of numbers, a table or texts",
        why=f"{type(problems[0]).__name__}: {first_line(problems[0])}",
        hint="its columns have names, and without pandas not every step finds them: pip install pandas"
        if has_named_columns(estimator) and "container" in str(problems[0])
        else "its first step must show what it takes: numbers, columns with fitted encoders, or a vectoriser",
    ) from problems[0]


def _final_step(estimator: Any) -> Any:
    """The estimator at the end of (nested) pipelines."""
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[-1][1]
    return estimator


def _describe(estimator: Any) -> str:
    if not hasattr(estimator, "steps"):
        return type(estimator).__name__
    return " → ".join(type(step).__name__ for _, step in estimator.steps)


def _weights(estimator: Any) -> list[NDArray[Any]]:
    """Learnt coefficients of networks and linear models; nothing for the others, whose size is not a fixed count."""
    final = _final_step(estimator)
    arrays: list[NDArray[Any]] = []
    for name in ("coefs_", "intercepts_", "coef_", "intercept_"):
        value = getattr(final, name, None)
        if value is not None:
            arrays.extend(np.asarray(part) for part in (value if isinstance(value, list) else [value]))
    return arrays


def _parameters(estimator: Any) -> int | None:
    return sum(array.size for array in _weights(estimator)) or None


def _precision(estimator: Any) -> Precision:
    kinds = {array.dtype for array in _weights(estimator)}
    return "fp32" if kinds == {np.dtype(np.float32)} else "fp64"
