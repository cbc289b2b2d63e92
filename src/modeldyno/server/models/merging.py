"""Requests into one batch, and its answers apart again."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.bfloat16 import BF16, from_numbers
from modeldyno.policies.padding import PaddingPlan
from modeldyno.protocols import Tensors
from modeldyno.wire.v2_request import InferRequest


class Merged(NamedTuple):
    """One batch, and what padding added to it."""

    inputs: Tensors
    elements: int
    """Of all inputs, padding among them."""
    padding_elements: int
    """Computed for nobody."""


def merge(requests: Sequence[InferRequest], plan: PaddingPlan | None = None) -> Merged:
    """The inputs of several requests as those of one batch.

    Args:
        requests: at least one; without a plan they have one `batch_key`, with one its `key` of that.
        plan: how unlike sizes are made alike; None where they never are.
    """
    elements = sum([request.elements for request in requests])
    first = requests[0]
    if len(requests) == 1:
        return Merged(first.inputs, elements, 0)
    if plan is None or all(request.batch_key == first.batch_key for request in requests):
        inputs = {name: np.concatenate([request.inputs[name] for request in requests]) for name in first.inputs}
        return Merged(inputs, elements, 0)
    tails = plan.padded([request.batch_key for request in requests])
    rows = sum(request.rows for request in requests)
    filled = {name: _fill([one.inputs[name] for one in requests], rows, tails[name], plan) for name in first.inputs}
    size = sum(array.size for array in filled.values())
    return Merged(filled, size, size - elements)


def _fill(parts: list[NDArray[np.generic]], rows: int, tail: tuple[int, ...], plan: PaddingPlan) -> NDArray[np.generic]:
    dtype = parts[0].dtype
    whole = np.full((rows, *tail), _filling(plan.pad_value, dtype), dtype)
    start = 0
    for part in parts:
        stop = start + len(part)
        whole[(slice(start, stop), *map(slice, part.shape[1:]))] = part
        start = stop
    return whole


def _filling(value: float, dtype: np.dtype[np.generic]) -> object:
    if dtype.hasobject:
        return b""
    return from_numbers(np.array(value)) if dtype == BF16 else value


def own_outputs(
    outputs: Tensors,
    request: InferRequest,
    rows: slice,
    plan: PaddingPlan | None = None,
    names: Iterable[str] | None = None,
) -> dict[str, NDArray[np.generic]]:
    """What of a batch's outputs belongs to one of its requests, as views.

    Args:
        outputs: of the whole batch.
        request: its wishes are given.
        rows: of the batch that are its own.
        plan: the one it was merged by, when that padded anything.
        names: of the outputs; None for those that it wants.
    """
    if names is None:
        names = [wish.name for wish in request.wishes]
    if plan is None:
        return {name: outputs[name][rows] for name in names}
    return {name: outputs[name][(rows, *plan.own_part(name, request.batch_key))] for name in names}
