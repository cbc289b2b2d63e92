"""Reading and writing records: JSON, whole or not at all."""

import errno
import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from modeldyno.errors import InputError, OutputError

T = TypeVar("T")


def digest_bytes(content: bytes) -> str:
    """`sha256:` and the hex digest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def digest_file(path: Path) -> str:
    """`sha256:` and the hex digest of a file's content."""
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def digest_files(folder: Path, names: Sequence[str]) -> str:
    """`sha256:` and the hex digest of a list of files: a line with its own digest and its name for each."""
    if len(names) == 1:
        return digest_file(folder / names[0])
    return digest_bytes("".join(f"{digest_file(folder / name)} {name}\n" for name in names).encode())


def to_json(record: Any) -> bytes:
    """A record as indented JSON, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def from_json(content: bytes, kind: type[T], source: str) -> T:
    """The record in `content`.

    Raises:
        InputError: when it is not JSON, or not of this kind; names `source` and the place.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise InputError(
            f"{source} is not a valid {kind.__name__.lower()} record",
            why=str(problem),
            hint="mend what is named there, or take the file again from where it was made",
        ) from problem


def read_record(path: Path, kind: type[T]) -> T:
    """The record in the file `path`.

    Raises:
        InputError: when the file cannot be read or holds something else.
    """
    return from_json(read_file(path), kind, str(path))


def read_file(path: Path) -> bytes:
    """The content of the file `path`.

    Raises:
        InputError: when it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as problem:
        raise InputError(
            f"cannot read {path}", why=problem.strerror or str(problem), hint="check the path, and who may read it"
        ) from problem


def output_problem(path: Path, problem: OSError) -> OutputError:
    """The error to raise when writing to `path` failed; a full disk is named as such."""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            f"no space left while writing {path}",
            why="the disk (or the quota) is full; what was written before this file is kept",
            hint="free some space, or choose another place, and run the same command again",
        )
    why = problem.strerror or str(problem)
    # Not the methods of a path, which raise where what is above it may not be looked into.
    above = next((parent for parent in path.parents if os.path.exists(parent)), path)  # noqa: PTH110
    if not os.path.isdir(above):  # noqa: PTH112
        why = f"{above} is no directory"
    return OutputError(
        f"cannot write {path}",
        why=why,
        hint="choose another place, or see that this one can be written",
    )


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Raises:
        OutputError: when it cannot be written; the old content is then still there.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)  # noqa: PTH101 - mkstemp makes it private; results are to be shared
        os.replace(temporary, path)  # noqa: PTH105
    except OSError as problem:
        if temporary is not None and os.path.exists(temporary):  # noqa: PTH110
            os.unlink(temporary)  # noqa: PTH108
        raise output_problem(path, problem) from problem


def write_record(path: Path, record: Any) -> None:
    """Write a record as JSON, atomically.

    Raises:
        OutputError: see `write_atomically`.
    """
    write_atomically(path, to_json(record))
