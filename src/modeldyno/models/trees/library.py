"""A shared library of compiled trees: its function, once someone vouches for the file."""

import ctypes
from pathlib import Path
from typing import Any, NamedTuple

from modeldyno.errors import InputError, first_line
from modeldyno.models.trees.program import ENTRY, SIZES
from modeldyno.models.trust import refuse_machine_code


class CompiledTrees(NamedTuple):
    """What a library holds."""

    compute: Any
    """See `program.ENTRY`; takes the addresses as whole numbers and lets other threads run."""
    features: int
    scores: int
    has_labels: bool


def load_compiled_trees(path: Path, *, trust: bool) -> CompiledTrees:
    """Load a library of `compiling`.

    Raises:
        InputError: it cannot be loaded, or is another library.
        TrustError: `trust` is false; what a library holds runs when it is loaded.
    """
    if not path.is_file():
        raise InputError(f"cannot read the model {path}", why="No such file or directory", hint="check the path")
    if not trust:
        raise refuse_machine_code(path)
    try:
        library = ctypes.CDLL(str(path.resolve()))
        sizes = (ctypes.c_int64 * 3).in_dll(library, SIZES)
        compute = library[ENTRY]
    except (OSError, ValueError, AttributeError) as problem:
        raise InputError(
            f"{path} does not hold compiled trees that this machine can load",
            why=first_line(problem),
            hint="compile them again here: dyno compress MODEL --recipe trees-compiled --trust --out FOLDER",
        ) from problem
    compute.argtypes = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
    compute.restype = None
    return CompiledTrees(compute, int(sizes[0]), int(sizes[1]), bool(sizes[2]))
