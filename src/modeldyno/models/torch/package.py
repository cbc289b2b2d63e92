"""Packages of AOTInductor: an archive with a library for one model, called through its C interface.

PyTorch's own way of calling them holds the interpreter lock until the answer is there (torch 2.13), so that nothing
else in the process would run meanwhile, neither other instances nor the server. A call through `ctypes` lets go of it.
The functions are those of torch/csrc/inductor/aoti_runtime/interface.h.
"""

import ctypes
import tempfile
import weakref
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from modeldyno.errors import InputError, ToolError
from modeldyno.torch_library import load_torch

_INSIDE = "/data/aotinductor/"
_LIBRARY, _METADATA = ".wrapper.so", "_metadata.json"


def is_package(path: Path) -> bool:
    """Whether a .pt2 file was compiled ahead of time, rather than written by torch.export; nothing in it is run."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(_INSIDE in f"/{name}" for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False  # whoever opens it says why it cannot be read


def read_metadata(path: Path) -> dict[str, str]:
    """What a package says of itself; nothing in it is run.

    Raises:
        InputError: it cannot be read, or needs more than its own library to compute.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if _INSIDE in f"/{name}"]
            told = next(name for name in names if name.endswith(f".wrapper{_METADATA}"))
            metadata = msgspec.json.decode(archive.read(told), type=dict[str, str])
    except (OSError, ValueError, StopIteration, zipfile.BadZipFile, msgspec.MsgspecError) as problem:
        raise InputError(f"PyTorch cannot read {path}", why=str(problem) or "it is not whole") from problem
    # With such a file the library calls back operations that have no code in it, by way of Python.
    if any(name.endswith(".json") and not name.endswith(_METADATA) for name in names):
        raise InputError(f"{path} does not hold all of its operations", why="some were left to PyTorch by the compiler")
    return metadata


class Package:
    """A library that is loaded, with its weights; takes tensors in the order of its inputs, and gives a list.

    Args:
        path: of the package, which the user vouches for.

    Raises:
        InputError: it cannot be read or loaded.
    """

    def __init__(self, path: Path) -> None:
        self._bridge = load_torch()._C._aoti  # noqa: SLF001 - how Python's tensors become those of the C interface
        self._library = _loaded(path)
        self._container = ctypes.c_void_p()
        create = self._library.AOTInductorModelContainerCreateWithDevice
        status = create(ctypes.byref(self._container), ctypes.c_size_t(1), b"cpu", None)
        count = ctypes.c_size_t()
        if status or self._library.AOTInductorModelContainerGetNumOutputs(self._container, ctypes.byref(count)):
            raise InputError(f"PyTorch cannot read {path}", why="its library does not start")
        weakref.finalize(self, _release, self._library, self._container)
        self._outputs = count.value

    def __call__(self, *tensors: Any) -> list[Any]:
        """The answers of one batch.

        Raises:
            ToolError: the library failed.
        """
        given = _pointers(self._bridge.unsafe_alloc_void_ptrs_from_tensors(list(tensors)))
        found = (ctypes.c_void_p * self._outputs)()
        run = self._library.AOTInductorModelContainerRun
        sizes = ctypes.c_size_t(len(tensors)), ctypes.c_size_t(self._outputs)
        if run(self._container, given, sizes[0], found, sizes[1], None, None):
            raise ToolError("PyTorch could not compute this batch", why=self._said())
        answered: list[Any] = self._bridge.alloc_tensors_by_stealing_from_void_ptrs(
            [_capsule(pointer, None, None) for pointer in found]
        )
        return answered

    def _said(self) -> str:
        """What the library says of its last failure; older ones only print it."""
        said = ctypes.c_char_p()
        if not hasattr(self._library, "AOTInductorGetLastError") or self._library.AOTInductorGetLastError(
            ctypes.byref(said)
        ):
            return "its machine code failed"
        return next(iter((said.value or b"its machine code failed").decode(errors="replace").splitlines()))[:300]


def _loaded(path: Path) -> ctypes.CDLL:
    try:
        with tempfile.TemporaryDirectory(prefix="dyno-") as folder, zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith(_LIBRARY))
            # Loaded, it needs its file no longer.
            return ctypes.CDLL(archive.extract(name, folder))
    except (OSError, ValueError, StopIteration, zipfile.BadZipFile) as problem:
        raise InputError(
            f"PyTorch cannot read {path}",
            why=str(problem)[:300] or "it holds no library",
            hint="it may be cut short, or made by another version of PyTorch: make it again from the model",
        ) from problem


def _release(library: ctypes.CDLL, container: ctypes.c_void_p) -> None:
    """Python never unloads a library, and this one holds the weights."""
    library.AOTInductorModelContainerDelete(container)
    ctypes.CDLL(None).dlclose(ctypes.c_void_p(library._handle))  # noqa: SLF001 - there is no other way to name it


def _pointers(capsules: Sequence[Any]) -> Any:
    return (ctypes.c_void_p * len(capsules))(*(_pointer(capsule, None) for capsule in capsules))


_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
_capsule = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
    ("PyCapsule_New", ctypes.pythonapi)
)
