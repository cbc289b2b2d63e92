"""Fakes of `Session`: they add up rows, echo, wait at a gate, or misbehave when told to."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from modeldyno.protocols import Tensors
from modeldyno.records.signature import Signature, TensorSpec


def sum_signature(features: int = 4) -> Signature:
    """One input `x` of FP32 [batch, features], one output `sum` of FP32 [batch]."""
    return Signature(
        inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", features)),),
        outputs=(TensorSpec(name="sum", datatype="FP32", shape=("batch",)),),
    )


def echo_signature(datatype: str, shape: tuple[int | str, ...] = ("batch", 3)) -> Signature:
    """One input `x` and one output `y` of the same datatype and shape."""
    return Signature(
        inputs=(TensorSpec(name="x", datatype=datatype, shape=shape),),
        outputs=(TensorSpec(name="y", datatype=datatype, shape=shape),),
    )


class FunctionSession:
    """A `Session` that computes with a function, and remembers the rows of each batch in `batches`."""

    def __init__(self, signature: Signature, compute: Callable[[Tensors], dict[str, NDArray[np.generic]]]) -> None:
        self._signature = signature
        self._compute = compute
        self.batches: list[int] = []
        self.is_closed = False

    @property
    def signature(self) -> Signature:
        """See `Session`."""
        return self._signature

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        """See `Session`."""
        first = next(iter(inputs.values()))
        self.batches.append(first.shape[0] if first.ndim else 1)
        return self._compute(inputs)

    def close(self) -> None:
        """See `Session`."""
        self.is_closed = True


def sum_rows(inputs: Tensors) -> dict[str, NDArray[np.generic]]:
    """`sum_signature`'s function."""
    x: NDArray[np.float32] = inputs["x"].astype(np.float32, copy=False)
    return {"sum": x.sum(axis=1)}


def echo(inputs: Tensors) -> dict[str, NDArray[np.generic]]:
    """`echo_signature`'s function."""
    return {"y": inputs["x"]}
