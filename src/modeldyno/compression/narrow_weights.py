"""Weights of matrices in 8 or 4 bits in an ONNX graph; ONNX Runtime widens them as it multiplies."""

from pathlib import Path
from typing import Literal

from modeldyno.children import ChildLimits, run_child
from modeldyno.compression.onnx_products import made_onnx, refuse_other_formats
from modeldyno.records.artifact import Artifact
from modeldyno.records.base import Record

Bits = Literal[8, 4]


class NarrowingTask(Record, frozen=True, kw_only=True):
    """What the child is asked to do."""

    source: str
    destination: str
    bits: Bits


class NarrowingResult(Record, frozen=True, kw_only=True):
    """What the child did."""

    nodes: int
    share: float
    """Of all weights in single precision, that are narrow now."""


def narrow_weights(parent: Artifact, destination: Path, *, bits: Bits, limits: ChildLimits) -> Artifact:
    """Make every MatMul with constant weights a MatMulNBits, an operator of ONNX Runtime's own.

    Groups of 32 weights along a column have a scale each. Activations and sums stay in single precision.

    Args:
        parent: an ONNX artifact in single precision.
        destination: the .onnx file to write; its folder exists.
        bits: 8 or 4.
        limits: for the child.

    Raises:
        InputError: it has no MatMul with constant weights.
        OutputError: the file cannot be written.
        ToolError: it failed, crashed, or ran out of time or memory.
        UsageError: the parent is not ONNX.
    """
    refuse_other_formats(parent)
    result = run_child(
        "modeldyno.compression.narrow_weights_child",
        NarrowingTask(source=parent.path, destination=str(destination), bits=bits),
        NarrowingResult,
        doing=f"narrowing the weights of {Path(parent.path).name} to {bits} bits",
        limits=limits,
    )
    nodes = f"{result.nodes} {'node' if result.nodes == 1 else 'nodes'}"
    recipe = f"MatMulNBits ({nodes}), {result.share:.0%} of the weights in {bits} bits"
    name = f"onnx-int{bits}-weights"
    return made_onnx(parent, destination, name=name, recipe=recipe, precision="int8" if bits == 8 else "int4")
