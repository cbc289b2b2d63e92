"""The file of an audit log: lines chained by their hashes, appended whole or not at all, rotated by size."""

import fcntl
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from modeldyno.errors import DynoError, InputError, UsageError
from modeldyno.records.files import output_problem
from modeldyno.records.security import AuditLine

NOTHING_BEFORE = "0" * 64
_TAIL_BYTES = 64 * 1024


def parse_line(content: bytes) -> AuditLine | None:
    """The line in these bytes; None when they are something else."""
    try:
        return msgspec.json.decode(content, type=AuditLine)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def hash_of(line: bytes) -> str:
    """SHA-256 of a line, without its newline."""
    return hashlib.sha256(line).hexdigest()


class AuditFile:
    """Appends to a log that no other process writes. Not for several threads at once.

    A write that fails leaves the file as it was: what a full disk took of a line is cut off again.

    Args:
        path: made when it is not there; only its owner can read it.
        rotate_bytes: a file of this size gets a number behind its name, and a new one begins.

    Raises:
        OutputError: it cannot be written.
        UsageError: another process writes it.
        InputError: it is not an audit log.
    """

    def __init__(self, path: Path, *, rotate_bytes: int) -> None:
        self._path = path
        self._rotate_bytes = rotate_bytes
        self._number = 0
        self._before = NOTHING_BEFORE
        self.has_torn_line = False
        """Whether the last writer was killed within a line."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = self._open()
        except OSError as problem:
            raise output_problem(path, problem) from problem
        try:
            self._lock()
            self._size = os.fstat(self._handle).st_size
            self._continue()
        except BaseException:
            os.close(self._handle)
            raise

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            raise UsageError(
                f"another server writes the audit log {self._path}",
                why="lines of two servers in one file cannot be chained",
                hint="give each server a file of its own: --audit FILE",
            ) from problem

    def _continue(self) -> None:
        """Take the chain up where the file ends."""
        if self._size == 0:
            self._begin_after(self._newest_rotated())
            return
        tail = os.pread(self._handle, _TAIL_BYTES, max(0, self._size - _TAIL_BYTES))
        self.has_torn_line = not tail.endswith(b"\n")
        lines = tail.removesuffix(b"\n").split(b"\n")
        if self.has_torn_line:
            # The part is kept, and the chain goes through it: nothing in this file is ever taken back.
            self._append(b"\n")
        self._before = hash_of(lines[-1])
        self._number = self._number_of(lines)

    def _begin_after(self, rotated: Path | None) -> None:
        if rotated is None:
            return
        with rotated.open("rb") as stream:
            stream.seek(max(0, rotated.stat().st_size - _TAIL_BYTES))
            lines = stream.read().removesuffix(b"\n").split(b"\n")
        self._before, self._number = hash_of(lines[-1]), self._number_of(lines)

    def _newest_rotated(self) -> Path | None:
        return max(self._path.parent.glob(f"{self._path.name}.[0-9]*"), default=None)

    def _number_of(self, lines: Sequence[bytes]) -> int:
        for back, line in enumerate(reversed(lines)):
            found = parse_line(line)
            if found is not None:
                return found.n + back
        raise InputError(
            f"{self._path} is not an audit log", why="no line of it is one", hint="choose another file: --audit FILE"
        )

    def write(self, drafts: Sequence[bytes], *, at: str) -> None:
        """Append lines, all of them or none.

        Args:
            drafts: the fields of each line as JSON, without braces, number, moment and hash.
            at: the moment.

        Raises:
            OSError: they could not be written.
        """
        before, number, moment, lines = self._before.encode(), self._number, at.encode(), []
        for draft in drafts:
            number += 1
            line = b'{"n":%d,"at":"%b",%b,"before":"%b"}' % (number, moment, draft, before)
            before = hash_of(line).encode()
            lines.append(line)
        self._append(b"\n".join(lines) + b"\n")
        self._before, self._number = before.decode(), number

    def _append(self, content: bytes) -> None:
        done = 0
        try:
            while done < len(content):
                done += os.write(self._handle, content[done:])
        except OSError:
            if done:
                os.ftruncate(self._handle, self._size)
            raise
        self._size += done

    def sync(self) -> None:
        """Return when what was written would survive a power cut.

        Raises:
            OSError: that cannot be had.
        """
        os.fdatasync(self._handle)

    def is_full(self) -> bool:
        """Whether it is time to `rotate`."""
        return self._size >= self._rotate_bytes

    def rotate(self) -> None:
        """Give the file a number behind its name, one higher than the last, and begin another.

        Raises:
            OSError: it cannot be renamed, or no other can be made; then lines go on into the old one.
        """
        newest = self._newest_rotated()
        following = 1 if newest is None else int(newest.name.rsplit(".", 1)[1]) + 1
        rotated = self._path.with_name(f"{self._path.name}.{following:06d}")
        self._path.rename(rotated)
        try:
            handle = self._open()
        except OSError:
            rotated.rename(self._path)
            raise
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        old, self._handle, self._size = self._handle, handle, 0
        os.fsync(old)
        os.close(old)

    def close(self) -> None:
        """Let the file go."""
        os.close(self._handle)


def describe(problem: OSError | DynoError) -> str:
    """Why a write failed, in words."""
    return problem.what if isinstance(problem, DynoError) else problem.strerror or str(problem)
