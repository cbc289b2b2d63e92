"""Nodes and constants of an ONNX graph in the making."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class GraphParts:
    """Nodes in order, with names of their own.

    Args:
        prefix: of every name that is made.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._count = 0
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, array: NDArray[Any]) -> str:
        """The name of a constant with these values."""
        from onnx import numpy_helper

        name = self._name("constant")
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """A node; the name of its first output. Others are called like it, with `:1`, `:2`, ... behind."""
        from onnx import helper

        first = self._name(operator)
        names = [first, *(f"{first}:{number}" for number in range(1, outputs))]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return first

    def _name(self, what: str) -> str:
        self._count += 1
        return f"{self._prefix}{what}_{self._count}"
