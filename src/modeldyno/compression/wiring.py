"""An ONNX graph as its tensors connect it: who makes a tensor, who uses it, and what is known of it."""

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Wiring:
    """The main graph of a model; operators within branches count as users of nothing.

    Args:
        model: an `onnx.ModelProto` with the shapes that can be inferred.
    """

    def __init__(self, model: Any) -> None:
        from onnx import numpy_helper

        graph = model.graph
        self._array_of = numpy_helper.to_array
        self._makers = {name: node for node in graph.node for name in node.output}
        self._users: dict[str, list[Any]] = defaultdict(list)
        for node in graph.node:
            for name in dict.fromkeys(node.input):
                self._users[name].append(node)
        self._constants = {one.name: one for one in graph.initializer}
        self._outputs = {one.name for one in graph.output}
        self._shapes = {
            value.name: [
                size.dim_value if size.HasField("dim_value") else None for size in value.type.tensor_type.shape.dim
            ]
            for value in (*graph.input, *graph.value_info, *graph.output)
            if value.type.tensor_type.HasField("shape")
        }
        opset = next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
        self._usual_axis = -1 if opset >= 13 else 1

    def maker(self, name: str, kind: str) -> Any | None:
        """The operator that makes a tensor, if it is of that kind."""
        node = self._makers.get(name)
        return node if node is not None and node.op_type == kind and not node.domain else None

    def users(self, name: str) -> list[Any]:
        """The operators that take a tensor."""
        return self._users.get(name, [])

    def only_user(self, name: str, kind: str) -> Any | None:
        """The one operator that takes a tensor, if it is of that kind and the only one."""
        users = self.users(name)
        return users[0] if len(users) == 1 and users[0].op_type == kind and name not in self._outputs else None

    def constant(self, name: str) -> NDArray[Any] | None:
        """The values of a stored tensor."""
        stored = self._constants.get(name)
        return self._array_of(stored) if stored is not None else None

    def number(self, name: str) -> float | None:
        """The value of a stored tensor of one element."""
        stored = self._constants.get(name)
        if stored is None or int(np.prod(stored.dims)) != 1:
            return None
        return float(self._array_of(stored).reshape(-1)[0])

    def transposed(self, name: str, order: list[int]) -> str:
        """What was transposed so to make a tensor; empty where it was not."""
        node = self.maker(name, "Transpose")
        found = next((list(one.ints) for one in node.attribute if one.name == "perm"), []) if node is not None else []
        return str(node.input[0]) if node is not None and found == order else ""

    def width(self, name: str) -> int | None:
        """The last size of a tensor of three dimensions."""
        shape = self._shapes.get(name)
        return shape[-1] if shape is not None and len(shape) == 3 else None

    def last_two(self, name: str) -> tuple[int | None, int | None]:
        """The last two sizes that a Reshape to four dimensions states; None for one that it works out itself."""
        stated = self.constant(name)
        if stated is None:
            joined = self.maker(name, "Concat")
            parts = [self.constant(part) for part in joined.input] if joined is not None else []
            if not parts or parts[-1] is None:
                return None, None
            stated = np.concatenate([np.array([-1]) if part is None else part.reshape(-1) for part in parts])
        sizes = [int(size) if size > 0 else None for size in stated[-2:]]
        return (sizes[0], sizes[1]) if len(sizes) == 2 else (None, None)

    def is_over_last(self, softmax: Any) -> bool:
        """Whether a Softmax of four dimensions is over the last of them."""
        axis = next((int(one.i) for one in softmax.attribute if one.name == "axis"), self._usual_axis)
        return axis in (-1, 3)
