"""Python callables as models: `file.py:name`, a function, or a class whose instances are called.

The callable says what goes in and out, and maps a dictionary of arrays to one:

    import numpy as np

    def predict(inputs):
        return {"value": inputs["x"].sum(axis=1)}

    predict.signature = {
        "inputs": [{"name": "x", "datatype": "FP32", "shape": ["batch", 4]}],
        "outputs": [{"name": "value", "datatype": "FP32", "shape": ["batch"]}],
    }

It may also have `task`, `classes` (the labels in the order of the probabilities) and `files` (what it reads, relative
to its own file: weights, vocabularies). A class is instantiated once for each session.
"""

import importlib.util
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import InputError
from modeldyno.models.trust import refuse_python
from modeldyno.protocols import Tensors
from modeldyno.records.artifact import Model, Task
from modeldyno.records.files import digest_files
from modeldyno.records.signature import DATATYPES, Signature

Answers = Callable[[Tensors], dict[str, NDArray[np.generic]]]
_EXAMPLE = (
    'predict.signature = {"inputs": [{"name": "x", "datatype": "FP32", "shape": ["batch", 4]}],\n'
    '                     "outputs": [{"name": "value", "datatype": "FP32", "shape": ["batch"]}]}'
)


class Stated(NamedTuple):
    """What a callable says of itself."""

    signature: Signature
    files: tuple[str, ...]
    task: Task
    classes: tuple[int | str, ...]


def load_python(path: Path, entry: str, *, trust: bool) -> Any:
    """The function, or an instance of the class, that is called `entry` in a Python file.

    Raises:
        InputError: the file cannot be read or run, or holds no such callable.
        TrustError: `trust` is false.
    """
    if not trust:
        raise refuse_python(path, entry)
    found = getattr(_run_file(path), entry, None)
    if not callable(found):
        raise InputError(
            f"{path} holds no callable named {entry!r}",
            why="it is not defined there" if found is None else f"it is of type {type(found).__name__}",
            hint=f"name a function or a class of the file: {path}:NAME",
        )
    if not isinstance(found, type):
        return found
    try:
        return found()
    except Exception as problem:
        raise InputError(f"{path}:{entry} cannot be made", why=_where(problem, path)) from problem


def _run_file(path: Path) -> Any:
    # Each load is a module of its own: two models, or two versions of one, may have files of the same name.
    name = f"modeldyno_user_{path.stem}_{len([one for one in sys.modules if one.startswith('modeldyno_user_')])}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InputError(f"cannot read the model {path}", why="No such file or directory", hint="check the path")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look there for the module of a class
    try:
        spec.loader.exec_module(module)
    except Exception as problem:
        del sys.modules[name]
        raise InputError(f"{path} cannot be run", why=_where(problem, path)) from problem
    return module


def _where(problem: Exception, path: Path) -> str:
    """The error, with the line of the user's file that it came from."""
    if isinstance(problem, SyntaxError):
        return f"line {problem.lineno}: {problem.msg}"
    lines = [frame.lineno for frame in traceback.extract_tb(problem.__traceback__) if frame.filename == str(path)]
    place = f"line {lines[-1]}: " if lines else ""
    return f"{place}{type(problem).__name__}: {problem}"


def answers_of(path: Path, entry: str, signature: Signature, *, trust: bool) -> Answers:
    """A callable ready to answer, which still has the signature that it had when it was described.

    Raises:
        InputError: see `load_python`; or its signature is another one now.
        TrustError: `trust` is false.
    """
    model = load_python(path, entry, trust=trust)
    if _signature(model, path, entry) != signature:
        raise InputError(f"{path} is not the model that was asked for", why="its signature is another one now")
    return lambda inputs: answer_of(model, inputs, signature)


def stated_by(model: Any, path: Path, entry: str) -> Stated:
    """What a callable says of itself.

    Raises:
        InputError: it has no sound signature, or names files or a task that are not there.
    """
    return Stated(
        _signature(model, path, entry),
        _files(model, path, entry),
        _task(model, path, entry),
        tuple(getattr(model, "classes", ())),
    )


