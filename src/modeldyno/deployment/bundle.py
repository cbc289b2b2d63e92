"""Bundles on disk: written whole or not at all, checked when opened, never overwritten without being asked."""

import shutil
import tempfile
from pathlib import Path

import msgspec

from modeldyno.errors import InputError, OutputError
from modeldyno.records.bundle import Bundle, Datasheet, Samples
from modeldyno.records.files import digest_file, output_problem, read_record, write_record

MANIFEST, DATASHEET, SAMPLES = "bundle.json", "datasheet.json", "samples.json"


def refuse_existing(directory: Path, *, force: bool) -> None:
    """Say no before any work is done, rather than after it.

    Raises:
        OutputError: something is there already and `force` was not given, or it is not a bundle at all.
    """
    if not directory.exists():
        return
    if not (directory / MANIFEST).is_file():
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
    refuse_existing(directory, force=force)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    except OSError as problem:
        raise output_problem(directory, problem) from problem
    try:
        written = _fill(building, bundle, artifact, samples, datasheet)
        _move_into_place(building, directory)
    except OSError as problem:
        raise output_problem(directory, problem) from problem
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return written


def _fill(building: Path, bundle: Bundle, artifact: Path, samples: Samples, datasheet: Datasheet | None) -> Bundle:
    building.chmod(0o755)  # mkdtemp makes it private; a bundle is to be shared
    shutil.copyfile(artifact, building / bundle.artifact.path)
    write_record(building / SAMPLES, samples)
    if datasheet is not None:
        write_record(building / DATASHEET, datasheet)
    files = {path.name: digest_file(path) for path in sorted(building.iterdir())}
    written = msgspec.structs.replace(bundle, files=files)
    write_record(building / MANIFEST, written)
    return written


def _move_into_place(building: Path, directory: Path) -> None:
    old = directory.with_name(f".{directory.name}.old")
    if directory.exists():
        shutil.rmtree(old, ignore_errors=True)
        directory.rename(old)
    building.rename(directory)
    shutil.rmtree(old, ignore_errors=True)


def open_bundle(directory: Path) -> Bundle:
    """Read a bundle and check that every file is there and is the one that was written.

    Raises:
        InputError: not a bundle, a file is missing, or a digest differs.
    """
    if not directory.exists():
        raise InputError(f"{directory} does not exist", hint="make a bundle with: dyno tune MODEL --data DATA")
    if not (directory / MANIFEST).is_file():
        raise InputError(
            f"{directory} is not a bundle",
            why=f"it has no {MANIFEST}",
            hint="make a bundle with: dyno tune MODEL --data DATA",
        )
    bundle = read_record(directory / MANIFEST, Bundle)
    for name, digest in bundle.files.items():
        path = directory / name
        if Path(name).name != name:
            raise InputError(f"{directory / MANIFEST} names a file outside the bundle: {name!r}")
        if not path.is_file():
            raise InputError(f"{path} is missing", why=f"{MANIFEST} lists it", hint="copy the whole bundle again")
        if digest_file(path) != digest:
            raise InputError(
                f"{path} is not the file that was bundled", why="its digest differs", hint="copy the whole bundle again"
            )
    if bundle.artifact.path not in bundle.files:
        raise InputError(f"{directory / MANIFEST} does not list its own artifact {bundle.artifact.path!r}")
    return bundle


def read_samples(directory: Path) -> Samples:
    """The sample requests with their expected answers."""
    return read_record(directory / SAMPLES, Samples)


def read_datasheet(directory: Path) -> Datasheet | None:
    """What was proven of the bundle; None when nothing was."""
    path = directory / DATASHEET
    return read_record(path, Datasheet) if path.is_file() else None
