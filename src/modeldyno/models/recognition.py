"""Which format a path is in, told by its ending, or by the files in a directory."""

from pathlib import Path
from typing import NamedTuple

from modeldyno.errors import InputError
from modeldyno.models.mlflow_folder import MAIN_FILE as MLFLOW
from modeldyno.models.mlflow_folder import model_in
from modeldyno.models.torch.package import is_package
from modeldyno.records.artifact import ModelFormat

_ENDINGS: dict[str, ModelFormat] = {
    ".onnx": "onnx",
    ".skops": "sklearn",
    ".joblib": "sklearn",
    ".pkl": "sklearn",
    ".pickle": "sklearn",
    ".ubj": "xgboost",
    ".json": "xgboost",
    ".txt": "lightgbm",
    ".lgb": "lightgbm",
    ".xml": "openvino",
    ".keras": "keras",
    ".h5": "keras",
    ".pt2": "torch-export",
    ".pt": "torchscript",
    ".pth": "torchscript",
}
_BEGINNINGS: dict[str, bytes] = {".json": b'{"learner"', ".txt": b"tree\n", ".lgb": b"tree\n"}
"""Of files whose ending says little: how such a model begins."""
_MAIN_FILES: dict[str, ModelFormat] = {"saved_model.pb": "saved-model", "config.json": "transformers"}
"""What a directory must hold to be a model, and of which format; the first that is there decides."""


class Recognised(NamedTuple):
    """A model that is not read yet."""

    format: ModelFormat
    main: Path
    """Its file, or the main one of several."""
    entry: str = ""
    """What is meant in a Python file."""


def recognise(path: Path) -> Recognised:
    """The format of a model.

    Content alone does not decide: an archive or a pickle may be anything, and guessing wrong would mean running it.

    Raises:
        InputError: missing, unreadable, empty, or with an unknown ending.
    """
    if path.is_dir():
        return _recognise_directory(path)
    file, colon, entry = path.name.rpartition(":")
    if colon and file.endswith(".py"):
        return Recognised("python", path.with_name(file), entry)
    start = _start_of(path)
    if not start:
        raise InputError(f"{path} is empty", hint="it may be the rest of an interrupted copy: get it again")
    if path.suffix == ".py":
        raise InputError(
            f"{path} is a Python file", why="which callable in it is meant is not said", hint=f"name it: {path}:predict"
        )
    found = _ENDINGS.get(path.suffix.lower())
    if found is None or not start.startswith(_BEGINNINGS.get(path.suffix.lower(), b"")):
        if path.name in _MAIN_FILES:
            return Recognised(_MAIN_FILES[path.name], path)
        raise InputError(
            f"{path} has an unknown format",
            why=f"model files end in {', '.join(_ENDINGS)}{_guess(start)}",
            hint="rename the file if its extension is wrong, or convert the model to ONNX",
        )
    # Two kinds share this ending, and only names inside of the archive tell them apart.
    return Recognised("torch-aoti" if found == "torch-export" and is_package(path) else found, path)


def _recognise_directory(path: Path) -> Recognised:
    if (path / MLFLOW).is_file():
        return recognise(model_in(path / MLFLOW))
    for name, found in _MAIN_FILES.items():
        if (path / name).is_file():
            return Recognised(found, path / name)
    raise InputError(
        f"{path} is a directory, and not a model",
        why=f"it holds none of {', '.join((MLFLOW, *_MAIN_FILES))}",
        hint="name the file of the model in it",
    )


def _start_of(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(16)
    except OSError as problem:
        raise InputError(
            f"cannot read the model {path}",
            why=problem.strerror or str(problem),
            hint="check the path" if isinstance(problem, FileNotFoundError) else "",
        ) from problem


def _guess(start: bytes) -> str:
    if start.lstrip().startswith(b"{"):
        return "; this one is JSON, but not XGBoost's, which begins with its learner"
    if start.startswith(b"\x80"):
        return "; this one begins like a pickle"
    if start.startswith(b"PK\x03\x04"):
        return "; this one begins like a .skops or another zip archive"
    if start[8:].startswith(b'{"'):  # a length in 8 bytes, and a JSON document of the tensors
        return "; this one begins like safetensors: weights, without the network that they belong to"
    if start.startswith(b"\x89HDF"):
        return "; this one begins like HDF5, as Keras writes it"
    return ""
