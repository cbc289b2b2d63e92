"""scikit-learn to ONNX, in a process of its own."""

from pathlib import Path

from modeldyno.children import ChildLimits, run_child
from modeldyno.errors import UsageError
from modeldyno.records.artifact import Artifact, Model
from modeldyno.records.base import Record
from modeldyno.records.files import digest_file
from modeldyno.records.signature import Signature


class ConversionTask(Record, frozen=True, kw_only=True):
    """What the child is asked to do."""

    source: str
    destination: str
    trust: bool
    signature: Signature
    """What the converted model must have, exactly."""


class ConversionResult(Record, frozen=True, kw_only=True):
    """What the child did."""

    recipe: str


def convert_to_onnx(model: Model, destination: Path, *, trust: bool, timeout_ns: int, memory_bytes: int) -> Artifact:
    """Convert a scikit-learn model to ONNX in single precision, with exactly the signature of the model.

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
        UsageError: the model is ONNX already.
    """
    if model.format != "sklearn":
        raise UsageError(f"{model.path} is {model.format} already", hint="use it as it is")
    task = ConversionTask(source=model.path, destination=str(destination), trust=trust, signature=model.signature)
    result = run_child(
        "modeldyno.models.conversion_child",
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
