"""XGBoost's own files, .ubj and .json, which hold no code (xgboost.readthedocs.io, "Introduction to Model IO")."""

import json
from pathlib import Path
from typing import Any

from modeldyno.errors import InputError
from modeldyno.models.boosters.booster import Booster, require_booster_library, unreadable
from modeldyno.records.artifact import Task

NAME = "XGBoost"


def load_xgboost(path: Path) -> Any:
    """The `xgboost.Booster` in a file.

    Raises:
        InputError: it cannot be read.
        UsageError: XGBoost is not installed.
    """
    require_booster_library("xgboost", NAME)
    import xgboost

    if not path.is_file():
        raise InputError(f"cannot read the model {path}", why="No such file or directory", hint="check the path")
    try:
        with xgboost.config_context(verbosity=0):
            return xgboost.Booster(model_file=str(path))
    except (xgboost.core.XGBoostError, ValueError, UnicodeDecodeError) as problem:
        raise unreadable(path, NAME, problem) from problem


def read_xgboost(path: Path) -> Booster:
    """What a file says of its model; see `load_xgboost`."""
    return xgboost_booster(load_xgboost(path), path)


def xgboost_booster(booster: Any, path: Path) -> Booster:
    """What a loaded model says of itself.

    Raises:
        InputError: it takes categories, which are not numbers in a tensor.
    """
    if any(kind == "c" for kind in booster.feature_types or ()):
        raise InputError(
            f"{path} takes categorical features",
            why="XGBoost numbers categories by itself, and a tensor holds only numbers",
            hint="train it on columns that are encoded before",
        )
    config = json.loads(booster.save_config())
    learner = config["learner"]
    parameters, objective = learner["learner_model_param"], learner["objective"]["name"]
    return Booster(
        library=f"{NAME} {'.'.join(map(str, config['version']))}",
        objective=objective,
        task=_task(objective),
        features=booster.num_features(),
        classes=_classes(objective, int(parameters["num_class"])),
        targets=max(1, int(parameters["num_target"])),
        trees=_trees(booster, learner["gradient_booster"]),
    )


def _task(objective: str) -> Task:
    if objective in ("binary:logistic", "multi:softprob", "multi:softmax"):
        return "classification"
    return "unknown" if objective.startswith(("rank:", "binary:")) else "regression"


def _classes(objective: str, stated: int) -> int:
    """A raw or ranking score has no classes, though its labels may have had two."""
    if objective == "binary:logistic":
        return 2
    return stated if objective.startswith("multi:") else 0


def _trees(booster: Any, gradient_booster: Any) -> int:
    parameters = gradient_booster.get("gbtree_model_param") or gradient_booster.get("gbtree", {}).get(
        "gbtree_model_param", {}
    )
    return int(parameters.get("num_trees", booster.num_boosted_rounds()))
