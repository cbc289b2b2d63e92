"""Trees that were compiled to machine code, called through their one C function."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import InputError, ToolError, UsageError
from modeldyno.protocols import Tensors
from modeldyno.records.deployment import RuntimeName, SessionSettings
from modeldyno.records.signature import DATATYPES, Signature
from modeldyno.runtimes.input_shapes import InputShapes


class CompiledTreesRuntime:
    """A `modeldyno.protocols.Runtime`.

    Args:
        load: from a path to the function in it and its sizes: `compute`, `features`, `scores`, `has_labels`.
    """

    name: RuntimeName = "compiled-trees"
    formats = frozenset({"compiled-trees"})

    def __init__(self, load: Callable[[Path], Any]) -> None:
        self._load = load

    def open(self, path: Path, signature: Signature, settings: SessionSettings) -> "CompiledTreesSession":
        """Load the library at `path`; a call computes in the thread that makes it, whatever `settings.threads` says.

        Raises:
            InputError: it cannot be loaded, or is another model than `signature` says.
            TrustError: nobody vouches for it.
            UsageError: it cannot do what `settings` ask.
        """
        if settings.label:
            raise UsageError(f"{self.name} cannot be asked for {settings.label!r}", why="it has one way to compute")
        trees = self._load(path)
        labels = [spec for spec in signature.outputs if _is_whole(spec.datatype)]
        rows = [spec for spec in signature.inputs if spec.datatype == "FP32" and spec.shape[1:] == (trees.features,)]
        is_same = (1, 1, int(trees.has_labels)) == (len(rows), len(signature.outputs) - len(labels), len(labels))
        if not is_same or len(signature.inputs) != 1:
            raise InputError(
                f"{path} is not the model that was asked for",
                why=f"it takes FP32 [batch, {trees.features}] and gives {trees.scores} scores a row",
            )
        return CompiledTreesSession(trees, signature)


class CompiledTreesSession:
    """A `modeldyno.protocols.Session`.

    Args:
        trees: see `CompiledTreesRuntime`.
        signature: one input; scores, and labels where there are classes.
    """

    def __init__(self, trees: Any, signature: Signature) -> None:
        self._compute = trees.compute
        self._scores = trees.scores
        self._signature = signature
        self._shapes = InputShapes(signature)
        self._input = signature.inputs[0].name
        self._outputs = [
            (spec.name, DATATYPES[spec.datatype], _is_whole(spec.datatype), len(spec.shape))
            for spec in signature.outputs
        ]

    @property
    def signature(self) -> Signature:
        """See `Session`."""
        return self._signature

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        """See `Session`.

        Raises:
            ToolError: the rows have another shape, which C would read past the end of; or the session is closed.
        """
        self._shapes.require(inputs, "the compiled trees cannot compute this batch")
        rows = np.ascontiguousarray(inputs[self._input], np.float32)
        count = len(rows)
        scores = np.empty((count, self._scores), np.float32)
        labels = np.empty(count, np.int64)
        self._compute(rows.ctypes.data, count, scores.ctypes.data, labels.ctypes.data)
        return {
            name: labels.astype(kind, copy=False)
            if is_label
            else (scores if rank > 1 else scores.reshape(count)).astype(kind, copy=False)
            for name, kind, is_label, rank in self._outputs
        }

    def close(self) -> None:
        """See `Session`; closing twice is as good as once."""
        self._compute = _refuse_closed


def _is_whole(datatype: str) -> bool:
    return datatype.startswith(("INT", "UINT"))


def _refuse_closed(*_: object) -> None:
    raise ToolError("this session is closed")
