"""`convert`: a model in another format, held against the model as it came."""

import tempfile
from os import PathLike
from pathlib import Path
from typing import Literal

import msgspec

from modeldyno.api.artifacts.derivation import Comparison, rows_for
from modeldyno.api.artifacts.elsewhere import ElsewhereTask, convert_elsewhere
from modeldyno.api.artifacts.openvino_recipes import OPENVINO_FP32
from modeldyno.api.artifacts.recipe import ONNX_FP32
from modeldyno.api.artifacts.recipes import recipes_for
from modeldyno.api.workshop.candidates import Maker
from modeldyno.clock import Clock, SystemClock
from modeldyno.errors import InputError, OutputError, UsageError
from modeldyno.models.examine import examine
from modeldyno.protocols import Progress, Silent
from modeldyno.records.artifact import Artifact, Model, Task
from modeldyno.records.derivation import Derivation, Derived
from modeldyno.records.files import digest_files, output_problem
from modeldyno.seeds import DEFAULT_SEED

TargetFormat = Literal["onnx", "openvino"]
_RECIPES: dict[TargetFormat, str] = {"onnx": ONNX_FP32, "openvino": OPENVINO_FP32}
_ENDINGS: dict[TargetFormat, str] = {"onnx": ".onnx", "openvino": ".xml"}
_COMPARED_BY_ITS_CHILD = "answers were compared with Keras's own for one row and for three before anything was written"


def convert(  # noqa: PLR0913 - keyword-only, each an option of the verb
    model: str | PathLike[str],
    *,
    to: TargetFormat,
    out: str | PathLike[str],
    data: str | PathLike[str] | None = None,
    label: str | None = None,
    budget_ns: int = 10_000_000_000,
    trust: bool = False,
    force: bool = False,
    environment: bool = False,
    requirements: str | PathLike[str] | None = None,
    task: Task | None = None,
    seed: int = DEFAULT_SEED,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Derivation:
    """Convert a model, and tell how its answers, its quality and its speed compare with the model as it came.

    Args:
        model: model file or directory.
        to: `onnx`, or `openvino` (an .xml file, with its weights in a .bin file beside it).
        out: the file to write.
        data: rows to compare on, with labels where quality is to be told; made up when None.
        label: column or array that holds the labels.
        budget_ns: time for measuring the speed.
        trust: allow files that can run code when they are loaded.
        force: replace what is there.
        environment: do all of it in an environment of its own, in which what the format needs is installed by pip.
        requirements: a file of what is installed there instead, in pip's form: `scikit-learn==1.5.2`.
        task: what the model does, when its file does not say.
        seed: of resampling and made-up rows.
        progress: where to report how far it is.
        clock: the clock to measure with.

    Raises:
        InputError: the model cannot be read, or not be converted; the reason is told, and nothing is written.
        TrustError, DataError: see `inspect` and `evaluate`.
        OutputError: the place is taken or cannot be written.
        ToolError: the environment could not be made.
        UsageError: the model is in that format already, or `out` has another ending.
    """
    place = Path(out)
    _check_place(place, to, force=force)
    if environment or requirements is not None:
        return convert_elsewhere(
            ElsewhereTask(
                model=str(model),
                to=to,
                out=str(out),
                data=None if data is None else str(data),
                label=label,
                budget_ns=budget_ns,
                trust=trust,
                force=force,
                task=task,
                seed=seed,
            ),
            requirements=None if requirements is None else Path(requirements),
            progress=progress or Silent(),
        )
    examined = examine(Path(model), trust=trust, task=task)
    if examined.format == to:
        raise UsageError(f"{model} is in that format already", hint=f"make it smaller with: dyno compress {model}")
    clock = clock or SystemClock()
    is_keras = examined.format == "keras" and to == "openvino"
    with _folder_beside(place) as folder:
        maker = Maker(
            model=examined,
            dataset=rows_for(examined, data, label, seed, trust=trust),
            is_real_data=data is not None,
            objectives=(),
            work=Path(folder),
            trust=trust,
            seed=seed,
            progress=progress or Silent(),
            recipes=() if is_keras else recipes_for([_RECIPES[to]]),
            asked=(_RECIPES[to],),
        )
        found = Comparison(maker, clock, budget_ns).derive(str(place))
        if is_keras:  # no session of Keras is opened here: what its own process exported is the model from then on
            notes = (*found.notes, _COMPARED_BY_ITS_CHILD)
            found = msgspec.structs.replace(found, made=(found.original,), notes=notes)
        return msgspec.structs.replace(found, made=(_moved(_converted(found, examined, to), place),))


def _check_place(place: Path, to: TargetFormat, *, force: bool) -> None:
    if to not in _ENDINGS:
        raise UsageError(f"nothing is converted to {to!r}", hint=f"choose one of {', '.join(_ENDINGS)}")
    if place.suffix.lower() != _ENDINGS[to]:
        raise UsageError(f"{place} does not end in {_ENDINGS[to]}", hint=f"--out {place.with_suffix(_ENDINGS[to])}")
    if place.exists() and not force:
        raise OutputError(f"{place} is there already", hint="--force replaces it")


def _folder_beside(place: Path) -> tempfile.TemporaryDirectory[str]:
    """On the file system of the result, so that it only needs to be renamed."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.")
    except OSError as problem:
        raise output_problem(place, problem) from problem


def _converted(found: Derivation, model: Model, to: TargetFormat) -> Derived:
    """The artifact that was asked for.

    Raises:
        InputError: it could not be made, or does not agree with itself.
    """
    made = next((one for one in found.made if one.assessed.artifact.format == to), None)
    if made is not None:
        return made
    reasons = "; ".join(one.reason for one in found.refused) or f"there is no way from {model.format} to {to}"
    raise InputError(
        f"{model.path} was not converted to {to}",
        why=reasons,
        hint="dyno tune tries what there is for it, and serves it as it came where nothing is faster",
    )


def _moved(derived: Derived, place: Path) -> Derived:
    """Its files under the name that was asked for, weights beside the main one."""
    artifact = derived.assessed.artifact
    source = Path(artifact.path)
    names = {name: place.with_suffix(Path(name).suffix) for name in artifact.files}
    try:
        for name, target in names.items():
            source.with_name(name).replace(target)
        source.replace(place)
    except OSError as problem:
        raise output_problem(place, problem) from problem
    files = tuple(target.name for target in names.values())
    there: Artifact = msgspec.structs.replace(
        artifact, path=str(place), files=files, digest=digest_files(place.parent, (place.name, *files))
    )
    return msgspec.structs.replace(derived, assessed=msgspec.structs.replace(derived.assessed, artifact=there))
