"""ONNX Runtime for models with BF16 inputs or outputs, which its `run` neither takes nor gives as NumPy arrays.

It takes them as `OrtValue`s over the memory of an array, and gives them in memory of its own whose address it tells.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.bfloat16 import BF16
from modeldyno.errors import InputError
from modeldyno.protocols import Tensors
from modeldyno.records.signature import Signature

_ELEMENT_TYPE = 16
"""onnx.TensorProto.BFLOAT16."""


class Bfloat16Engine:
    """An `onnxruntime.InferenceSession` whose `run` takes and gives arrays of BF16, and all others as it does.

    Args:
        engine: the session.
        signature: has a BF16 input or output.
        value_class: `onnxruntime.OrtValue`.

    Raises:
        InputError: there are BYTES inputs too, which ONNX Runtime takes no other way than as arrays, and BF16 outputs,
            which it does not give for arrays.
    """

    def __init__(self, engine: Any, signature: Signature, value_class: Any) -> None:
        texts = [spec.name for spec in signature.inputs if spec.datatype == "BYTES"]
        outputs = [spec.name for spec in signature.outputs if spec.datatype == "BF16"]
        if texts and outputs:
            raise InputError(
                f"input {texts[0]!r} is BYTES and output {outputs[0]!r} BF16",
                why="ONNX Runtime's Python interface takes texts only where it gives no BF16",
                hint="add a Cast to FLOAT before that output and export the model again",
            )
        self._engine = engine
        self._value_class = value_class
        self._inputs = [spec.name for spec in signature.inputs if spec.datatype == "BF16"]
        self._outputs = frozenset(outputs)

    def run(self, names: Sequence[str], inputs: Tensors) -> list[NDArray[Any]]:
        """The outputs of these names."""
        # It computes on the memory of these arrays, which must live until it has.
        bits = {name: _bits(name, inputs[name]) for name in self._inputs}
        lent = {
            name: self._value_class.ortvalue_from_numpy_with_onnx_type(array, _ELEMENT_TYPE)
            for name, array in bits.items()
        }
        if self._outputs.isdisjoint(names):
            outputs: list[NDArray[Any]] = self._engine.run(names, {**inputs, **lent})
            return outputs
        # A binding for each call: one that is kept would compute into the outputs of the call before.
        binding = self._engine.io_binding()
        for name, array in inputs.items():
            binding.bind_ortvalue_input(name, lent.get(name) or self._value_class.ortvalue_from_numpy(array))
        for name in names:
            binding.bind_output(name)
        self._engine.run_with_iobinding(binding)
        return [
            np.asarray(_Borrowed(value)) if name in self._outputs else value.numpy()
            for name, value in zip(names, binding.get_outputs(), strict=True)
        ]


def _bits(name: str, array: NDArray[Any]) -> NDArray[np.uint16]:
    """In one piece, each number at a multiple of its size."""
    if array.dtype != BF16:
        raise TypeError(f"input {name!r} is BF16, not {array.dtype}")
    return np.require(array.view(np.uint16), requirements=("C", "A"))


class _Borrowed:
    """The memory of an `OrtValue` of BF16, which lives as long as the array over it."""

    def __init__(self, value: Any) -> None:
        self._value = value
        self.__array_interface__ = {
            "shape": tuple(value.shape()),
            "typestr": BF16.str,
            "data": (value.data_ptr(), False),
            "version": 3,
        }
