"""Pipelines on disk: the bundles of their members in one directory, written whole or not at all, checked on opening."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import msgspec

from modeldyno.deployment.bundle import MANIFEST, PIPELINE, SAMPLES, Vouch, building, copy_file, open_bundle
from modeldyno.deployment.signing import SIGNATURE, read_private_key, sign_manifest
from modeldyno.errors import InputError, TrustError
from modeldyno.records.bundle import Samples
from modeldyno.records.files import digest_bytes, digest_file, from_json, read_file, write_record
from modeldyno.records.pipeline import Pipeline, members_of

MEMBERS = "members"


def write_pipeline(
    directory: Path, pipeline: Pipeline, *, members: Mapping[str, Path], samples: Samples, force: bool = False
) -> Pipeline:
    """Write a pipeline with copies of its members' bundles.

    `pipeline.files` is filled with the digests of what was really written.

    Args:
        directory: where it goes.
        pipeline: what it is.
        members: the bundle of each member.
        samples: requests with the answers that the whole must give.
        force: replace what is there.

    Raises:
        InputError: a member is no sound plain bundle.
        OutputError: the place is taken, not writable, or the disk is full; what was there before is untouched.
    """
    with building(directory, force=force) as place:
        for name, source in members.items():
            target = place / MEMBERS / name
            target.mkdir(parents=True)
            for file in (MANIFEST, *open_bundle(source).files):
                copy_file(source / file, target / file)
            open_bundle(target)  # what was copied is what was bundled, whatever happened to the source meanwhile
        write_record(place / SAMPLES, samples)
        files = {
            path.relative_to(place).as_posix(): digest_file(path) for path in sorted(place.rglob("*")) if path.is_file()
        }
        written = msgspec.structs.replace(pipeline, files=files)
        write_record(place / PIPELINE, written)
    return written


def open_pipeline(directory: Path, *, vouch: Vouch | None = None) -> Pipeline:
    """Read a pipeline and check that every file is there and is the one that was written.

    Args:
        directory: what `write_pipeline` wrote.
        vouch: raises for a manifest that nobody vouches for.

    Raises:
        InputError: not a pipeline, a file is missing, or a digest differs.
        TrustError: from `vouch`.
    """
    manifest = directory / PIPELINE
    content = read_file(manifest)
    if vouch is not None:
        vouch(directory, content)
    pipeline = from_json(content, Pipeline, str(manifest))
    for name, digest in pipeline.files.items():
        parts = PurePosixPath(name).parts
        if PurePosixPath(name).is_absolute() or ".." in parts or not parts:
            raise InputError(f"{manifest} names a file outside the pipeline: {name!r}")
        path = directory / name
        if not path.is_file():
            raise InputError(f"{path} is missing", why=f"{PIPELINE} lists it", hint="copy the whole pipeline again")
        if digest_file(path) != digest:
            raise InputError(
                f"{path} is not the file that was combined",
                why="its digest differs",
                hint="copy the whole pipeline again",
            )
    members = members_of(pipeline.graph)
    if not members:
        raise InputError(f"{manifest} names no model", hint="combine bundles: dyno combine")
    for name in (SAMPLES, *(_manifest_of(member) for member in members)):
        if name not in pipeline.files:
            raise InputError(f"{manifest} does not list {name!r}", hint="combine the bundles again: dyno combine")
    return pipeline


def member_directory(directory: Path, member: str) -> Path:
    """Where the bundle of a member is."""
    return directory / MEMBERS / member


def vouch_of_member(pipeline: Pipeline, member: str) -> Vouch:
    """Lets in the bundle of this member, as the pipeline's manifest lists it, and no other."""

    def vouch(directory: Path, manifest: bytes) -> None:
        if digest_bytes(manifest) != pipeline.files[_manifest_of(member)]:
            raise TrustError(
                f"{directory} is not the bundle that was combined",
                why=f"{PIPELINE} lists another digest of its manifest",
                hint="get the pipeline from its author again",
            )

    return vouch


def samples_of(directory: Path, pipeline: Pipeline) -> Samples:
    """The sample requests with the answers of the whole.

    Raises:
        InputError: the file was changed since it was checked.
    """
    content = read_file(directory / SAMPLES)
    if digest_bytes(content) != pipeline.files[SAMPLES]:
        raise InputError(f"{directory / SAMPLES} is not the file that was combined", why="its digest differs")
    return from_json(content, Samples, str(directory / SAMPLES))


def sign_pipeline(source: Path, target: Path, *, signing_key: Path, force: bool = False) -> Pipeline:
    """Copy a pipeline and sign the copy's manifest, and by its digests every file of it.

    Raises:
        InputError: the source is no sound pipeline, or the key cannot be read.
        OutputError: the target cannot be written.
    """
    private = read_private_key(signing_key)
    pipeline = open_pipeline(source)
    with building(target, force=force) as place:
        for name in (PIPELINE, *pipeline.files):
            copy_file(source / name, place / name)
        write_record(place / SIGNATURE, sign_manifest((place / PIPELINE).read_bytes(), private))
        open_pipeline(place)
    return pipeline


def _manifest_of(member: str) -> str:
    return f"{MEMBERS}/{member}/{MANIFEST}"
