"""Trees in ONNX to machine code for this kind of processor, in a process of its own."""

import platform
from pathlib import Path

from modeldyno.children import ChildLimits, run_child
from modeldyno.records.artifact import Artifact
from modeldyno.records.base import Record
from modeldyno.records.files import digest_file


class CompilingTask(Record, frozen=True, kw_only=True):
    """What the child is asked to do."""

    source: str
    """The .onnx file."""
    destination: str
    """The .so file to write."""


class CompilingResult(Record, frozen=True, kw_only=True):
    """What the child did."""

    compiler: str
    """And its version."""


def compile_trees(parent: Artifact, destination: Path, *, limits: ChildLimits) -> Artifact:
    """Compile an ensemble of trees to a shared library.

    It is written for the architecture, not for what this one processor has beyond it: the same file gives the same
    answers on every machine that loads it.

    Args:
        parent: trees in ONNX.
        destination: the .so file to write; its folder exists.
        limits: of the process, the compiler in it.

    Raises:
        InputError: the graph does something else than trees do.
        ToolError: the compiler failed, or ran out of time or memory.
        UsageError: there is no C compiler.
    """
    result = run_child(
        "modeldyno.models.trees.compiling_child",
        CompilingTask(source=parent.path, destination=str(destination)),
        CompilingResult,
        doing=f"compiling the trees in {Path(parent.path).name}",
        limits=limits,
    )
    return Artifact(
        name=destination.stem,
        path=str(destination),
        format="compiled-trees",
        precision=parent.precision,
        recipe=f"{parent.recipe}; compiled for {platform.machine()} by {result.compiler}",
        digest=digest_file(destination),
        size_bytes=destination.stat().st_size,
        parent_digest=parent.digest,
        signature=parent.signature,
    )
