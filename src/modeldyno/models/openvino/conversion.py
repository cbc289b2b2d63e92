"""ONNX and SavedModel to OpenVINO's own format, in a process of its own."""

from pathlib import Path

import msgspec

from modeldyno.children import ChildLimits, run_child
from modeldyno.errors import UsageError
from modeldyno.records.artifact import Artifact
from modeldyno.records.base import Record
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.files import digest_files


class OpenVinoTask(Record, frozen=True, kw_only=True):
    """What the child is asked to do."""

    source: str
    destination: str
    """The .xml file to write; the .bin comes beside it."""


class OpenVinoResult(Record, frozen=True, kw_only=True):
    """What the child did."""

    openvino: str
    """Its version."""


def convert_to_openvino(parent: Artifact, destination: Path, *, limits: ChildLimits) -> Artifact:
    """Have OpenVINO read a model and write it in its own format, its weights as they are.

    Args:
        parent: an ONNX or SavedModel artifact.
        destination: the .xml file to write; its folder exists.
        limits: for the child.

    Raises:
        InputError: OpenVINO does not know one of its operators; it is named.
        ToolError: it failed, crashed, or ran out of time or memory.
        UsageError: the parent is of another format, or OpenVINO is not installed.
    """
    if parent.format not in ("onnx", "saved-model"):
        raise UsageError(f"{parent.name} is not converted to OpenVINO", why=f"its format is {parent.format}")
    result = run_child(
        "modeldyno.models.openvino.conversion_child",
        OpenVinoTask(source=parent.path, destination=str(destination)),
        OpenVinoResult,
        doing=f"converting {Path(parent.path).name} to OpenVINO",
        limits=limits,
    )
    weights = destination.with_suffix(".bin")
    return msgspec.structs.replace(
        parent,
        name="openvino-fp32",
        path=str(destination),
        files=(weights.name,),
        format="openvino",
        recipe=f"OpenVINO {result.openvino}",
        digest=digest_files(destination.parent, (destination.name, weights.name)),
        size_bytes=destination.stat().st_size + weights.stat().st_size,
        parent_digest=parent.digest,
        runtime=None,
        session=SessionSettings(),
    )
