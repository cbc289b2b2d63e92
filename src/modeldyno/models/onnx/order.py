"""Operations in the order and the number in which ONNX Runtime computes them fast.

Constants of channels that lie innermost, as in [rows, height, width, 3], are spread over the tensor three numbers at a
time: a layout is turned first, while the numbers are still bytes, and what scales them is one multiplication and one
addition behind it.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from modeldyno.processing.operations import plan_operations
from modeldyno.processing.steps import Specs
from modeldyno.records.processing import Cast, Normalise, Operation, Scale, Transpose

_Affine = Scale | Normalise
_Elementwise = Cast | Scale | Normalise


def reordered(operations: Sequence[Operation], specs: Specs, *, keeps_all: bool) -> tuple[Operation, ...]:
    """Operations that compute the same, but for rounding.

    Args:
        operations: that fit the specs.
        specs: of what is there before the first.
        keeps_all: whether tensors that no operation reads any more still count, as behind a model.
    """
    made = list(operations)
    ranks = _ranks(operations, specs)
    is_moved = True
    while is_moved:
        is_moved = False
        for place in range(len(made) - 1):
            first, turn = made[place], made[place + 1]
            if not (isinstance(first, _Elementwise) and isinstance(turn, Transpose)):
                continue
            if not _may_swap(first, turn, made[place + 2 :], keeps_all=keeps_all):
                continue
            made[place : place + 2] = [turn, _behind(first, turn, ranks[first.tensor])]
            ranks[turn.output or turn.tensor] = ranks[first.tensor]
            is_moved = True
    return _joined(made, ranks)


def _ranks(operations: Sequence[Operation], specs: Specs) -> dict[str, int]:
    """Dimensions of each tensor; of one that is replaced by another rank, 0: it is left alone."""
    ranks = {name: len(spec.shape) for name, spec in specs.items()}
    for operation in operations:
        specs = plan_operations((operation,), specs, place="operations").specs
        for name, spec in specs.items():
            ranks[name] = len(spec.shape) if ranks.get(name, len(spec.shape)) == len(spec.shape) else 0
    return ranks


def _may_swap(first: _Elementwise, turn: Transpose, later: Sequence[Operation], *, keeps_all: bool) -> bool:
    if first.output not in ("", first.tensor) or turn.tensor != first.tensor:
        return False
    is_replaced = turn.output in ("", turn.tensor)
    return is_replaced or not (keeps_all or any(_mentions(operation, turn.tensor) for operation in later))


def _mentions(operation: Operation, name: str) -> bool:
    return name in msgspec.json.encode(operation).decode()


def _behind(first: _Elementwise, turn: Transpose, rank: int) -> Operation:
    """The same on the turned tensor."""
    name = turn.output or turn.tensor
    if isinstance(first, Cast):
        return msgspec.structs.replace(first, tensor=name, output="")
    axis = turn.order.index(first.axis % rank)
    return msgspec.structs.replace(first, tensor=name, output="", axis=axis)


def _joined(operations: Sequence[Operation], ranks: dict[str, int]) -> tuple[Operation, ...]:
    """With scalings in a row as one."""
    made: list[Operation] = []
    for operation in operations:
        last = made[-1] if made else None
        if (
            isinstance(last, _Affine)
            and isinstance(operation, _Affine)
            and last.output in ("", last.tensor)
            and operation.output in ("", operation.tensor)
            and last.tensor == operation.tensor
            and ranks[last.tensor]
        ):
            one = _united(last, operation, ranks[last.tensor])
            if one is not None:
                made[-1] = one
                continue
        made.append(operation)
    return tuple(made)


def _united(first: _Affine, second: _Affine, rank: int) -> Scale | None:
    """Both as one; None where they scale along different axes."""
    (multiply, add), (again, more) = _constants(first), _constants(second)
    sizes = (
        [size for size in (len(multiply), len(add)) if size > 1],
        [size for size in (len(again), len(more)) if size > 1],
    )
    if all(sizes) and first.axis % rank != second.axis % rank:
        return None
    multiply, add = multiply * again, add * again + more
    return Scale(
        tensor=first.tensor,
        multiply=tuple(multiply.tolist()),
        add=tuple(add.tolist()),
        axis=first.axis if sizes[0] else second.axis,
    )


def _constants(operation: _Affine) -> tuple[np.ndarray, np.ndarray]:
    """What is multiplied and what is added, in double precision."""
    if isinstance(operation, Scale):
        return np.asarray(operation.multiply, np.float64), np.asarray(operation.add, np.float64)
    std = np.asarray(operation.std, np.float64)
    return 1 / std, -np.asarray(operation.mean, np.float64) / std
