"""Keras models, `.keras` and legacy `.h5`: loaded and exported to OpenVINO in a process of their own."""

import tempfile
from pathlib import Path
from typing import Any

from modeldyno.children import ChildLimits, run_child
from modeldyno.models.onnx.graph import onnx_task
from modeldyno.openvino_library import read_network
from modeldyno.records.artifact import Artifact, Model, Precision, Task
from modeldyno.records.base import Record
from modeldyno.records.files import digest_file, digest_files
from modeldyno.records.signature import Signature

ENDINGS = frozenset({".keras", ".h5"})
LIMITS = ChildLimits(timeout_ns=300_000_000_000, memory_bytes=16 * 2**30)
"""Keras and OpenVINO reserve several gigabytes of addresses before they hold a model."""


class KerasTask(Record, frozen=True, kw_only=True):
    """What the child is asked to do."""

    source: str
    destination: str
    """The .xml file to export to; empty to describe the model only."""
    trust: bool


class KerasFacts(Record, frozen=True, kw_only=True):
    """What the child found."""

    description: str
    """`Functional, 155 layers`."""
    signature: Signature
    precision: Precision
    parameters: int
    keras: str
    """Its version."""


def describe_keras(path: Path, task: Task | None, *, trust: bool) -> Model:
    """The record of a Keras model.

    Args:
        path: a .keras or .h5 file.
        task: overrides what the outputs suggest.
        trust: whether the user vouches for the file, so that its Lambda layers may be loaded.

    Raises:
        InputError: not a Keras model, weights only, or made of layers that Keras does not know.
        TrustError: it holds Python code, and `trust` is false.
        UsageError: Keras is not installed.
        ToolError: loading took too long, too much memory, or the process down.
    """
    facts = _run(path, "", trust=trust, doing=f"reading {path.name}")
    return Model(
        name=path.stem,
        path=str(path),
        format="keras",
        description=facts.description,
        task=task or onnx_task(facts.signature),
        classes=(),
        signature=facts.signature,
        precision=facts.precision,
        size_bytes=path.stat().st_size,
        digest=digest_file(path),
        parameters=facts.parameters,
        made_with="Keras",
    )


def export_keras(model: Model, destination: Path, *, name: str, trust: bool, limits: ChildLimits = LIMITS) -> Artifact:
    """Export a Keras model to OpenVINO, in single precision, with its own batch dimension.

    The answers are compared with Keras's own for one row and for three before anything is written.

    Args:
        model: what `describe_keras` said of it.
        destination: the .xml file to write; the .bin comes beside it.
        name: of the artifact.
        trust: whether the user vouches for the file.
        limits: for the child.

    Raises:
        DynoError: see `describe_keras`; a ToolError too when the exported model answers otherwise than Keras.
    """
    facts = _run(
        Path(model.path),
        str(destination),
        trust=trust,
        doing=f"exporting {Path(model.path).name} to OpenVINO",
        limits=limits,
    )
    weights = destination.with_suffix(".bin")
    return Artifact(
        name=name,
        path=str(destination),
        files=(weights.name,),
        format="openvino",
        precision=model.precision,
        recipe=f"exported by Keras {facts.keras}",
        digest=digest_files(destination.parent, (destination.name, weights.name)),
        size_bytes=destination.stat().st_size + weights.stat().st_size,
        parent_digest=model.digest,
        signature=facts.signature,
    )


def read_keras(path: Path, *, trust: bool) -> Any:
    """The `openvino.Model` of a Keras file, by way of an export that is not kept.

    Raises:
        DynoError: see `export_keras`.
    """
    with tempfile.TemporaryDirectory(prefix="dyno-") as folder:
        exported = Path(folder, "model.xml")
        _run(path, str(exported), trust=trust, doing=f"exporting {path.name} to OpenVINO")
        return read_network(exported)


def _run(path: Path, destination: str, *, trust: bool, doing: str, limits: ChildLimits = LIMITS) -> KerasFacts:
    task = KerasTask(source=str(path), destination=destination, trust=trust)
    return run_child("modeldyno.models.keras.child", task, KerasFacts, doing=doing, limits=limits)
