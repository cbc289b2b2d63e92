"""Bundles on disk: written whole or not at all, checked when opened, never overwritten without being asked."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec

from modeldyno.errors import InputError, OutputError
from modeldyno.records.bundle import Bundle, Datasheet, Samples
from modeldyno.records.files import digest_file, from_json, output_problem, read_file, read_record, write_record

MANIFEST, DATASHEET, SAMPLES = "bundle.json", "datasheet.json", "samples.json"
PIPELINE = "pipeline.json"
"""The manifest of several bundles that are served as one."""

Vouch: TypeAlias = Callable[[Path, bytes], None]
"""Given the directory of a bundle and the bytes of its manifest; raises when it is not to be trusted."""


def refuse_existing(directory: Path, *, force: bool) -> None:
    """Say no before any work is done, rather than after it.

    Raises:
        OutputError: something is there already and `force` was not given, or it is not a bundle at all.
    """
    if not directory.exists():
        return
    if not any((directory / name).is_file() for name in (MANIFEST, PIPELINE)):
        raise OutputError(
            f"{directory} exists and is not a bundle", why="it would have to be deleted", hint="choose another --out"
        )
    if not force:
        raise OutputError(
            f"{directory} already holds a bundle",
            why="a bundle is never overwritten without being asked",
            hint="add --force to replace it, or choose another --out",
        )


def write_bundle(
    directory: Path,
    bundle: Bundle,
    *,
    artifact: Path,
    samples: Samples,
    datasheet: Datasheet | None,
    force: bool = False,
) -> Bundle:
    """Write a bundle beside its final place and move it there in one step.

    `bundle.files` is filled with the digests of what was really written.

    Raises:
        OutputError: the place is taken (see `refuse_existing`), not writable, or the disk is full; what was there
            before is untouched.
    """
    with building(directory, force=force) as place:
        return _fill(place, bundle, artifact, samples, datasheet)


@contextlib.contextmanager
def building(directory: Path, *, force: bool) -> Iterator[Path]:
    """A new directory beside `directory`, that takes its place when the block ends without an error.

    Raises:
        OutputError: see `write_bundle`.
    """
    refuse_existing(directory, force=force)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    except OSError as problem:
        raise output_problem(directory, problem) from problem
    try:
        place.chmod(0o755)  # mkdtemp makes it private; a bundle is to be shared
        yield place
        _move_into_place(place, directory)
    except OSError as problem:
        raise output_problem(directory, problem) from problem
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _fill(place: Path, bundle: Bundle, artifact: Path, samples: Samples, datasheet: Datasheet | None) -> Bundle:
    copy_file(artifact, place / bundle.artifact.path)
    folder = Path(bundle.artifact.path).parent
    for name in bundle.artifact.files:
        copy_file(artifact.parent / name, place / folder / name)
    write_record(place / SAMPLES, samples)
    if datasheet is not None:
        write_record(place / DATASHEET, datasheet)
    written = msgspec.structs.replace(bundle, files=digests_in(place))
    write_record(place / MANIFEST, written)
    return written


def copy_file(source: Path, target: Path) -> None:
    """Copy a file into a bundle that is being written; its folder is made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def digests_in(place: Path) -> dict[str, str]:
    """The digests of all files of a bundle that is being written, its manifest not among them."""
    files = {str(path.relative_to(place)): path for path in sorted(place.rglob("*")) if path.is_file()}
    return {name: digest_file(path) for name, path in files.items() if name != MANIFEST}


def _move_into_place(place: Path, directory: Path) -> None:
    old = directory.with_name(f".{directory.name}.old")
    if directory.exists():
        shutil.rmtree(old, ignore_errors=True)
        directory.rename(old)
    place.rename(directory)
    shutil.rmtree(old, ignore_errors=True)


def open_bundle(directory: Path, *, vouch: Vouch | None = None, opens_encrypted: bool = False) -> Bundle:
    """Read a bundle and check that every file is there and is the one that was written.

    Args:
        directory: what `write_bundle` wrote.
        vouch: raises for a manifest that nobody vouches for.
        opens_encrypted: whether the caller can decrypt its files.

    Raises:
        InputError: not a bundle, a file is missing, a digest differs, or it is encrypted and that was not expected.
        TrustError: from `vouch`.
    """
    if not directory.exists():
        raise InputError(f"{directory} does not exist", hint="make a bundle with: dyno tune MODEL --data DATA")
    if not (directory / MANIFEST).is_file():
        raise InputError(
            f"{directory} is not a bundle",
            why=f"it has no {MANIFEST}",
            hint="make a bundle with: dyno tune MODEL --data DATA",
        )
    content = read_file(directory / MANIFEST)
    if vouch is not None:
        vouch(directory, content)
    bundle = from_json(content, Bundle, str(directory / MANIFEST))
    if bundle.encryption is not None and not opens_encrypted:
        raise InputError(
            f"{directory} is encrypted",
            why="only dyno serve opens encrypted bundles",
            hint=f"dyno serve {directory} --bundle-key FILE, and ask the server",
        )
    _check_files(directory, bundle)
    return bundle


def _check_files(directory: Path, bundle: Bundle) -> None:
    for name, digest in bundle.files.items():
        path = directory / name
        if is_outside(name):
            raise InputError(f"{directory / MANIFEST} names a file outside the bundle: {name!r}")
        if not path.is_file():
            raise InputError(f"{path} is missing", why=f"{MANIFEST} lists it", hint="copy the whole bundle again")
        if digest_file(path) != digest:
            raise InputError(
                f"{path} is not the file that was bundled", why="its digest differs", hint="copy the whole bundle again"
            )
    for name in artifact_files(bundle):
        if name not in bundle.files:
            raise InputError(f"{directory / MANIFEST} does not list its own artifact {name!r}")


def artifact_files(bundle: Bundle) -> tuple[str, ...]:
    """The files of the artifact, by path relative to the bundle, the main one first."""
    folder = Path(bundle.artifact.path).parent
    return bundle.artifact.path, *(str(folder / name) for name in bundle.artifact.files)


def is_outside(name: str) -> bool:
    """Whether a path that is to be relative to a folder leaves it, or says the same in a longer way."""
    parts = Path(name).parts
    return not parts or Path(name).is_absolute() or ".." in parts or str(Path(*parts)) != name


def read_datasheet(directory: Path) -> Datasheet | None:
    """What was proven of the bundle; None when nothing was."""
    path = directory / DATASHEET
    return read_record(path, Datasheet) if path.is_file() else None
