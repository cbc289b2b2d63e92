"""Magnitude pruning: the smallest weights of each product become zero."""

from pathlib import Path

from modeldyno.children import ChildLimits, run_child
from modeldyno.compression.onnx_products import made_onnx, refuse_other_formats
from modeldyno.records.artifact import Artifact
from modeldyno.records.base import Record


class PruningTask(Record, frozen=True, kw_only=True):
    """What the child is asked to do."""

    source: str
    destination: str
    share: float
    """Of the weights of each product, that become zero."""


class PruningResult(Record, frozen=True, kw_only=True):
    """What the child did."""

    weights: int
    """In all products."""
    zeros: int
    packed: float
    """Size of these weights packed by zlib, over that of the weights as they were, packed as well."""


def prune(parent: Artifact, destination: Path, *, share: float, limits: ChildLimits) -> Artifact:
    """Set the smallest weights of each Conv, MatMul and Gemm to zero; nothing is trained afterwards.

    The weights stay where they are: dense kernels multiply zeros like other numbers, so that the file gets neither
    smaller nor faster (Hoefler et al., "Sparsity in Deep Learning", 2021, section 6). What it gains is told by
    measuring, and how much better the weights pack.

    Args:
        parent: an ONNX artifact in single precision.
        destination: the .onnx file to write; its folder exists.
        share: between 0 and 1.
        limits: for the child.

    Raises:
        InputError: there are no weights to prune.
        OutputError: the file cannot be written.
        ToolError: it failed, crashed, or ran out of time or memory.
        UsageError: the parent is not ONNX.
    """
    refuse_other_formats(parent)
    result = run_child(
        "modeldyno.compression.pruning_child",
        PruningTask(source=parent.path, destination=str(destination), share=share),
        PruningResult,
        doing=f"pruning {Path(parent.path).name}",
        limits=limits,
    )
    recipe = (
        f"{result.zeros / result.weights:.0%} of {result.weights:,} weights set to zero, not trained again; "
        f"packed they take {result.packed:.0%} of what they took"
    )
    name = f"onnx-pruned-{share * 100:.0f}"
    return made_onnx(parent, destination, name=name, recipe=recipe, precision=parent.precision)
