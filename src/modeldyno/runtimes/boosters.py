"""Boosted trees in the library that grew them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import InputError, ToolError, UsageError
from modeldyno.protocols import Tensors
from modeldyno.records.deployment import RuntimeName, SessionSettings
from modeldyno.records.signature import Signature

Predict = Callable[[NDArray[Any]], NDArray[Any]]
"""From rows to probabilities [rows, classes], or to values [rows] or [rows, targets]; of two classes, of the second."""


class XgboostRuntime:
    """A `modeldyno.protocols.Runtime`.

    Args:
        load: from a path to the `xgboost.Booster`.
    """

    name: RuntimeName = "xgboost"
    formats = frozenset({"xgboost"})

    def __init__(self, load: Callable[[Path], Any]) -> None:
        self._load = load

    def open(self, path: Path, signature: Signature, settings: SessionSettings) -> "BoosterSession":
        """Load the model at `path`.

        Raises:
            InputError: it cannot be loaded, or is another model than `signature` says.
            UsageError: XGBoost is not installed, or cannot do what `settings` ask.
        """
        _refuse_unknown(self.name, settings)
        booster = self._load(path)
        _check_features(path, booster.num_features(), signature)
        booster.set_param({"nthread": settings.threads})
        ask = partial(booster.inplace_predict, validate_features=False)
        predict: Predict = ask
        if len(signature.outputs) > 1 and _gives_labels_only(ask, signature):

            def predict(rows: NDArray[Any]) -> NDArray[Any]:
                return _softmax(ask(rows, predict_type="margin"))

        return BoosterSession(self.name, signature, predict)


class LightgbmRuntime:
    """A `modeldyno.protocols.Runtime`.

    Args:
        load: from a path to the `lightgbm.Booster`.
    """

    name: RuntimeName = "lightgbm"
    formats = frozenset({"lightgbm"})

    def __init__(self, load: Callable[[Path], Any]) -> None:
        self._load = load

    def open(self, path: Path, signature: Signature, settings: SessionSettings) -> "BoosterSession":
        """Load the model at `path`.

        Raises:
            InputError: it cannot be loaded, or is another model than `signature` says.
            UsageError: LightGBM is not installed, or cannot do what `settings` ask.
        """
        _refuse_unknown(self.name, settings)
        booster = self._load(path)
        _check_features(path, booster.num_feature(), signature)

        def predict(rows: NDArray[Any]) -> NDArray[Any]:
            answered: NDArray[Any] = booster.predict(rows, num_threads=settings.threads)
            return answered

        return BoosterSession(self.name, signature, predict)


class BoosterSession:
    """A `modeldyno.protocols.Session`.

    Args:
        library: its name, for messages.
        signature: one input; `label` and `probabilities`, or one output of values.
        predict: asks the library.
    """

    def __init__(self, library: str, signature: Signature, predict: Predict) -> None:
        self._library = library
        self._signature = signature
        self._input = signature.inputs[0].name
        self._names = [spec.name for spec in signature.outputs]
        self._predict = predict

    @property
    def signature(self) -> Signature:
        """See `Session`."""
        return self._signature

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        """See `Session`.

        Raises:
            ToolError: the library refuses the rows or fails on them.
        """
        try:
            answered = np.asarray(self._predict(inputs[self._input]), dtype=np.float32)
        except ToolError:
            raise
        except Exception as problem:  # both raise classes of their own, and ctypes' and NumPy's
            lines = str(problem).strip().splitlines()
            raise ToolError(
                f"{self._library} could not compute this batch", why=lines[0] if lines else type(problem).__name__
            ) from problem
        if len(self._names) == 1:
            return {self._names[0]: answered}
        if answered.ndim == 1:
            answered = np.stack([1 - answered, answered], axis=1)
        return {self._names[0]: answered.argmax(axis=1), self._names[1]: answered}

    def close(self) -> None:
        """See `Session`; closing twice is as good as once."""
        self._predict = _refuse_closed


def _refuse_unknown(name: str, settings: SessionSettings) -> None:
    if settings.label:
        raise UsageError(f"{name} cannot be asked for {settings.label!r}", why="it has one way to predict")


def _check_features(path: Path, features: int, signature: Signature) -> None:
    if len(signature.inputs) != 1 or signature.inputs[0].shape[1:] != (features,):
        raise InputError(
            f"{path} is not the model that was asked for",
            why=f"it takes {features} features, not {[spec.shape for spec in signature.inputs]}",
        )


def _gives_labels_only(ask: Callable[..., NDArray[Any]], signature: Signature) -> bool:
    """As `multi:softmax` does: a sum for each class, and one answer. The probabilities can be had from the sums."""
    row = _one_row(signature)
    return ask(row).ndim == 1 and ask(row, predict_type="margin").ndim == 2


def _one_row(signature: Signature) -> NDArray[Any]:
    return np.zeros((1, int(signature.inputs[0].shape[1])), np.float32)


def _softmax(sums: NDArray[Any]) -> NDArray[Any]:
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    shares: NDArray[Any] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _refuse_closed(_rows: NDArray[Any]) -> NDArray[Any]:
    raise ToolError("this session is closed")
