"""Other formats to ONNX, in a process of its own."""

from pathlib import Path

from modeldyno.children import ChildLimits, run_child
from modeldyno.errors import UsageError
from modeldyno.records.artifact import Artifact, Model, ModelFormat
from modeldyno.records.base import Record
from modeldyno.records.files import digest_file
from modeldyno.records.signature import Signature

_CONVERTERS: dict[ModelFormat, str] = {
    "sklearn": "modeldyno.models.scikit.conversion",
    "xgboost": "modeldyno.models.boosters.conversion",
    "lightgbm": "modeldyno.models.boosters.conversion",
    "torch-export": "modeldyno.models.torch.conversion",
    "torchscript": "modeldyno.models.torch.conversion",
    "torch-module": "modeldyno.models.torch.conversion",
    "transformers": "modeldyno.models.torch.conversion",
}
"""Format to the module of the child, which takes a `ConversionTask` and gives a `ConversionResult`."""


def is_converted(model_format: ModelFormat) -> bool:
    """Whether there is a converter from a format."""
    return model_format in _CONVERTERS


class ConversionTask(Record, frozen=True, kw_only=True):
    """What the child is asked to do."""

    source: str
    """The model's file, or the main one of several."""
    entry: str = ""
    """What is meant in a Python file."""
    destination: str
    """The .onnx file to write."""
    trust: bool
    signature: Signature
    """What the converted model must have, exactly."""


class ConversionResult(Record, frozen=True, kw_only=True):
    """What the child did."""

    recipe: str


def convert_to_onnx(model: Model, destination: Path, *, trust: bool, timeout_ns: int, memory_bytes: int) -> Artifact:
    """Convert a model to ONNX in single precision, with exactly its signature.

    Args:
        model: what `examine` said of it.
        destination: the .onnx file to write; its folder exists.
        trust: whether the user vouches for the model file.
        timeout_ns: wall-clock time for the child.
        memory_bytes: address space for the child.

    Raises:
        InputError: a step of the model has no converter.
        OutputError: the file cannot be written.
        ToolError: the converter failed, crashed, or ran out of time or memory.
        UsageError: the model is ONNX already, or of a format that is not converted.
    """
    converter = _CONVERTERS.get(model.format)
    if converter is None:
        raise UsageError(
            f"{model.path} is not converted to ONNX",
            why="it is ONNX already" if model.format == "onnx" else f"there is no converter from {model.format}",
            hint="use it as it is",
        )
    task = ConversionTask(
        source=model.path,
        entry=model.entry,
        destination=str(destination),
        trust=trust,
        signature=model.signature,
    )
    result = run_child(
        converter,
        task,
        ConversionResult,
        doing=f"converting {Path(model.path).name} to ONNX",
        limits=ChildLimits(timeout_ns=timeout_ns, memory_bytes=memory_bytes),
    )
    return Artifact(
        name="onnx-fp32",
        path=str(destination),
        format="onnx",
        precision="fp32",
        recipe=result.recipe,
        digest=digest_file(destination),
        size_bytes=destination.stat().st_size,
        parent_digest=model.digest,
        signature=model.signature,
    )
