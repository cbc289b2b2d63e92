"""Boosted trees in the library that grew them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import InputError, ToolError, UsageError, first_line
from modeldyno.protocols import Tensors
from modeldyno.records.deployment import RuntimeName, SessionSettings
from modeldyno.records.signature import Signature

Predict = Callable[[NDArray[Any]], NDArray[Any]]
"""From rows to probabilities [rows, classes], or to values [rows] or [rows, targets]; of two classes, of the second."""


class BoosterLibrary(NamedTuple):
    """What differs between those that grow trees."""

    name: RuntimeName
    """That of the format of its files too."""
    features: Callable[[Any], int]
    """How many a booster takes."""
    predict: Callable[[Any, Signature, int], Predict]
    """How a booster is asked: it, the model's signature and the threads to use."""


class BoosterRuntime:
    """A `modeldyno.protocols.Runtime`.

    Args:
        library: `XGBOOST` or `LIGHTGBM`.
        load: from a path to a booster of that library.
    """

    def __init__(self, library: BoosterLibrary, load: Callable[[Path], Any]) -> None:
        self.name = library.name
        self.formats = frozenset({library.name})
        self._library = library
        self._load = load

    def open(self, path: Path, signature: Signature, settings: SessionSettings) -> "BoosterSession":
        """Load the model at `path`.

        Raises:
            InputError: it cannot be loaded, or is another model than `signature` says.
            UsageError: the library is not installed, or cannot do what `settings` ask.
        """
        if settings.label:
            raise UsageError(f"{self.name} cannot be asked for {settings.label!r}", why="it has one way to predict")
        booster = self._load(path)
        _check_features(path, self._library.features(booster), signature)
        return BoosterSession(self.name, signature, self._library.predict(booster, signature, settings.threads))


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
            raise ToolError(f"{self._library} could not compute this batch", why=first_line(problem)) from problem
        if len(self._names) == 1:
            return {self._names[0]: answered}
        if answered.ndim == 1:
            answered = np.stack([1 - answered, answered], axis=1)
        return {self._names[0]: answered.argmax(axis=1), self._names[1]: answered}

    def close(self) -> None:
        """See `Session`; closing twice is as good as once."""
        self._predict = _refuse_closed


def _check_features(path: Path, features: int, signature: Signature) -> None:
    if len(signature.inputs) != 1 or signature.inputs[0].shape[1:] != (features,):
        raise InputError(
            f"{path} is not the model that was asked for",
            why=f"it takes {features} features, not {[spec.shape for spec in signature.inputs]}",
        )


def _xgboost_predict(booster: Any, signature: Signature, threads: int) -> Predict:
    booster.set_param({"nthread": threads})
    ask = partial(booster.inplace_predict, validate_features=False)
    if len(signature.outputs) == 1 or not _gives_labels_only(ask, signature):
        return ask
    return lambda rows: _softmax(ask(rows, predict_type="margin"))


def _gives_labels_only(ask: Callable[..., NDArray[Any]], signature: Signature) -> bool:
    """As `multi:softmax` does: a sum for each class, and one answer. The probabilities can be had from the sums."""
    row = np.zeros((1, int(signature.inputs[0].shape[1])), np.float32)
    return ask(row).ndim == 1 and ask(row, predict_type="margin").ndim == 2


def _softmax(sums: NDArray[Any]) -> NDArray[Any]:
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    shares: NDArray[Any] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _lightgbm_predict(booster: Any, _signature: Signature, threads: int) -> Predict:
    return partial(booster.predict, num_threads=threads)


def _refuse_closed(_rows: NDArray[Any]) -> NDArray[Any]:
    raise ToolError("this session is closed")


XGBOOST = BoosterLibrary("xgboost", lambda booster: int(booster.num_features()), _xgboost_predict)
LIGHTGBM = BoosterLibrary("lightgbm", lambda booster: int(booster.num_feature()), _lightgbm_predict)
