"""Weights of matrices in 8 or 4 bits, everything computed as before: for models that memory limits, not arithmetic."""

from pathlib import Path
from typing import Literal

import msgspec

from modeldyno.children import ChildLimits, run_child
from modeldyno.compression.openvino_int8 import written
from modeldyno.errors import UsageError
from modeldyno.records.artifact import Artifact
from modeldyno.records.base import Record

Bits = Literal[8, 4]


class WeightTask(Record, frozen=True, kw_only=True):
    """What the child is asked to do."""

    source: str
    destination: str
    bits: Bits


class WeightResult(Record, frozen=True, kw_only=True):
    """What the child did."""

    nncf: str
    share: float
    """Of the weights, that are in 8 bits or fewer now."""


def compress_weights(parent: Artifact, destination: Path, *, bits: Bits, limits: ChildLimits) -> Artifact:
    """Store the weights of matrices in few bits; OpenVINO widens them as it reads them.

    In 4 bits, groups of 64 weights have a scale each, and the first and last layers stay in 8.

    Args:
        parent: an OpenVINO artifact in single precision.
        destination: the .xml file to write; its folder exists.
        bits: 8 or 4.
        limits: for the child.

    Raises:
        InputError: most weights are not in matrices.
        ToolError: the child failed, crashed, or ran out of time or memory.
        UsageError: the parent is not OpenVINO, or NNCF is not installed.
    """
    if parent.format != "openvino":
        raise UsageError(f"{parent.name} is not OpenVINO", why="NNCF compresses OpenVINO models here")
    task = WeightTask(source=parent.path, destination=str(destination), bits=bits)
    doing = f"compressing the weights of {Path(parent.path).name} to {bits} bits"
    result = run_child("modeldyno.compression.weight_only_child", task, WeightResult, doing=doing, limits=limits)
    recipe = f"NNCF {result.nncf}, {result.share:.0%} of the weights in {bits} bits"
    made = written(parent, destination, recipe=recipe, name=f"openvino-int{bits}-weights")
    return made if bits == 8 else msgspec.structs.replace(made, precision="int4")
