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
_TAIL_BYTES = 1024 * 1024
"""More than one write takes: of whatever file, the last line with a hash is in it."""


def parse_line(content: bytes) -> AuditLine | None:
    """The line in these bytes; None when they are something else."""
    try:
        return msgspec.json.decode(content, type=AuditLine)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


class AuditFile:
    """Appends to a log that no other process writes. Not for several threads at once.

    The last line of each write carries a hash of all since the last line that carried one, that line included; so does
    the first line of each file and of each writer. A write that fails leaves the file as it was: what a full disk took
    of a line is cut off again.

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
        self._since: hashlib._Hash | None = None
        """Of all from the last line with a hash; None where there is none."""
        self._is_fresh = True
        """Whether this writer has written nothing into this file."""
        self.has_torn_line = False
        """Whether the last writer was killed within a write."""
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
        unhashed = self._take_up(tail)
        self.has_torn_line = unhashed > 0 or not tail.endswith(b"\n")
        if not tail.endswith(b"\n"):
            # The part is kept, and the chain goes through it: nothing in this file is ever taken back.
            self._append(b"\n")

    def _begin_after(self, rotated: Path | None) -> None:
        if rotated is None:
            return
        with rotated.open("rb") as stream:
            stream.seek(max(0, rotated.stat().st_size - _TAIL_BYTES))
            self._take_up(stream.read())

    def _newest_rotated(self) -> Path | None:
        return max(self._path.parent.glob(f"{self._path.name}.[0-9]*"), default=None)

    def _take_up(self, tail: bytes) -> int:
        """Go on behind these lines; how many there are behind the last one with a hash."""
        lines = tail.removesuffix(b"\n").split(b"\n")
        number = None
        for back, line in enumerate(reversed(lines)):
            found = parse_line(line)
            if found is None:
                continue
            number = found.n + back if number is None else number
            if found.before:
                self._number = number
                self._since = hashlib.sha256(b"\n".join(lines[-back - 1 :]))
                return back
        raise InputError(
            f"{self._path} is not an audit log", why="no line of it is one", hint="choose another file: --audit FILE"
        )

    def write(self, drafts: Sequence[str], *, at: str) -> None:
        """Append lines, all of them or none.

        Args:
            drafts: the fields of each line as JSON, without braces, number, moment and hash.
            at: the moment.

        Raises:
            OSError: they could not be written.
        """
        lines = [f'{{"n":{number},"at":"{at}",{draft}' for number, draft in enumerate(drafts, self._number + 1)]
        content, since = b"", self._since
        if self._is_fresh:
            content, since = _chain(lines[:1], since)
            lines = lines[1:]
        if lines:
            piece, since = _chain(lines, since)
            content += piece
        self._append(content)
        self._since, self._number, self._is_fresh = since, self._number + len(drafts), False

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
        old, self._handle, self._size, self._is_fresh = self._handle, handle, 0, True
        os.fsync(old)
        os.close(old)

    def close(self) -> None:
        """Let the file go."""
        os.close(self._handle)


def _chain(lines: Sequence[str], since: "hashlib._Hash | None") -> tuple[bytes, "hashlib._Hash"]:
    """Close lines; the last carries the hash of all `since` and of the others: a hash for each would double their cost.

    Returns:
        The lines as bytes, and the hash of what the next one is to be of.
    """
    others = "}\n".join((*lines[:-1], "")).encode()
    if since is not None and others:
        since = since.copy()
        since.update(b"\n" + others[:-1])
    before = NOTHING_BEFORE if since is None else since.hexdigest()
    last = f'{lines[-1]},"before":"{before}"}}'.encode()
    return b"%b%b\n" % (others, last), hashlib.sha256(last)


def describe(problem: OSError | DynoError) -> str:
    """Why a write failed, in words."""
    return problem.what if isinstance(problem, DynoError) else problem.strerror or str(problem)
