"""Operators against the roof of a machine: what limits each of them, and how far it is from that limit.

The model is that of Williams, Waterman and Patterson ("Roofline", CACM 52(4), 2009): an operator takes at least the
longer of its operations over the compute peak and its bytes over the bandwidth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modeldyno.records.anatomy import CallSplit, Operation, OperatorCost, OperatorTime, Trace
from modeldyno.records.base import Estimate
from modeldyno.stats.blocks import median_estimate

_PRECISIONS = {"float32": "fp32", "float64": "fp64", "float16": "fp16", "bfloat16": "bf16"}
_WHOLE_WEIGHTS = ("int8", "uint8")
_COUNTS = 0.01


@dataclass(frozen=True, slots=True)
class Roof:
    """The peaks that hold for one deployment."""

    compute_per_s: Mapping[str, float]
    """By precision, those that were measured."""
    bytes_per_s: float | None
    """Of the level that holds what a call touches."""


@dataclass(frozen=True, slots=True)
class Counted:
    """An operation with what it costs, and whether it is a product of matrices, to which the compute peak applies."""

    operation: Operation
    cost: OperatorCost | None
    is_product: bool


def operator_times(counted: Sequence[Counted], trace: Trace, blocks: int, roof: Roof) -> tuple[OperatorTime, ...]:
    """Every operator with its interval over the blocks and its limit, the most expensive first.

    Args:
        counted: one for each of `trace.operations`.
        trace: of calls that were made in so many equal blocks.
        blocks: at least 1.
        roof: the machine's.
    """
    middles = _block_means(trace, blocks)
    estimates = [_widened(median_estimate(list(column)), trace.resolution_ns) for column in middles.T]
    whole = sum(one.value for one in estimates) or 1.0
    found = [
        _placed(one, estimate, estimate.value / whole, roof) for one, estimate in zip(counted, estimates, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: -one.time_ns.value))


def operators_estimate(trace: Trace, blocks: int) -> Estimate:
    """All operators of a call together."""
    sums = _block_means(trace, blocks).sum(axis=1)
    return _widened(median_estimate(list(sums)), trace.resolution_ns * len(trace.operations))


def precision_of(operation: Operation) -> str:
    """What an operator computes in: int8 where one of its matrices is of bytes; else in what all of several come.

    A single matrix tells nothing, for it may be converted on the way: then what is put out does.
    """
    matrices = [one for one in operation.inputs if one is not None and len(one.shape) > 1]
    # MatMulNBits packs narrow weights into bytes, and computes in floats.
    if operation.kind != "MatMulNBits" and any(one.datatype in _WHOLE_WEIGHTS for one in matrices):
        return "int8"
    floats = {one.datatype for one in matrices}
    if len(matrices) > 1 and len(floats) == 1 and floats <= _PRECISIONS.keys():
        return _PRECISIONS[floats.pop()]
    first = next((one for one in operation.outputs if one is not None), None)
    return _PRECISIONS.get(first.datatype, first.datatype) if first is not None else "unknown"


def precision_of_products(counted: Sequence[Counted]) -> str | None:
    """What the products of a call are computed in: one word, or `mixed`; None where there are none.

    Those that are less than a hundredth of the arithmetic do not count: a last layer that was left as it came.
    """
    weights: dict[str, int] = {}
    for one in counted:
        if one.is_product and one.cost is not None:
            found = precision_of(one.operation)
            weights[found] = weights.get(found, 0) + one.cost.operations
    least = sum(weights.values()) * _COUNTS
    kept = [name for name, weight in weights.items() if weight > least]
    return None if not kept else kept[0] if len(kept) == 1 else "mixed"


def split_of(times: Mapping[str, Sequence[float]]) -> CallSplit:
    """The layers of a call from the ways of `runtimes.onnx_calls`, block by block.

    Args:
        times: `session`, `direct`, `bound` and `empty`: the median time of a call in each block, in ns.
    """
    session, direct, bound, empty = (np.asarray(times[name]) for name in ("session", "direct", "bound", "empty"))
    overhead = (session - bound + empty) / session
    return CallSplit(
        whole_ns=_estimate(session),
        session_layer_ns=_estimate(session - direct),
        python_ns=_estimate(direct - bound),
        runtime_ns=_estimate(empty),
        computing_ns=_estimate(bound - empty),
        overhead=_estimate(overhead),
    )


def _estimate(blocks: np.ndarray) -> Estimate:
    return median_estimate([float(one) for one in blocks])


def _block_means(trace: Trace, blocks: int) -> np.ndarray:
    """[blocks, operators]: the mean of the middle half of each block's calls, so that a stall is not an operator's."""
    calls = np.asarray(trace.times_ns, np.float64)
    rows = []
    for block in np.array_split(calls, min(blocks, len(calls))):
        ordered = np.sort(block, axis=0)
        quarter = len(ordered) // 4
        rows.append(ordered[quarter : len(ordered) - quarter].mean(axis=0))
    return np.asarray(rows)


def _widened(estimate: Estimate, resolution_ns: float) -> Estimate:
    """Times that were cut down to a multiple of the resolution are that much longer, or anything in between."""
    low, high = estimate.low, estimate.high
    return Estimate(
        value=estimate.value + resolution_ns / 2,
        low=low,
        high=None if high is None else high + resolution_ns,
    )


def _placed(counted: Counted, time_ns: Estimate, share: float, roof: Roof) -> OperatorTime:
    operation, cost = counted.operation, counted.cost
    precision = precision_of(operation)
    one = OperatorTime(
        name=operation.name, kind=operation.kind, time_ns=time_ns, share=share, precision=precision, cost=cost
    )
    if cost is None or roof.bytes_per_s is None or not cost.bytes_moved:
        return one
    moving_ns = cost.bytes_moved / roof.bytes_per_s * 1e9
    peak = roof.compute_per_s.get(precision)
    if counted.is_product and peak is None:
        return one  # its limit is the longer of two times of which one is not known
    computing_ns = cost.operations / peak * 1e9 if counted.is_product and peak is not None else 0.0
    return OperatorTime(
        name=one.name,
        kind=one.kind,
        time_ns=time_ns,
        share=share,
        precision=precision,
        cost=cost,
        bound="compute" if computing_ns > moving_ns else "memory",
        limit_ns=max(computing_ns, moving_ns),
    )
