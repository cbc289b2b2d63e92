"""LightGBM's own files: text that begins with `tree` (`Booster.save_model`). They hold no code."""

from pathlib import Path
from typing import Any

from modeldyno.errors import InputError
from modeldyno.models.boosters.booster import Booster, require_booster_library, unreadable
from modeldyno.records.artifact import Task

NAME = "LightGBM"
_CLASSIFIERS = ("binary", "multiclass", "multiclassova")
_RANKERS = ("lambdarank", "rank_xendcg")


def load_lightgbm(path: Path) -> Any:
    """The `lightgbm.Booster` in a file.

    Raises:
        InputError: it cannot be read.
        UsageError: LightGBM is not installed.
    """
    require_booster_library("lightgbm", NAME)
    import lightgbm

    if not path.is_file():
        raise InputError(f"cannot read the model {path}", why="No such file or directory", hint="check the path")
    try:
        return lightgbm.Booster(model_file=str(path))
    except (lightgbm.basic.LightGBMError, ValueError, UnicodeDecodeError) as problem:
        raise unreadable(path, NAME, problem) from problem


def read_lightgbm(path: Path) -> Booster:
    """What a file says of its model; see `load_lightgbm`."""
    return lightgbm_booster(load_lightgbm(path), path)


def lightgbm_booster(booster: Any, path: Path) -> Booster:
    """What a loaded model says of itself.

    Raises:
        InputError: it takes categories of a pandas table, which are not numbers in a tensor.
    """
    if booster.pandas_categorical:
        raise InputError(
            f"{path} takes categorical features",
            why="LightGBM numbers the categories of a pandas table by itself, and a tensor holds only numbers",
            hint="train it on columns that are encoded before",
        )
    described = booster.dump_model(num_iteration=1)
    objective = str(described.get("objective", "none")).split(" ")[0]
    per_row = booster.num_model_per_iteration()
    is_classifier = objective in _CLASSIFIERS
    return Booster(
        library=NAME,
        objective=objective,
        task=_task(objective),
        features=booster.num_feature(),
        classes=max(2, per_row) if is_classifier else 0,
        targets=1 if is_classifier else per_row,
        trees=booster.num_trees(),
    )


def _task(objective: str) -> Task:
    if objective in _CLASSIFIERS:
        return "classification"
    return "unknown" if objective in (*_RANKERS, "none", "custom") else "regression"
