"""Python callables: nothing is faster than what they call, and the interpreter lock is held while they compute."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import ToolError, UsageError
from modeldyno.protocols import Tensors
from modeldyno.records.deployment import RuntimeName, SessionSettings
from modeldyno.records.signature import Signature
from modeldyno.runtimes.input_shapes import InputShapes

_FAILED = "the Python callable could not compute this batch"
Answer = Callable[[Tensors], dict[str, NDArray[np.generic]]]


class PythonRuntime:
    """A `modeldyno.protocols.Runtime`.

    Args:
        load: from the path of a file and the model's signature to what answers; decides what may be run.
    """

    name: RuntimeName = "python"
    formats = frozenset({"python"})

    def __init__(self, load: Callable[[Path, Signature], Answer]) -> None:
        self._load = load

    def open(self, path: Path, signature: Signature, settings: SessionSettings) -> "PythonSession":
        """Run the file at `path`.

        Raises:
            InputError: it cannot be run, or is another model than `signature` says.
            TrustError: nobody vouches for it.
            UsageError: settings that mean nothing to it.
        """
        if settings.label:
            raise UsageError(f"Python callables cannot be asked for {settings.label!r}", why="they do as they do")
        return PythonSession(self._load(path, signature), signature)


class PythonSession:
    """A `modeldyno.protocols.Session`."""

    def __init__(self, answer: Answer, signature: Signature) -> None:
        self._answer = answer
        self._signature = signature
        self._shapes = InputShapes(signature)

    @property
    def signature(self) -> Signature:
        """See `Session`."""
        return self._signature

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        """See `Session`.

        Raises:
            ToolError: it raises, or is given or gives something else than its signature says.
        """
        self._shapes.require(inputs, _FAILED)
        try:
            return self._answer(inputs)
        except ToolError:
            raise
        except Exception as problem:
            raise ToolError(_FAILED, why=f"{type(problem).__name__}: {problem}") from problem

    def close(self) -> None:
        """See `Session`; closing twice is as good as once."""
        self._answer = _refuse_closed


def _refuse_closed(_inputs: Tensors) -> Any:
    raise ToolError("this session is closed")
