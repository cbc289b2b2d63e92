"""Static int8: weights and activations as 8-bit integers, whose scales were taken from calibration rows beforehand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from modeldyno.children import ChildLimits, run_child
from modeldyno.compression.calibration import Calibration
from modeldyno.compression.dynamic_int8 import needs_reduced_range
from modeldyno.compression.onnx_products import made_onnx, refuse_other_formats
from modeldyno.records.artifact import Artifact
from modeldyno.records.base import Record

Method = Literal["min-max", "entropy", "percentile"]
"""How ranges of activations are chosen: all that was seen, what keeps most information, or all but the outermost."""


class StaticTask(Record, frozen=True, kw_only=True):
    """What the child is asked to do."""

    source: str
    destination: str
    calibration: Calibration
    method: Method
    reduce_range: bool
    """7-bit weights, for processors whose int8 products saturate."""
    is_x86: bool
    """Then activations are unsigned."""


class StaticResult(Record, frozen=True, kw_only=True):
    """What the child did."""

    quantised: int
    """How many nodes with weights compute in int8 now."""


def compress_static_int8(
    parent: Artifact,
    destination: Path,
    calibration: Calibration,
    *,
    method: Method,
    cpu_flags: Sequence[str],
    limits: ChildLimits,
) -> Artifact:
    """Quantise an ONNX artifact, one scale for each channel of its weights, in the form that other tools read (QDQ).

    Activations are unsigned on x86: there ONNX Runtime's kernels multiply unsigned with signed bytes. A network like
    ResNet-18 takes 15 ms so, 42 ms with signed activations and 41 ms in single precision (one core, AVX512-VNNI).

    Args:
        parent: an ONNX artifact in single precision.
        destination: the .onnx file to write; its folder exists.
        calibration: rows to take the ranges of activations from.
        method: how these are chosen.
        cpu_flags: of the machine that will serve, see `needs_reduced_range`.
        limits: for the child.

    Raises:
        InputError: there is nothing to quantise.
        OutputError: the file cannot be written.
        ToolError: the quantiser failed, crashed, or ran out of time or memory.
        UsageError: the parent is not ONNX.
    """
    refuse_other_formats(parent)
    reduce_range = needs_reduced_range(cpu_flags)
    task = StaticTask(
        source=parent.path,
        destination=str(destination),
        calibration=calibration,
        method=method,
        reduce_range=reduce_range,
        is_x86=is_x86(cpu_flags),
    )
    result = run_child(
        "modeldyno.compression.static_int8_child",
        task,
        StaticResult,
        doing=f"quantising {Path(parent.path).name} to int8",
        limits=limits,
    )
    nodes = f"{result.quantised} {'node' if result.quantised == 1 else 'nodes'}"
    narrow = ", 7-bit weights" if reduce_range else ""
    recipe = f"static int8 per channel ({nodes}{narrow}), {method}, {calibration.label}"
    made = made_onnx(parent, destination, name="onnx-int8-static", recipe=recipe, precision="int8")
    return msgspec.structs.replace(made, calibration_digest=calibration.digest, cpu_flags=tuple(cpu_flags))


def is_x86(cpu_flags: Sequence[str]) -> bool:
    """Whether it is an x86 processor, by the flags that an environment keeps."""
    return "sse4_2" in cpu_flags
