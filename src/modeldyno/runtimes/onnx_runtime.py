"""ONNX Runtime: the only file that imports it to compute."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import InputError, ToolError, first_line
from modeldyno.protocols import Tensors
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.signature import Signature
from modeldyno.runtimes.onnx_bfloat16 import Bfloat16Engine
from modeldyno.runtimes.onnx_providers import (
    check_assignments,
    provider_arguments,
    provider_for,
    remember_assignments,
)

_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory")
"""It has no error class for that: what its arenas and the C++ library say (onnxruntime/core/framework/bfc_arena.cc)."""


_TOO_NEW = "Unsupported model IR version"


class OnnxRuntime:
    """A `modeldyno.protocols.Runtime`, on the processor unless the settings say otherwise."""

    name = "onnxruntime"
    formats = frozenset({"onnx"})

    def open(self, path: Path, signature: Signature, settings: SessionSettings) -> "OnnxSession":
        """Load the model at `path`; its inputs and outputs must be those of `signature`.

        Raises:
            InputError: the file cannot be loaded, or is another model.
            ToolError: the execution provider that was asked for cannot be started, or takes nothing of the model.
            UsageError: that provider is not installed.
        """
        import onnxruntime

        options = session_options(settings.threads)
        lent = _lend_weights(options, path) if path.is_symlink() else ()
        engine = open_engine(path, options, settings)
        _check_names(engine, signature, path)
        datatypes = {spec.datatype for spec in (*signature.inputs, *signature.outputs)}
        if "BF16" in datatypes:
            engine = Bfloat16Engine(engine, signature, onnxruntime.OrtValue)
        session = OnnxTextSession(engine, signature) if "BYTES" in datatypes else OnnxSession(engine, signature)
        session.lent = lent
        return session


class OnnxSession:
    """A `modeldyno.protocols.Session` for numeric tensors: nothing happens here but the call."""

    lent: Sequence[bytes] = ()
    """Weights in memory that ONNX Runtime may read as long as it computes."""

    def __init__(self, engine: Any, signature: Signature) -> None:
        self._signature = signature
        self._outputs = [spec.name for spec in signature.outputs]
        self._compute = engine.run

    @property
    def signature(self) -> Signature:
        """See `Session`."""
        return self._signature

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        """See `Session`.

        Raises:
            ToolError: ONNX Runtime refuses the tensors or fails on them.
            MemoryError: it could not get the memory for them.
        """
        try:
            return dict(zip(self._outputs, self._compute(self._outputs, inputs), strict=True))
        except Exception as problem:
            if any(words in str(problem) for words in _OUT_OF_MEMORY):
                raise MemoryError(first_line(problem)) from problem
            raise ToolError("ONNX Runtime could not compute this batch", why=first_line(problem)) from problem

    def close(self) -> None:
        """See `Session`; closing twice is as good as once."""
        self._compute = _refuse_closed


class OnnxTextSession(OnnxSession):
    """A session with BYTES tensors: `bytes` objects here, `str` objects in ONNX Runtime."""

    def __init__(self, engine: Any, signature: Signature) -> None:
        super().__init__(engine, signature)
        self._text_inputs = [spec.name for spec in signature.inputs if spec.datatype == "BYTES"]
        self._text_outputs = [spec.name for spec in signature.outputs if spec.datatype == "BYTES"]

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        """See `Session`.

        Raises:
            ToolError: ONNX Runtime refuses the tensors or fails on them, or a text is not UTF-8.
        """
        if self._text_inputs:
            inputs = {**inputs, **{name: _decode(name, inputs[name]) for name in self._text_inputs}}
        outputs = super().run(inputs)
        for name in self._text_outputs:
            outputs[name] = _map_objects(outputs[name], str.encode)
        return outputs


def open_engine(path: Path, options: Any, settings: SessionSettings) -> Any:
    """An `onnxruntime.InferenceSession` of the file, computed by what the settings ask for and by nothing else.

    Raises:
        InputError: the file cannot be loaded.
        ToolError: the execution provider that was asked for cannot be started, or takes nothing of the model.
        UsageError: that provider is not installed.
    """
    import onnxruntime

    provider = provider_for(settings)
    if provider is not None:
        remember_assignments(options)
    try:
        # Without its fallback, which opens the file again with other providers and prints to standard output.
        engine = onnxruntime.InferenceSession(
            str(path), options, providers=provider_arguments(provider, settings), enable_fallback=0
        )
    except Exception as problem:  # its error classes share no base but Exception
        if _TOO_NEW in str(problem):
            raise InputError(
                f"{path} is newer than ONNX Runtime {onnxruntime.__version__} here",
                why=_TOO_NEW + str(problem).partition(_TOO_NEW)[2].splitlines()[0],
                hint="export it again with an older opset, or: pip install --upgrade onnxruntime",
            ) from problem
        where = f" with its {provider.name} execution provider" if provider is not None else ""
        raise InputError(
            f"ONNX Runtime cannot load {path}{where}",
            # A provider's own library says last what it is about, after where in its source that was found.
            why=first_line(problem) if provider is None else _last_line(problem),
            hint="`dyno inspect` tells what is in the file; `dyno doctor` which version of ONNX Runtime is used",
        ) from problem
    if provider is not None:
        check_assignments(engine, provider)
    return engine


def session_options(threads: int) -> Any:
    """One call computes with so many threads, one operator after the other; see the comments for the rest."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    # Idle threads of a pool spin by default; with several sessions on a few cores they take the time of those that
    # compute. With one thread there is no pool and nothing to spin.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _lend_weights(options: Any, path: Path) -> list[bytes]:
    """Hand over the files beside a model that is in memory: ONNX Runtime follows no links to such files itself.

    Returns:
        What must stay as long as the session.
    """
    beside = [one for one in path.parent.rglob("*") if one.is_file() and one.name != path.name]
    contents = [one.read_bytes() for one in beside]
    names = [str(one.relative_to(path.parent)) for one in beside]
    options.add_external_initializers_from_files_in_memory(names, contents, [len(one) for one in contents])
    return contents


def _check_names(engine: Any, signature: Signature, path: Path) -> None:
    asked = {spec.name for spec in signature.inputs}, {spec.name for spec in signature.outputs}
    found = {node.name for node in engine.get_inputs()}, {node.name for node in engine.get_outputs()}
    if asked[0] != found[0] or not asked[1] <= found[1]:
        raise InputError(
            f"{path} is not the model that was asked for",
            why=f"it has inputs {sorted(found[0])} and outputs {sorted(found[1])}, "
            f"not {sorted(asked[0])} and {sorted(asked[1])}",
        )


def _decode(name: str, texts: NDArray[Any]) -> NDArray[Any]:
    try:
        return _map_objects(texts, bytes.decode)
    except UnicodeDecodeError as problem:
        raise ToolError(f"input {name!r} holds bytes that are not UTF-8 text", why=str(problem)) from problem


def _map_objects(array: NDArray[Any], change: Any) -> NDArray[Any]:
    changed = np.empty(array.shape, object)
    changed.ravel()[:] = [change(item) for item in array.ravel().tolist()]
    return changed


def _refuse_closed(_outputs: list[str], _inputs: Tensors) -> list[NDArray[Any]]:
    raise ToolError("this session is closed")


def _last_line(problem: Exception) -> str:
    return ([line.strip() for line in str(problem).splitlines() if line.strip()] or [type(problem).__name__])[-1]
