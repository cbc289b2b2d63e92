"""Changed copies of the rows of an input, as nodes of an ONNX graph."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.augmentation.perturbing import channel_axis
from modeldyno.errors import UsageError
from modeldyno.models.onnx.averaging import OF_A_ROW, AveragingTask, Scale
from modeldyno.models.onnx.composition import element_type
from modeldyno.models.onnx.parts import GraphParts
from modeldyno.records.signature import DATATYPES, TensorSpec
from modeldyno.seeds import child_generator

_TO_THE_START, _TO_THE_END = np.iinfo(np.int64).min, np.iinfo(np.int64).max


def add_copies(parts: GraphParts, value: str, spec: TensorSpec, task: AveragingTask) -> list[str]:
    """The copies of an input, without the rows as they are.

    Args:
        parts: takes the nodes.
        value: the rows.
        spec: the input that they are; one that the change is one of.
        task: which copies.

    Raises:
        UsageError: the change needs to know a size that varies.
    """
    severity = task.change.severities[0]
    if task.change.kind == "mirror":
        return [_mirrored(parts, value, _width_axis(spec))]
    if task.change.kind == "shift":
        width = _width_axis(spec)
        steps = max(1, round(severity))
        return [
            copy
            for axis in (width - 1, width)
            for copy in (_later(parts, value, axis, steps), _earlier(parts, value, axis, steps))
        ]
    scale = task.scales[spec.name]
    limits = (scale.low, scale.high) if task.change.kind == "brightness" else None
    return [_added(parts, value, spec, amount, limits) for amount in _amounts(spec, scale, task)]


def _amounts(spec: TensorSpec, scale: Scale, task: AveragingTask) -> list[NDArray[np.float64]]:
    """What is added to each row: the same for all rows, so that answers do not depend on the batch."""
    severity = task.change.severities[0]
    if task.change.kind == "brightness":
        step = np.array(severity * (scale.high - scale.low))
        return [step, -step]
    sizes = [size for size in spec.shape[1:] if isinstance(size, int)]
    if len(sizes) < len(spec.shape) - 1:
        raise UsageError(
            f"noise cannot be added to {spec.name!r} of shape {list(spec.shape)}",
            why="it is stored in the graph, and the size of a row varies",
        )
    generator = child_generator(task.seed, f"copies/{spec.name}")
    pairs = [generator.standard_normal(sizes) * severity * np.array(scale.std) for _ in range(OF_A_ROW["noise"] // 2)]
    # A draw and its opposite: what is linear in the noise cancels out.
    return [amount for noise in pairs for amount in (noise, -noise)]


def _width_axis(spec: TensorSpec) -> int:
    return 3 if channel_axis(spec) == 1 else 2


def _slice(parts: GraphParts, value: str, axis: int, start: int, stop: int, step: int = 1) -> str:
    places = [parts.constant(np.array([number], np.int64)) for number in (start, stop, axis, step)]
    return parts.node("Slice", value, *places)


def _mirrored(parts: GraphParts, value: str, axis: int) -> str:
    return _slice(parts, value, axis, -1, _TO_THE_START, -1)


def _later(parts: GraphParts, value: str, axis: int, steps: int) -> str:
    """Every pixel `steps` further along the axis; the first is repeated."""
    edge = _slice(parts, value, axis, 0, 1)
    return parts.node("Concat", *[edge] * steps, _slice(parts, value, axis, 0, -steps), axis=axis)


def _earlier(parts: GraphParts, value: str, axis: int, steps: int) -> str:
    edge = _slice(parts, value, axis, -1, _TO_THE_END)
    return parts.node("Concat", _slice(parts, value, axis, steps, _TO_THE_END), *[edge] * steps, axis=axis)


def _added(
    parts: GraphParts, value: str, spec: TensorSpec, amount: NDArray[Any], limits: tuple[float, float] | None
) -> str:
    """The rows with `amount` added, within limits, of the datatype that they had."""
    is_whole = spec.datatype == "UINT8"
    kind = np.dtype(np.float32 if is_whole else DATATYPES[spec.datatype])
    if is_whole:
        value = parts.node("Cast", value, to=1)  # FLOAT
        limits = limits or (0.0, 255.0)
    made = parts.node("Add", value, parts.constant(amount.astype(kind)))
    if is_whole:
        made = parts.node("Round", made)
    if limits is not None:
        made = parts.node("Clip", made, *(parts.constant(np.array(limit, kind)) for limit in limits))
    return parts.node("Cast", made, to=element_type(spec)) if is_whole else made
