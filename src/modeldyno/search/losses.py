"""Why a compressed artifact gains nothing: from the machine, its size, and where the time of a call goes."""

from collections.abc import Callable, Sequence

from modeldyno.bench.standings import speed_ratio
from modeldyno.records.anatomy import Anatomy, OperatorTime
from modeldyno.records.artifact import Artifact
from modeldyno.records.search import Assessed
from modeldyno.records.speed import SpeedPoint
from modeldyno.units import format_fraction, format_number

MOST_EXPLAINED = 4
"""Of the compressed artifacts that lost a race: each takes a second or two to look into."""
FEW_PARAMETERS = 1_000_000
_COMPRESSED = frozenset({"int8", "int4"})
_QUANTISING = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "FakeQuantize"})
_SLOW = frozenset({"ConvInteger"})
"""Kinds for which ONNX Runtime has no fast kernel: microsoft/onnxruntime#12854."""
_WEIGHT_ONLY = "-weights"
"""How the names of recipes end that leave the computing as it is."""
_PRUNED = "onnx-pruned"
_MUCH, _MOST = 0.1, 0.5


def is_compressed(artifact: Artifact) -> bool:
    """Whether its numbers are stored in fewer bits than floats, or some of them were dropped."""
    return artifact.precision in _COMPRESSED or _is_pruned(artifact)


def _is_pruned(artifact: Artifact) -> bool:
    return artifact.name.startswith(_PRUNED)


def lost_points(assessed: Sequence[Assessed], points: Sequence[SpeedPoint]) -> list[tuple[SpeedPoint, SpeedPoint]]:
    """Of each compressed artifact that is slower than what it was made from: its fastest point, and the other's.

    Both are of one thread and one instance and of the same batch, and were measured in turns.
    """
    found = []
    for one in assessed:
        parent = parent_of(one.artifact, assessed)
        if parent is None or not is_compressed(one.artifact):
            continue
        mine = max(alone(points, one.artifact.name), key=lambda point: point.items_per_s.value, default=None)
        theirs = [] if mine is None else [p for p in alone(points, parent) if p.batch_rows == mine.batch_rows]
        if mine is None or not theirs:
            continue
        high = speed_ratio(mine, theirs[0]).high
        if high is not None and high < 1:
            found.append((mine, theirs[0]))
    return found


def parent_of(artifact: Artifact, assessed: Sequence[Assessed]) -> str | None:
    """The name of what an artifact was made from."""
    # Several may share a file and differ in how they are opened; they come after the one they were made of.
    names = {one.artifact.digest: one.artifact.name for one in reversed(assessed)}
    return names.get(artifact.parent_digest or "")


def alone(points: Sequence[SpeedPoint], artifact: str) -> list[SpeedPoint]:
    """What was measured of an artifact with one thread and one instance."""
    return [
        point
        for point in points
        if point.deployment.artifact == artifact
        and point.deployment.session.threads == point.deployment.instances == 1
        and len(point.blocks) >= 3
    ]


def why_not_faster(
    artifact: Artifact, ratio: float, *, parameters: int | None, cpu_flags: Sequence[str], anatomy: Anatomy | None
) -> str:
    """What is known to keep a compressed artifact from being faster, in words; empty where nothing is.

    Args:
        artifact: the compressed one.
        ratio: how many times as fast it is as what it is held against, with calls like those of the anatomy.
        parameters: of the model.
        cpu_flags: of the processor.
        anatomy: of a call of the artifact, where its runtime has a profiler.
    """
    operators = anatomy.operators if anatomy is not None else ()
    if _is_pruned(artifact):
        return "its zeros are multiplied like any other number: no kernel here skips them"
    is_weight_only = artifact.name.endswith(_WEIGHT_ONLY)
    causes = [
        "" if is_weight_only else _without_instructions(artifact, cpu_flags),
        _quantising(operators),
        _slow_kernels(operators),
        "" if is_weight_only else _slow_products(operators, ratio),
        "" if is_weight_only else _unquantised(artifact, operators),
        _memory_bound(operators),
        _few_parameters(parameters),
        "only its weights are smaller: it computes in floats as before" if is_weight_only else "",
    ]
    return "; ".join(cause for cause in causes if cause)


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
    part = format_fraction(share, 0)
    return f"{part} of the operators' time is in ConvInteger, for which ONNX Runtime has no fast kernel"


def _slow_products(operators: Sequence[OperatorTime], ratio: float) -> str:
    """Only where the products of bytes alone take as long as all of what they are held against."""
    share = _share(operators, lambda one: one.precision == "int8" and one.kind not in _QUANTISING | _SLOW)
    times = share / ratio
    if times < 1:
        return ""
    return (
        f"its products of bytes alone take {format_number(times, 2)} times as long as a whole call before: their "
        "kernels do not suit these shapes"
    )


def _unquantised(artifact: Artifact, operators: Sequence[OperatorTime]) -> str:
    share = _share(operators, lambda one: one.precision != "int8" and one.kind not in _QUANTISING)
    if artifact.precision != "int8" or share < _MOST:
        return ""
    return f"{format_fraction(share, 0)} of the operators' time is in those that still compute in floats"


def _memory_bound(operators: Sequence[OperatorTime]) -> str:
    share = _share(operators, lambda one: one.bound == "memory" and one.kind not in _QUANTISING)
    if share < _MOST:
        return ""
    return f"{format_fraction(share, 0)} of the operators' time is in those that memory limits, not arithmetic"


def _few_parameters(parameters: int | None) -> str:
    if parameters is None or parameters >= FEW_PARAMETERS:
        return ""
    return f"the model has only {format_number(parameters)} parameters, so there is little arithmetic to save"
