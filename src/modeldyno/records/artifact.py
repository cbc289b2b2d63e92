"""Models on disk, and what was made of them."""

from os import PathLike
from pathlib import PurePath
from typing import Literal

from modeldyno.records.base import Estimate, Record
from modeldyno.records.deployment import RuntimeName, SessionSettings
from modeldyno.records.signature import Signature

Task = Literal["classification", "regression", "ranking", "embedding", "sequence", "unknown"]
ModelFormat = Literal[
    "python", "sklearn", "onnx", "xgboost", "lightgbm", "openvino", "saved-model", "keras",
    "torch-export", "torchscript", "torch-module", "torch-aoti", "transformers", "compiled-trees",
]  # fmt: skip
Precision = Literal["fp64", "fp32", "fp16", "int8", "mixed", "bf16", "int4"]
_CODE: frozenset[ModelFormat] = frozenset(
    {"python", "torch-export", "torchscript", "torch-module", "torch-aoti", "compiled-trees"}
)


def is_code(model_format: ModelFormat, path: str | PathLike[str]) -> bool:
    """Whether loading a model runs what its author put in it, so that it is loaded only with `--trust`.

    A .skops file of unknown types and a Keras file with layers of Python code need it too: their names do not tell.

    Args:
        model_format: of the model.
        path: of its main file.
    """
    return model_format in _CODE or (model_format == "sklearn" and is_pickle(path))


def is_pickle(path: str | PathLike[str]) -> bool:
    """Whether a scikit-learn model is a pickle: whatever does not end in .skops is taken for one."""
    return PurePath(path).suffix.lower() != ".skops"


class Model(Record, frozen=True, kw_only=True):
    """A trained model as it came, inspected without running it."""

    name: str
    """The file's stem; the name under which it is served."""
    path: str
    """Of the file, or of the main one of several; a directory is inspected by its main file."""
    format: ModelFormat
    description: str
    """What it is in its own library's words: `MLPClassifier`, `ONNX opset 17, 12 nodes`."""
    task: Task
    classes: tuple[int | str, ...]
    """The labels in the order of the probability columns; empty when unknown or not a classifier."""
    signature: Signature
    precision: Precision
    size_bytes: int
    digest: str
    """`sha256:` and the hex digest of the file; of several, of the list of their digests."""
    files: tuple[str, ...] = ()
    """Those that belong to the main one, relative to its folder: weights, tokenizers."""
    entry: str = ""
    """What is meant in a Python file: the name of a function or class."""
    parameters: int | None
    """Number of trained parameters, when it can be told."""
    made_with: str
    """Library and version that wrote it, as far as the file says: `scikit-learn 1.9.1`."""


class Parity(Record, frozen=True, kw_only=True):
    """How the answers of an artifact compare with the original's on the same rows."""

    rows: int
    batch_sizes: tuple[int, ...]
    flips: int
    """Rows whose predicted label differs; for a regression, rows beyond the tolerance."""
    flip_rate: Estimate
    largest_difference: float
    """Largest absolute difference over all numeric outputs that are not labels."""
    relative_tolerance: float
    """The tolerance that regression answers were held to."""
    batch_consistent: bool
    """Whether batch 1 and batch 3 gave the same answers row by row (catches a frozen batch dimension)."""
    data: Literal["real", "synthetic"]


class Artifact(Record, frozen=True, kw_only=True):
    """One concrete file made from a model by a recipe; `original` is the model's own file."""

    name: str
    """Short and unique within a search: `original`, `onnx-fp32`, `onnx-int8-dynamic`."""
    path: str
    """Of the file, or of the main one of several."""
    format: ModelFormat
    precision: Precision
    recipe: str
    """What was done in words: `as it came`, `skl2onnx 1.20.0, opset 21`, `dynamic int8 (MatMul, Gemm)`."""
    digest: str
    size_bytes: int
    parent_digest: str | None
    signature: Signature
    parity: Parity | None = None
    """None for the original."""
    files: tuple[str, ...] = ()
    """Those that belong to the main one, relative to its folder."""
    entry: str = ""
    """What is meant in a Python file: the name of a function or class."""
    runtime: RuntimeName | None = None
    """What it is meant to be opened in; None: the first runtime of its format."""
    session: SessionSettings = SessionSettings()
    """What it is meant to be opened with, but for the threads: another precision gives other answers."""
    calibration_digest: str = ""
    """`sha256:` digest of the rows that its scales were taken from; empty when it needed none."""
    cpu_flags: tuple[str, ...] = ()
    """Of the processor it was made for, where that decided what is in the file; empty: it is the same for all."""
    computed_in: Precision | None = None
    """What its products were really computed in where it was made, by the runtime's own word; None: it was not told."""
