"""From a path to the record of the model in it."""

from pathlib import Path

from modeldyno.errors import InputError
from modeldyno.models.onnx_graph import describe_onnx
from modeldyno.models.scikit import describe_scikit, read_estimator
from modeldyno.records.artifact import Model, ModelFormat, Task

_FORMATS: dict[str, ModelFormat] = {
    ".onnx": "onnx",
    ".skops": "sklearn",
    ".joblib": "sklearn",
    ".pkl": "sklearn",
    ".pickle": "sklearn",
}


def examine(path: Path, *, trust: bool, task: Task | None = None) -> Model:
    """What the model in a file is: format, signature, task, size, digest.

    ONNX files are read and checked but not run; scikit-learn models are loaded and answer one row.

    Args:
        path: a .onnx, .skops, .joblib, .pkl or .pickle file.
        trust: whether the user vouches for the file, so that loading may run code from it.
        task: overrides what the model seems to be for.

    Raises:
        InputError: missing, unreadable, corrupt, of an unknown format, or not a model that can be served.
        TrustError: loading it would run code and `trust` is false.
    """
    if model_format(path) == "onnx":
        return describe_onnx(path, task)
    return describe_scikit(path, read_estimator(path, trust=trust), task)


def model_format(path: Path) -> ModelFormat:
    """The format of a model file, by its extension.

    Content alone does not decide: an archive or a pickle may be anything, and guessing wrong would mean running it.

    Raises:
        InputError: missing, unreadable, empty, or with an unknown extension.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(8)
    except OSError as problem:
        raise InputError(
            f"cannot read the model {path}",
            why=problem.strerror or str(problem),
            hint="check the path" if isinstance(problem, FileNotFoundError) else "",
        ) from problem
    if not start:
        raise InputError(f"{path} is empty", hint="it may be the rest of an interrupted copy: get it again")
    found = _FORMATS.get(path.suffix.lower())
    if found is None:
        raise InputError(
            f"{path} has an unknown format",
            why=f"model files end in {', '.join(_FORMATS)}{_guess(start)}",
            hint="rename the file if its extension is wrong, or convert the model to ONNX",
        )
    return found


def _guess(start: bytes) -> str:
    if start.startswith(b"\x80"):
        return "; this one begins like a pickle"
    if start.startswith(b"PK\x03\x04"):
        return "; this one begins like a .skops or another zip archive"
    if start.startswith(b"\x89HDF"):
        return "; this one begins like HDF5, as Keras writes it"
    return ""
