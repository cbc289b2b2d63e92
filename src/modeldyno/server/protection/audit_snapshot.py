"""The files of an audit log as they are at one moment, while a server may write into it and rotate it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from modeldyno.errors import InputError
from modeldyno.server.protection.audit_names import files_of, is_rotated

GIVE_FILES = "give the file that the server was given with --audit, or exactly those to check"

ReadLines = Callable[[Path], Iterator[bytes]]


class Snapshot(NamedTuple):
    """Which files there are, and what reads each as it was then."""

    files: list[Path]
    read: ReadLines


def read_lines(file: Path) -> Iterator[bytes]:
    """The lines of a file, each with its end.

    Raises:
        InputError: it cannot be read.
    """
    with _opened(file) as stream:
        yield from stream


@contextmanager
def snapshot_of(path: Path) -> Iterator[Snapshot]:
    """All files of the log at `path`. Those that a server may give another name meanwhile are held open.

    Raises:
        InputError: one cannot be read.
    """
    while True:
        with ExitStack() as stack:
            files, held = files_of(path), {}
            try:
                for file in files:
                    if not is_rotated(file):
                        held[file] = stack.enter_context(_opened(file))
            except InputError:
                if files_of(path) == files:
                    raise
                continue
            if files_of(path) == files:  # else it was rotated in between, and what is open may not be what was named
                yield Snapshot(files, _reader(held))
                return


def _reader(held: Mapping[Path, BinaryIO]) -> ReadLines:
    def read(file: Path) -> Iterator[bytes]:
        stream = held.get(file)
        if stream is None:
            yield from read_lines(file)
        else:
            stream.seek(0)
            for line in stream:  # noqa: UP028 - `yield from` would close it with who reads no further
                yield line

    return read


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as problem:
        raise InputError(f"cannot read {file}", why=problem.strerror or str(problem), hint=GIVE_FILES) from problem
