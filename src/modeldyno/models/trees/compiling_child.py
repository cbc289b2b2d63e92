"""The child process of `compiling`: ONNX to C, and the C compiler."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import onnx

from modeldyno.children import answer
from modeldyno.errors import InputError, ToolError, UsageError
from modeldyno.models.trees.compiling import CompilingResult, CompilingTask
from modeldyno.models.trees.ensemble import read_ensemble
from modeldyno.models.trees.program import program_of

# The second level of optimisation takes twice as long and gained nothing that could be measured.
_FLAGS = ("-O1", "-shared", "-fPIC", "-std=c11", "-fno-strict-aliasing")
_MOST_NODES = 1_000_000
"""The compiler takes about a second for each 3,000."""


def compile_here(task: CompilingTask) -> CompilingResult:
    """Read, write the program, compile, move into place.

    Raises:
        InputError: no trees, or trees that are not known here.
        ToolError: the compiler failed.
        UsageError: there is none.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise UsageError("there is no C compiler", why="trees are compiled through C", hint="apt install gcc")
    model = onnx.load(task.source)
    features = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    ensemble = read_ensemble(model)
    nodes = sum(len(tree.branches) for tree in ensemble.trees)
    if nodes > _MOST_NODES:
        raise InputError("these trees are too many to compile", why=f"{nodes:,} questions would take minutes")
    destination = Path(task.destination)
    with tempfile.TemporaryDirectory(dir=destination.parent) as folder:
        source, library = Path(folder) / "trees.c", Path(folder) / "trees.so"
        source.write_text(program_of(ensemble, features))
        _run([compiler, *_FLAGS, "-o", str(library), str(source), "-lm"])
        library.replace(destination)
    return CompilingResult(compiler=_run([compiler, "--version"]).splitlines()[0])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error" in line] or ["it says nothing"]
        raise ToolError(f"the C compiler failed with status {done.returncode}", why=said[0])
    return done.stdout


if __name__ == "__main__":
    answer(compile_here, CompilingTask)
