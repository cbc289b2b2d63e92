"""Why a compressed artifact gains nothing: from the machine, its size, and where the time of a call goes."""

from collections.abc import Callable, Sequence

from modeldyno.bench.standings import speed_ratio
from modeldyno.records.anatomy import Anatomy, OperatorTime
from modeldyno.records.artifact import Artifact
from modeldyno.records.search import Assessed
from modeldyno.records.speed import SpeedPoint
from modeldyno.units import format_fraction, format_number

FEW_PARAMETERS = 1_000_000
_COMPRESSED = frozenset({"int8", "int4"})
_QUANTISING = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "FakeQuantize"})
_SLOW = frozenset({"ConvInteger"})
"""Kinds for which ONNX Runtime has no fast kernel: microsoft/onnxruntime#12854."""
_MUCH, _MOST = 0.1, 0.5


def is_compressed(artifact: Artifact) -> bool:
    """Whether its numbers are stored in fewer bits than floats."""
    return artifact.precision in _COMPRESSED


def lost_points(assessed: Sequence[Assessed], points: Sequence[SpeedPoint]) -> list[tuple[SpeedPoint, SpeedPoint]]:
    """Of each compressed artifact that is slower than what it was made from: its fastest point, and the other's.

    Both are of one thread and one instance and of the same batch, and were measured in turns.
    """
    found = []
    artifacts = {one.artifact.digest: one.artifact.name for one in assessed}
    for one in assessed:
        parent = artifacts.get(one.artifact.parent_digest or "")
        if parent is None or not is_compressed(one.artifact):
            continue
        mine = max(_alone(points, one.artifact.name), key=lambda point: point.items_per_s.value, default=None)
        theirs = [] if mine is None else [p for p in _alone(points, parent) if p.batch_rows == mine.batch_rows]
        if mine is None or not theirs:
            continue
        high = speed_ratio(mine, theirs[0]).high
        if high is not None and high < 1:
            found.append((mine, theirs[0]))
    return found


def _alone(points: Sequence[SpeedPoint], artifact: str) -> list[SpeedPoint]:
    return [
        point
        for point in points
        if point.deployment.artifact == artifact
        and point.deployment.session.threads == point.deployment.instances == 1
        and len(point.blocks) >= 3
    ]


def why_not_faster(
    artifact: Artifact, *, parameters: int | None, cpu_flags: Sequence[str], anatomy: Anatomy | None
) -> str:
    """What is known to keep a compressed artifact from being faster, in words; nothing guessed.

    Args:
        artifact: the compressed one.
        parameters: of the model.
        cpu_flags: of the processor.
        anatomy: of a call of the artifact, where its runtime has a profiler.
    """
    operators = anatomy.operators if anatomy is not None else ()
    is_weight_only = bool(operators) and _share(operators, lambda one: one.precision == "int8") == 0
    causes = [
        "" if is_weight_only else _without_instructions(artifact, cpu_flags),
        _quantising(operators),
        _slow_kernels(operators),
        "" if is_weight_only else _unquantised(artifact, operators),
        _memory_bound(operators),
        _few_parameters(parameters),
        _weight_only(artifact) if is_weight_only else "",
    ]
    return "; ".join(cause for cause in causes if cause) or "nothing that was measured says why"


def _share(operators: Sequence[OperatorTime], holds: Callable[[OperatorTime], bool]) -> float:
    return sum(one.share for one in operators if holds(one))


def _without_instructions(artifact: Artifact, cpu_flags: Sequence[str]) -> str:
    has_them = any("vnni" in flag or flag in ("amx_int8", "i8mm", "asimddp") for flag in cpu_flags)
    if artifact.precision != "int8" or has_them or not cpu_flags:
        return ""
    return "this processor has no VNNI or AMX instructions, so that products of bytes are hardly faster than of floats"


def _quantising(operators: Sequence[OperatorTime]) -> str:
    share = _share(operators, lambda one: one.kind in _QUANTISING)
    if share < _MUCH:
        return ""
    count = sum(one.kind in _QUANTISING for one in operators)
    nodes = f"{count} unfused quantise and dequantise {'node' if count == 1 else 'nodes'}"
    return f"{format_fraction(share, 0)} of the operators' time is in {nodes}"


def _slow_kernels(operators: Sequence[OperatorTime]) -> str:
    share = _share(operators, lambda one: one.kind in _SLOW)
    if share < _MUCH:
        return ""
    return f"{format_fraction(share, 0)} is in ConvInteger, for which ONNX Runtime has no fast kernel"


def _unquantised(artifact: Artifact, operators: Sequence[OperatorTime]) -> str:
    share = _share(operators, lambda one: one.precision != "int8" and one.kind not in _QUANTISING)
    if artifact.precision != "int8" or share < _MOST:
        return ""
    return f"{format_fraction(share, 0)} is in operators that still compute in floats"


def _memory_bound(operators: Sequence[OperatorTime]) -> str:
    share = _share(operators, lambda one: one.bound == "memory" and one.kind not in _QUANTISING)
    return f"{format_fraction(share, 0)} is in operators that memory limits, not arithmetic" if share >= _MOST else ""


def _few_parameters(parameters: int | None) -> str:
    if parameters is None or parameters >= FEW_PARAMETERS:
        return ""
    return f"the model has only {format_number(parameters)} parameters, so there is little arithmetic to save"


def _weight_only(artifact: Artifact) -> str:
    return "only its weights are smaller: it computes in floats as before" if is_compressed(artifact) else ""
