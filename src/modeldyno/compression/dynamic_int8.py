"""Dynamic int8: weights stored as 8-bit integers, activations quantised on every call from the values they have."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from modeldyno.children import ChildLimits, run_child
from modeldyno.compression.onnx_products import made_onnx, refuse_other_formats
from modeldyno.records.artifact import Artifact
from modeldyno.records.base import Record


class QuantisationTask(Record, frozen=True, kw_only=True):
    """What the child is asked to do."""

    source: str
    destination: str
    reduce_range: bool
    """7-bit weights."""


class QuantisationResult(Record, frozen=True, kw_only=True):
    """What the child did."""

    quantised: int
    """How many nodes now compute in int8."""


def compress_dynamic_int8(
    parent: Artifact, destination: Path, *, cpu_flags: Sequence[str], timeout_ns: int, memory_bytes: int
) -> Artifact:
    """Quantise the Conv, MatMul and Gemm nodes of an ONNX artifact, one scale a tensor.

    This is what people try first. Of convolutions it mostly makes slow ones (microsoft/onnxruntime#12854), and of
    depthwise ones wrong answers: both is then measured and said, where leaving them out would leave the question.

    Args:
        parent: an ONNX artifact.
        destination: the .onnx file to write; its folder exists.
        cpu_flags: of the machine that will serve, see `needs_reduced_range`.
        timeout_ns: wall-clock time for the child.
        memory_bytes: address space for the child.

    Raises:
        InputError: there is nothing to quantise.
        OutputError: the file cannot be written.
        ToolError: the quantiser failed, crashed, or ran out of time or memory.
        UsageError: the parent is not ONNX.
    """
    refuse_other_formats(parent)
    reduce_range = needs_reduced_range(cpu_flags)
    task = QuantisationTask(source=parent.path, destination=str(destination), reduce_range=reduce_range)
    result = run_child(
        "modeldyno.compression.dynamic_int8_child",
        task,
        QuantisationResult,
        doing=f"quantising {Path(parent.path).name} to int8",
        limits=ChildLimits(timeout_ns=timeout_ns, memory_bytes=memory_bytes),
    )
    nodes = f"{result.quantised} {'node' if result.quantised == 1 else 'nodes'}"
    recipe = f"dynamic int8 ({nodes}){', 7-bit weights' if reduce_range else ''}"
    made = made_onnx(parent, destination, name="onnx-int8-dynamic", recipe=recipe, precision="int8")
    return msgspec.structs.replace(made, cpu_flags=tuple(cpu_flags))


def needs_reduced_range(cpu_flags: Sequence[str]) -> bool:
    """Whether int8 products can saturate: AVX2 and AVX-512 without VNNI add pairs of them in 16 bits.

    Source: ONNX Runtime, "Quantize ONNX models", section on data type selection.
    """
    flags = set(cpu_flags)
    return bool(flags & {"avx2", "avx512f"}) and not flags & {"avx512_vnni", "avx_vnni", "amx_int8"}
