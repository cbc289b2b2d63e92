"""MLflow model directories: which file in them is the model (mlflow.org, "MLflow Models"). MLflow is not needed."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from modeldyno.errors import InputError, UsageError, first_line

MAIN_FILE = "MLmodel"
_FILE_OF = {
    "onnx": "data",
    "xgboost": "data",
    "lightgbm": "data",
    "sklearn": "pickled_model",
    "keras": "data",
    "tensorflow": "data",
    "pytorch": "model_data",
    "transformers": "model_binary",
}
"""Flavour to the field that names its file or directory; where a model has several flavours, the first is taken."""
_FOLDERS = {"keras": ("data/model.keras", "data/model.h5"), "tensorflow": ("data/model.keras", "data/model.h5")}
"""What is looked for in the directory that a flavour names, in turn."""


def model_in(manifest: Path) -> Path:
    """The file or directory that holds the model itself.

    Raises:
        InputError: the manifest cannot be read, or has no flavour that can be opened without MLflow.
        UsageError: PyYAML is not installed.
    """
    flavours = _flavours(manifest)
    for flavour, field in _FILE_OF.items():
        if flavour in flavours:
            return _place(manifest, flavour, str(flavours[flavour].get(field) or field.removeprefix("model_")))
    raise InputError(
        f"{manifest} has no flavour that is known",
        why=f"it has {', '.join(sorted(flavours)) or 'none'}, and known are {', '.join(_FILE_OF)}",
        hint="log the model with the flavour of its own library, such as mlflow.sklearn.log_model",
    )


def _flavours(manifest: Path) -> dict[str, Any]:
    if find_spec("yaml") is None:
        raise UsageError(
            "PyYAML, which reads MLflow's manifests, is not installed", hint="pip install 'modeldyno[mlflow]'"
        )
    import yaml

    try:
        document = yaml.safe_load(manifest.read_bytes())
    except (OSError, yaml.YAMLError) as problem:
        raise InputError(f"cannot read {manifest}", why=first_line(problem)) from problem
    flavours = document.get("flavors") if isinstance(document, dict) else None
    if not isinstance(flavours, dict) or not all(isinstance(one, dict) for one in flavours.values()):
        raise InputError(f"{manifest} is not a manifest of MLflow", why="it has no `flavors`")
    return flavours


def _place(manifest: Path, flavour: str, name: str) -> Path:
    folder = manifest.parent
    candidates = [folder / inner for inner in _FOLDERS.get(flavour, ()) if name == "data"] + [folder / name]
    for place in candidates:
        inside = place.is_relative_to(folder) and ".." not in place.relative_to(folder).parts
        if inside and place != folder and place.exists():
            return place
    raise InputError(
        f"{candidates[-1]} is missing",
        why=f"{manifest} names it for the flavour {flavour}",
        hint="copy the whole directory",
    )