def describe_python(model: Any, path: Path, entry: str, task: Task | None) -> Model:
    """The record of what `load_python` gave, which is asked one row.

    Raises:
        InputError: see `stated_by`; or it does not keep its signature.
    """
    stated = stated_by(model, path, entry)
    _check_answer(model, stated.signature, path, entry)
    folder = path.parent
    names = (path.name, *stated.files)
    return Model(
        name=entry if entry.isidentifier() else path.stem,
        path=str(path),
        files=stated.files,
        entry=entry,
        format="python",
        description=f"{path.name}:{entry}",
        task=task or stated.task,
        classes=stated.classes,
        signature=stated.signature,
        precision="mixed",
        size_bytes=sum((folder / name).stat().st_size for name in names),
        digest=digest_files(folder, names),
        parameters=None,
        made_with=f"Python {sys.version_info.major}.{sys.version_info.minor}",
    )


def _signature(model: Any, path: Path, entry: str) -> Signature:
    stated = getattr(model, "signature", None)
    if stated is None:
        raise InputError(
            f"{path}:{entry} does not say what goes in and out",
            why="it has no `signature`",
            hint=f"add one:\n{_EXAMPLE}",
        )
    try:
        signature = stated if isinstance(stated, Signature) else msgspec.convert(stated, Signature)
    except msgspec.ValidationError as problem:
        raise InputError(f"the signature of {path}:{entry} is not one", why=str(problem), hint=_EXAMPLE) from problem
    for spec in (*signature.inputs, *signature.outputs):
        if spec.datatype not in DATATYPES:
            raise InputError(
                f"{spec.name!r} of {path}:{entry} has the unknown datatype {spec.datatype!r}",
                hint=f"one of {', '.join(DATATYPES)}",
            )
        if spec.datatype == "BF16":
            raise InputError(
                f"{spec.name!r} of {path}:{entry} is BF16",
                why="NumPy has no such datatype that a function could compute with",
                hint="say FP32 there",
            )
    if not signature.inputs or not signature.outputs:
        raise InputError(f"the signature of {path}:{entry} has no inputs or no outputs", hint=_EXAMPLE)
    return signature


def _task(model: Any, path: Path, entry: str) -> Task:
    stated = getattr(model, "task", "unknown")
    if stated not in get_args(Task):
        raise InputError(
            f"{path}:{entry} states the unknown task {stated!r}", hint=f"one of {', '.join(get_args(Task))}"
        )
    return cast("Task", stated)


def _files(model: Any, path: Path, entry: str) -> tuple[str, ...]:
    files = tuple(getattr(model, "files", ()))
    for name in files:
        place = Path(str(name))
        if place.is_absolute() or ".." in place.parts or not (path.parent / place).is_file():
            raise InputError(
                f"{path}:{entry} names the file {name!r}",
                why="there is no such file in the folder of the Python file",
                hint="`files` are relative to the Python file, and below its folder, for a bundle takes them along",
            )
    return files


def _check_answer(model: Any, signature: Signature, path: Path, entry: str) -> None:
    row = {
        spec.name: np.ones([1 if isinstance(size, str) else size for size in spec.shape], DATATYPES[spec.datatype])
        for spec in signature.inputs
        if spec.datatype != "BYTES"
    }
    if len(row) < len(signature.inputs):
        return  # which text would be sensible is not known
    try:
        answered = answer_of(model, row, signature)
    except Exception as problem:
        raise InputError(
            f"{path}:{entry} does not answer as its signature says", why=_where(problem, path)
        ) from problem
    for spec in signature.outputs:
        if answered[spec.name].ndim != len(spec.shape):
            raise InputError(
                f"{path}:{entry} does not answer as its signature says",
                why=f"{spec.name!r} has the shape {list(answered[spec.name].shape)}, not {list(spec.shape)}",
            )


def answer_of(model: Any, inputs: Tensors, signature: Signature) -> dict[str, NDArray[np.generic]]:
    """Call it, and give its outputs in the order and the datatypes of the signature.

    Raises:
        TypeError: it does not give a dictionary.
        KeyError: an output is missing.
    """
    answered = model(inputs)
    if not isinstance(answered, Mapping):
        raise TypeError(f"it gave {type(answered).__name__}, not a dictionary of output name to array")
    return {spec.name: np.asarray(answered[spec.name], DATATYPES[spec.datatype]) for spec in signature.outputs}
