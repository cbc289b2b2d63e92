"""Boosted trees in their libraries' own files: what goes in, what comes out."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from modeldyno.errors import InputError, UsageError, first_line
from modeldyno.records.artifact import Model, ModelFormat, Task
from modeldyno.records.files import digest_file
from modeldyno.records.signature import Signature, TensorSpec

INPUT, LABEL, PROBABILITIES, VALUE = "input", "label", "probabilities", "value"
BATCH = "batch"


class Booster(NamedTuple):
    """What a file says of its model."""

    library: str
    """And its version, as far as the file says."""
    objective: str
    """In the library's words, such as `multi:softprob`."""
    task: Task
    features: int
    classes: int
    """How many; 0 for a model that predicts values."""
    targets: int
    """Values a row."""
    trees: int


def describe_booster(
    path: Path, model_format: ModelFormat, task: Task | None, read: Callable[[Path], Booster]
) -> Model:
    """The record of boosted trees.

    Input `input` FP32 [batch, features]; outputs `label` INT64 and `probabilities` [batch, classes] of a classifier,
    else `value` [batch], or [batch, targets] where several are predicted. Classes are numbered: no file keeps names.

    Raises:
        InputError: not a file of that library.
        UsageError: the library is not installed.
    """
    booster = read(path)
    return Model(
        name=path.stem,
        path=str(path),
        format=model_format,
        description=f"{booster.objective}, {booster.trees:,} {'tree' if booster.trees == 1 else 'trees'}",
        task=task or booster.task,
        classes=tuple(range(booster.classes)),
        signature=signature_of(booster),
        precision="fp32",
        size_bytes=path.stat().st_size,
        digest=digest_file(path),
        parameters=None,
        made_with=booster.library,
    )


def signature_of(booster: Booster) -> Signature:
    """See `describe_booster`."""
    inputs = (TensorSpec(name=INPUT, datatype="FP32", shape=(BATCH, booster.features)),)
    if booster.classes:
        label = TensorSpec(name=LABEL, datatype="INT64", shape=(BATCH,))
        probabilities = TensorSpec(name=PROBABILITIES, datatype="FP32", shape=(BATCH, booster.classes))
        return Signature(inputs=inputs, outputs=(label, probabilities))
    shape = (BATCH,) if booster.targets == 1 else (BATCH, booster.targets)
    return Signature(inputs=inputs, outputs=(TensorSpec(name=VALUE, datatype="FP32", shape=shape),))


def require_booster_library(module: str, name: str) -> None:
    """Say how to install a library when it is not here.

    Raises:
        UsageError: it is not installed.
    """
    if find_spec(module) is None:
        raise UsageError(f"{name} is not installed", hint="pip install 'modeldyno[trees]'")


def unreadable(path: Path, name: str, problem: Exception) -> InputError:
    """The error for a file that the library does not take."""
    return InputError(
        f"{name} cannot read {path}",
        why=first_line(problem),
        hint="it may be cut short, or written by a newer version of the library",
    )
