"""From a path to the record of the model in it."""

from pathlib import Path

from modeldyno.models.recognition import recognise
from modeldyno.records.artifact import Model, Task


def examine(path: Path, *, trust: bool, task: Task | None = None) -> Model:
    """What the model at a path is: format, signature, task, size, digest.

    ONNX files are read and checked but not run; scikit-learn models are loaded and answer one row.

    Args:
        path: a .onnx, .skops, .joblib, .pkl or .pickle file.
        trust: whether the user vouches for the file, so that loading may run code from it.
        task: overrides what the model seems to be for.

    Raises:
        InputError: missing, unreadable, corrupt, of an unknown format, or not a model that can be served.
        TrustError: loading it would run code and `trust` is false.
    """
    found = recognise(path)
    match found.format:
        case "onnx":
            from modeldyno.models.onnx_graph import describe_onnx

            return describe_onnx(found.main, task)
        case "sklearn":
            from modeldyno.models.scikit import describe_scikit, read_estimator

            return describe_scikit(found.main, read_estimator(found.main, trust=trust), task)
