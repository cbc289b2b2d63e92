"""Programs of PyTorch in files of their own: torch.export's `.pt2`, and TorchScript's `.pt`.

A TorchScript file does not say what shapes and datatypes go in and out; `NAME.signature.json` beside `NAME.pt` does.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modeldyno.errors import InputError
from modeldyno.models.trust import refuse_torch
from modeldyno.records.artifact import Task
from modeldyno.records.base import Record
from modeldyno.records.files import read_record
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.torch_library import load_torch

STATED = ".signature.json"
EXAMPLE = (
    '{"inputs": [{"name": "x", "datatype": "FP32", "shape": ["batch", 4]}],\n'
    ' "outputs": [{"name": "scores", "datatype": "FP32", "shape": ["batch", 3]}], "task": "classification"}'
)
_DATATYPES = {
    "bool": "BOOL", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64",
    "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64",
    "float16": "FP16", "bfloat16": "BF16", "float32": "FP32", "float64": "FP64",
}  # fmt: skip


class Stated(Record, frozen=True, kw_only=True):
    """What a user says of a model that does not say it itself."""

    inputs: tuple[TensorSpec, ...]
    """In the order of the arguments of `forward`."""
    outputs: tuple[TensorSpec, ...]
    task: Task = "unknown"
    classes: tuple[int | str, ...] = ()


def stated_beside(path: Path) -> Stated:
    """What is said of a TorchScript file, or of machine code, in the file beside it.

    Raises:
        InputError: there is none, or it is not sound.
    """
    place = path.with_suffix(STATED)
    if not place.is_file():
        raise InputError(
            f"{path} does not say what goes in and out",
            why=f"neither TorchScript nor machine code keeps shapes, and there is no {place.name} beside it",
            hint=f"write {place}, inputs in the order of forward's arguments:\n{EXAMPLE}",
        )
    return read_record(place, Stated)


def load_script(path: Path, device: str, *, trust: bool) -> Any:
    """The `torch.jit.ScriptModule` in a file, in the state for inference.

    Raises:
        InputError: it cannot be read, or holds something else, such as weights only.
        TrustError: `trust` is false.
        UsageError: PyTorch is not installed.
    """
    torch = load_torch()
    script = _load(path, lambda: torch.jit.load(str(path), map_location=device), trust=trust)
    script.eval()
    return script


def load_export(path: Path, *, trust: bool) -> Any:
    """The `torch.export.ExportedProgram` in a file.

    Raises:
        InputError: it cannot be read, or holds something else.
        TrustError: `trust` is false.
        UsageError: PyTorch is not installed.
    """
    torch = load_torch()
    return _load(path, lambda: torch.export.load(str(path)), trust=trust)


def _load(path: Path, load: Callable[[], Any], *, trust: bool) -> Any:
    if not path.is_file():
        raise InputError(f"cannot read the model {path}", why="No such file or directory", hint="check the path")
    if not trust:
        raise refuse_torch(path)
    try:
        with warnings.catch_warnings():
            # TorchScript says that it is deprecated, whatever it loads.
            warnings.simplefilter("ignore")
            return load()
    except Exception as problem:  # RuntimeError, and what broken archives, pickles and JSON raise
        raise _refusal(path, str(problem)) from problem


def _refusal(path: Path, problem: str) -> InputError:
    if "constants.pkl" in problem:
        return InputError(
            f"{path} holds weights or a pickled module, not a TorchScript program",
            why="torch.save wrote it, and its code is in the program that did",
            hint=f"give the module as file.py:NAME with {path.name} among its `files`, or save a program:\n"
            "  torch.export.save(torch.export.export(model, (rows,), dynamic_shapes=...), 'model.pt2')",
        )
    lines = [line.strip() for line in problem.splitlines() if line.strip()]
    return InputError(
        f"PyTorch cannot read {path}",
        why=lines[0][:300] if lines else "",
        hint="it may be cut short, or written by a newer version of PyTorch",
    )


def export_arguments(program: Any, path: Path) -> tuple[list[str], list[str]]:
    """The names of an exported program's inputs: those given by position, and those given by name.

    Raises:
        InputError: they are lists or dictionaries of tensors, which no protocol carries.
    """
    torch = load_torch()
    names = list(program.graph_signature.user_inputs)
    positional, named = torch.utils._pytree.tree_unflatten(names, program.call_spec.in_spec)  # noqa: SLF001 - no other way to ask
    flat = [*positional, *named.values()]
    if flat != names or not all(isinstance(name, str) for name in names):
        raise InputError(
            f"{path} takes lists, dictionaries or constants, not tensors alone",
            why="each input of a request is one tensor",
            hint="export a module whose forward takes tensors only",
        )
    return list(positional), list(named)


def export_signature(program: Any, path: Path) -> Signature:
    """Names, datatypes and shapes of an exported program; the first dimension that varies is the batch.

    Raises:
        InputError: an input or output is not a tensor of a datatype that can be served.
    """
    positional, named = export_arguments(program, path)
    keys = [*positional, *named]
    nodes = {node.name: node.meta.get("val") for node in program.graph.nodes}
    arguments = dict(zip(program.graph_signature.user_inputs, keys, strict=True))
    symbols: dict[str, str] = {}
    inputs = tuple(_spec(arguments[node], nodes[node], symbols, path) for node in program.graph_signature.user_inputs)
    given = list(program.graph_signature.user_outputs)
    outputs = tuple(
        _spec(name, nodes.get(str(node)), symbols, path)
        for name, node in zip(_output_names(program, given), given, strict=True)
    )
    return Signature(inputs=inputs, outputs=outputs)


def _output_names(program: Any, given: list[Any]) -> list[str]:
    """The keys of the dictionary that it gives, else the last operation of each."""
    torch = load_torch()
    shaped = torch.utils._pytree.tree_unflatten(list(range(len(given))), program.call_spec.out_spec)  # noqa: SLF001 - as above
    if isinstance(shaped, dict) and list(shaped.values()) == list(range(len(given))):
        return [str(key) for key in shaped]
    names: list[str] = []
    for node in given:
        names.append(str(node) if str(node) not in names else f"{node}_{len(names)}")
    return names


def _spec(name: str, value: Any, symbols: dict[str, str], path: Path) -> TensorSpec:
    kind = str(getattr(value, "dtype", type(value).__name__)).removeprefix("torch.")
    if kind not in _DATATYPES:
        raise InputError(f"{name!r} of {path} is {kind}", why="only tensors of numbers can be served")
    return TensorSpec(
        name=name,
        datatype=_DATATYPES[kind],
        shape=tuple(_size(name, axis, size, symbols) for axis, size in enumerate(value.shape)),
    )


def _size(name: str, axis: int, size: Any, symbols: dict[str, str]) -> int | str:
    if isinstance(size, int):
        return size
    return symbols.setdefault(str(size), "batch" if axis == 0 and "batch" not in symbols.values() else f"{name}_{axis}")
