"""PyTorch: torch.export, TorchScript, machine code of AOTInductor, modules of Python files, text encoders."""

import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import InputError, ToolError, UsageError
from modeldyno.protocols import Tensors
from modeldyno.records.deployment import RuntimeName, SessionSettings
from modeldyno.records.signature import Signature
from modeldyno.runtimes.input_shapes import InputShapes
from modeldyno.torch_library import Program, ReadProgram, load_torch, named_arrays, to_tensor

_FAILED = "PyTorch could not compute this batch"
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "not enough memory")


class PyTorchRuntime:
    """A `modeldyno.protocols.Runtime`.

    Args:
        read: how programs are read; decides what may be run, and refuses settings that a program does not know.
    """

    name: RuntimeName = "pytorch"
    formats = frozenset({"torch-export", "torchscript", "torch-module", "torch-aoti", "transformers"})

    def __init__(self, read: ReadProgram) -> None:
        self._read = read

    def open(self, path: Path, signature: Signature, settings: SessionSettings) -> "PyTorchSession":
        """Load the program at `path`.

        Raises:
            InputError: it cannot be loaded, or is another model than `signature` says.
            TrustError: nobody vouches for it.
            UsageError: PyTorch is not installed, or the settings mean nothing to it.
        """
        texts = [spec.name for spec in (*signature.inputs, *signature.outputs) if spec.datatype == "BYTES"]
        if texts:
            raise InputError(
                f"PyTorch does not compute {path}", why=f"{texts[0]!r} holds texts, and a tensor holds numbers only"
            )
        torch = load_torch()
        if settings.device == "cuda" and not torch.cuda.is_available():
            raise UsageError("this PyTorch finds no CUDA device", hint="take the device cpu")
        # What is compiled here is compiled for as many threads as this thread computes with.
        threads = _Threads(settings.threads)
        threads.hold()
        return PyTorchSession(self._read(path, signature, settings), signature, settings.device, threads)


class PyTorchSession:
    """A `modeldyno.protocols.Session`."""

    def __init__(self, program: Program, signature: Signature, device: str, threads: "_Threads") -> None:
        self._program: Program | None = program
        self._signature = signature
        self._device = device
        self._threads = threads
        self._shapes = InputShapes(signature)
        torch = load_torch()
        self._no_gradients = torch.inference_mode
        self._out_of_memory = torch.OutOfMemoryError

    @property
    def signature(self) -> Signature:
        """See `Session`."""
        return self._signature

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        """See `Session`.

        Raises:
            ToolError: PyTorch refuses the tensors or fails on them.
            MemoryError: it could not get the memory for them.
        """
        if self._program is None:
            raise ToolError("this session is closed")
        self._threads.hold()
        self._shapes.require(inputs, _FAILED)
        tensors = [to_tensor(inputs[spec.name], spec).to(self._device) for spec in self._signature.inputs]
        try:
            with self._no_gradients():
                answered = self._program(*tensors)
            return named_arrays(answered, self._signature.outputs)
        except ToolError:
            raise
        except Exception as problem:
            # Errors of its own are RuntimeErrors; a user's module raises whatever it likes.
            if isinstance(problem, self._out_of_memory) or any(words in str(problem) for words in _OUT_OF_MEMORY):
                raise MemoryError(_last_line(problem)) from problem
            raise ToolError(_FAILED, why=f"{type(problem).__name__}: {_last_line(problem)}") from problem

    def close(self) -> None:
        """See `Session`; closing twice is as good as once."""
        self._program = None


class _Threads:
    """How many threads PyTorch computes with, set in the thread that computes.

    OpenMP keeps the number for each calling thread, PyTorch one for the process, with which it prepares a thread at
    the first operation there. So a thread is prepared first (asking does it) and set then, and what was last set is
    remembered: setting costs more than a small model.
    """

    _thread = threading.local()

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def hold(self) -> None:
        """Make the number hold here and now."""
        if getattr(self._thread, "threads", 0) != self._threads:
            torch = load_torch()
            torch.get_num_threads()
            torch.set_num_threads(self._threads)
            self._thread.threads = self._threads


def _last_line(problem: Exception) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(problem).__name__
