"""`inspect`: what a model file is, or a bundle."""

from os import PathLike
from pathlib import Path

from modeldyno.deployment.bundle import MANIFEST, PIPELINE, open_bundle, read_datasheet
from modeldyno.errors import UsageError
from modeldyno.machine.environment import capture_environment
from modeldyno.models.examine import examine
from modeldyno.records.artifact import Model, Task
from modeldyno.records.inspection import Inspection


def inspect(model: str | PathLike[str], *, trust: bool = False, task: Task | None = None) -> Model:
    """Describe a model file without running it.

    Args:
        model: path of a model file or directory.
        trust: allow files that can run code when they are loaded.
        task: what the model does, when its file does not say.

    Raises:
        InputError: missing, corrupt or of an unknown format.
        TrustError: loading would run code, and `trust` is False.
    """
    return examine(Path(model), trust=trust, task=task)


def inspect_bundle(bundle: str | PathLike[str]) -> Inspection:
    """Describe a bundle without opening its model, an encrypted one too; its files must be those that were written.

    Args:
        bundle: directory of a bundle of one model.

    Raises:
        InputError: not a bundle, or damaged.
        UsageError: a bundle of several bundles.
    """
    place = Path(bundle)
    if (place / PIPELINE).is_file():
        raise UsageError(
            f"{place} is a pipeline of several models",
            why="each of them was made and proven by itself",
            hint=f"inspect them one by one: ls {place}",
        )
    found = open_bundle(place, opens_encrypted=True)
    here = capture_environment().cpu_flags
    return Inspection(
        path=str(place),
        size_bytes=sum((place / name).stat().st_size for name in (*found.files, MANIFEST)),
        bundle=found,
        datasheet=read_datasheet(place),
        flags_lacking=tuple(flag for flag in found.build_cpu_flags if flag not in here),
    )


def is_bundle(path: str | PathLike[str]) -> bool:
    """Whether it is what `inspect_bundle` describes, or refuses with reasons."""
    return any((Path(path) / name).is_file() for name in (MANIFEST, PIPELINE))
