"""Token buckets that the processes of one server share: a file that each of them maps into its memory."""

import fcntl
import mmap
import os
import struct
from pathlib import Path

from modeldyno.errors import InputError
from modeldyno.policies.rate_limit import take
from modeldyno.records.files import output_problem

_MARK = b"dyno limits 1\n\0\0"
_ID_BYTES = 16
_STATE = struct.Struct("<qd")
"""When it was last taken from, and its tokens. In this order: of a process that is killed between the two writes, the
bucket keeps less than it had, and never more."""
_SLOT_BYTES = _ID_BYTES + _STATE.size
_flock, _LOCK, _FREE = fcntl.flock, fcntl.LOCK_EX, fcntl.LOCK_UN
_FIRST_BYTES = 4096 * _SLOT_BYTES


class SharedBuckets:
    """The buckets of all keys of one server. Each process has one, and takes from its buckets on one thread.

    A process that is killed lets go of the lock; one that is stopped while it has it stops the others. The file is for
    one run of a server: its moments are on the monotonic clock, which begins anew with the machine.

    Args:
        path: made by `create`.

    Raises:
        InputError: there is no such file, or it is something else.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as problem:
            raise InputError(f"cannot open {path}", why=problem.strerror or str(problem)) from problem
        if os.pread(self.handle, len(_MARK), 0) != _MARK:
            os.close(self.handle)
            raise InputError(f"{path} holds no limits", why="it begins with something else")
        self._offsets: dict[bytes, int] = {}
        self._end = _SLOT_BYTES
        """Of the slots that were looked at."""
        self.map = mmap.mmap(self.handle, 0)

    @staticmethod
    def create(path: Path) -> None:
        """Make the file; only its owner can read it.

        Raises:
            OutputError: it cannot be made, or is there already.
        """
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                os.ftruncate(handle, _FIRST_BYTES)
                os.pwrite(handle, _MARK, 0)
            finally:
                os.close(handle)
        except OSError as problem:
            raise output_problem(path, problem) from problem

    def close(self) -> None:
        """Let the file go."""
        self.map.close()
        os.close(self.handle)

    def bucket(self, number: str, *, burst_rows: int, now_ns: int) -> "SharedBucket":
        """The bucket of a key, full when no process has had it before.

        Args:
            number: public id of the key.
            burst_rows: rows that it holds.
            now_ns: on the clock that `take` is told, the same for all processes.
        """
        name = number.encode().ljust(_ID_BYTES, b"\0")
        if len(name) > _ID_BYTES:
            raise InputError(f"{number!r} is no id of a key", why=f"it is longer than {_ID_BYTES} bytes")
        _flock(self.handle, _LOCK)
        try:
            self._look()
            if name not in self._offsets:
                self._add(name, burst_rows, now_ns)
        finally:
            _flock(self.handle, _FREE)
        return SharedBucket(self, self._offsets[name] + _ID_BYTES)

    def _look(self) -> None:
        """Find what other processes added."""
        while True:
            if self._end + _SLOT_BYTES > len(self.map):
                if os.fstat(self.handle).st_size <= len(self.map):
                    return
                self.map = mmap.mmap(self.handle, 0)  # the old one may be in use on the other thread
            name = self.map[self._end : self._end + _ID_BYTES]
            if not name.strip(b"\0"):
                return
            self._offsets[name] = self._end
            self._end += _SLOT_BYTES

    def _add(self, name: bytes, burst_rows: int, now_ns: int) -> None:
        if self._end + _SLOT_BYTES > len(self.map):
            os.ftruncate(self.handle, 2 * len(self.map))
            self.map = mmap.mmap(self.handle, 0)
        _STATE.pack_into(self.map, self._end + _ID_BYTES, now_ns, float(burst_rows))
        self.map[self._end : self._end + _ID_BYTES] = name
        self._offsets[name] = self._end
        self._end += _SLOT_BYTES


class SharedBucket:
    """A `modeldyno.server.protection.token_bucket.TokenBucket` of several processes."""

    __slots__ = ("_buckets", "_place")

    def __init__(self, buckets: SharedBuckets, place: int) -> None:
        self._buckets = buckets
        self._place = place

    def take(self, rows: int, *, rate_per_s: float, burst_rows: int, now_ns: int) -> int:
        """See `TokenBucket`."""
        handle, memory, place = self._buckets.handle, self._buckets.map, self._place
        _flock(handle, _LOCK)
        try:
            at_ns, tokens = _STATE.unpack_from(memory, place)
            tokens, wait_ns = take(tokens, at_ns, rows, rate_per_s=rate_per_s, burst_rows=burst_rows, now_ns=now_ns)
            _STATE.pack_into(memory, place, max(at_ns, now_ns), tokens)
        finally:
            _flock(handle, _FREE)
        return wait_ns
