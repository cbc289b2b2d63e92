"""Whether tensors have the shapes that a signature says, for runtimes that would compute something of any others."""

from modeldyno.errors import ToolError
from modeldyno.protocols import Tensors
from modeldyno.records.signature import Signature


class InputShapes:
    """The shapes of a model's inputs.

    Compiled code reads as many elements as it was compiled for, wherever they are, and a copy into a tensor of a fixed
    size repeats what is too short: both answer where they must not.
    """

    def __init__(self, signature: Signature) -> None:
        self._wanted = [(spec.name, spec.shape) for spec in signature.inputs]

    def require(self, inputs: Tensors, what: str) -> None:
        """Refuse tensors of other shapes; dimensions of the same name must have the same size.

        Raises:
            ToolError: says `what`, and which input is of which shape.
        """
        sizes: dict[str, int] = {}
        for name, wanted in self._wanted:
            found = inputs[name].shape
            if len(found) != len(wanted) or not all(
                size == length if isinstance(size, int) else sizes.setdefault(size, length) == length
                for size, length in zip(wanted, found, strict=True)
            ):
                raise ToolError(what, why=f"{name!r} has the shape {list(found)}, not {list(wanted)}")
