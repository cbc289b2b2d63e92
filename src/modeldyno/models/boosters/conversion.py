"""The child process of `conversion` for boosted trees: onnxmltools, then the outputs made those of the signature."""

import warnings
from pathlib import Path
from typing import Any

import onnx
from onnxmltools import __version__ as converter_version
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

from modeldyno.children import answer
from modeldyno.errors import InputError
from modeldyno.models.boosters.booster import INPUT
from modeldyno.models.boosters.lightgbm_file import lightgbm_booster, load_lightgbm
from modeldyno.models.boosters.xgboost_file import load_xgboost, xgboost_booster
from modeldyno.models.conversion import ConversionResult, ConversionTask
from modeldyno.models.onnx.outputs import fit_outputs
from modeldyno.models.recognition import recognise
from modeldyno.records.files import write_atomically

_FAITHFUL_XGBOOST = ("multi:softprob", "multi:softmax", "binary:logistic", "count:poisson", "reg:")
_FAITHFUL_LIGHTGBM = (
    "binary", "regression", "regression_l1", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie",
    "multiclass",
)  # fmt: skip
"""Objectives whose outputs are the same in ONNX: for others onnxmltools leaves the last function out, or adds one."""


def convert(task: ConversionTask) -> ConversionResult:
    """Load, convert, fit the outputs, check and write.

    Raises:
        InputError: the objective has no faithful form in ONNX, or the trees are of a kind without a converter.
        ToolError: the result has fewer outputs than the signature.
    """
    source = Path(task.source)
    types = [(INPUT, FloatTensorType([None, int(task.signature.inputs[0].shape[1])]))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converted = (_xgboost if recognise(source).format == "xgboost" else _lightgbm)(source, types)
    fit_outputs(converted, task.signature)
    onnx.checker.check_model(converted, full_check=True)
    write_atomically(Path(task.destination), converted.SerializeToString())
    return ConversionResult(recipe=f"onnxmltools {converter_version}")


def _xgboost(source: Path, types: list[Any]) -> Any:
    booster = load_xgboost(source)
    objective = xgboost_booster(booster, source).objective
    if not objective.startswith(_FAITHFUL_XGBOOST):
        raise _unfaithful(source, objective)
    booster.feature_names = None  # the converter takes only names of its own
    return convert_xgboost(booster, initial_types=types)


def _lightgbm(source: Path, types: list[Any]) -> Any:
    booster = load_lightgbm(source)
    objective = lightgbm_booster(booster, source).objective
    if objective not in _FAITHFUL_LIGHTGBM:
        raise _unfaithful(source, objective)
    if any(_takes_zero_for_missing(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"]):
        raise InputError(
            f"{source.name} cannot be converted to ONNX",
            why="it takes zeros for missing values (zero_as_missing), and trees in ONNX take only NaN for missing",
            hint="it can still be measured and served as it came",
        )
    return convert_lightgbm(booster, initial_types=types, zipmap=False)


def _takes_zero_for_missing(node: dict[str, Any]) -> bool:
    if node.get("missing_type") == "Zero":
        return True
    return any(_takes_zero_for_missing(node[side]) for side in ("left_child", "right_child") if side in node)


def _unfaithful(source: Path, objective: str) -> InputError:
    return InputError(
        f"{source.name} cannot be converted to ONNX",
        why=f"the converter does not keep what the objective {objective} makes of the sum of the trees",
        hint="it can still be measured and served as it came",
    )


if __name__ == "__main__":
    answer(convert, ConversionTask)
