"""`inspect`: what a model file is."""

from os import PathLike
from pathlib import Path

from modeldyno.models.examine import examine
from modeldyno.records.artifact import Model, Task


def inspect(model: str | PathLike[str], *, trust: bool = False, task: Task | None = None) -> Model:
    """Describe a model file without running it.

    Args:
        model: path of a `.skops`, `.onnx`, `.joblib` or `.pkl` file.
        trust: allow files that can run code when they are loaded.
        task: what the model does, when its file does not say.

    Raises:
        InputError: missing, corrupt or of an unknown format.
        TrustError: loading would run code, and `trust` is False.
    """
    return examine(Path(model), trust=trust, task=task)
