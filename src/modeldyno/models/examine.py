"""From a path to the record of the model in it."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from modeldyno.models.recognition import Recognised, recognise
from modeldyno.records.artifact import Model, ModelFormat, Task


def examine(path: Path, *, trust: bool, task: Task | None = None) -> Model:
    """What the model at a path is: format, signature, task, size, digest.

    Files that hold a graph or trees are read and checked but not run; scikit-learn models and Python callables are
    loaded and answer one row.

    Args:
        path: a file, or a directory that holds one model; see `modeldyno.models.recognition`.
        trust: whether the user vouches for the file, so that loading may run code from it.
        task: overrides what the model seems to be for.

    Raises:
        InputError: missing, unreadable, corrupt, of an unknown format, or not a model that can be served.
        TrustError: loading it would run code and `trust` is false.
    """
    found = recognise(path)
    return _DESCRIPTIONS[found.format](found, Asked(trust, task))


class Asked(NamedTuple):
    """What the user says of a model."""

    trust: bool
    task: Task | None


def _onnx(found: Recognised, asked: Asked) -> Model:
    from modeldyno.models.onnx.graph import describe_onnx

    return describe_onnx(found.main, asked.task)


def _scikit(found: Recognised, asked: Asked) -> Model:
    from modeldyno.models.scikit.estimator import describe_scikit, read_estimator

    return describe_scikit(found.main, read_estimator(found.main, trust=asked.trust), asked.task)


def _xgboost(found: Recognised, asked: Asked) -> Model:
    from modeldyno.models.boosters.booster import describe_booster
    from modeldyno.models.boosters.xgboost_file import read_xgboost

    return describe_booster(found.main, found.format, asked.task, read_xgboost)


def _lightgbm(found: Recognised, asked: Asked) -> Model:
    from modeldyno.models.boosters.booster import describe_booster
    from modeldyno.models.boosters.lightgbm_file import read_lightgbm

    return describe_booster(found.main, found.format, asked.task, read_lightgbm)


def _openvino(found: Recognised, asked: Asked) -> Model:
    from modeldyno.models.openvino.graph import describe_openvino

    return describe_openvino(found.main, asked.task)


def _saved_model(found: Recognised, asked: Asked) -> Model:
    from modeldyno.models.openvino.graph import describe_saved_model

    return describe_saved_model(found.main, asked.task)


def _keras(found: Recognised, asked: Asked) -> Model:
    from modeldyno.models.keras.file import describe_keras

    return describe_keras(found.main, asked.task, trust=asked.trust)


def _python(found: Recognised, asked: Asked) -> Model:
    from modeldyno.models.python_file import describe_python, load_python
    from modeldyno.models.torch.module import describe_module, makes_module

    held = load_python(found.main, found.entry, trust=asked.trust)
    describe = describe_module if makes_module(held) else describe_python
    return describe(held, found.main, found.entry, asked.task)


def _torch(found: Recognised, asked: Asked) -> Model:
    from modeldyno.models.torch.program import describe_torch_file

    return describe_torch_file(found.main, found.format, asked.task, trust=asked.trust)


def _transformers(found: Recognised, asked: Asked) -> Model:
    from modeldyno.models.torch.transformers_folder import describe_transformer

    return describe_transformer(found.main, asked.task)


_DESCRIPTIONS: dict[ModelFormat, Callable[[Recognised, Asked], Model]] = {
    "onnx": _onnx,
    "sklearn": _scikit,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "openvino": _openvino,
    "saved-model": _saved_model,
    "keras": _keras,
    "python": _python,
    "torch-module": _python,
    "torch-export": _torch,
    "torchscript": _torch,
    "torch-aoti": _torch,
    "transformers": _transformers,
}
