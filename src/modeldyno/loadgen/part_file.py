"""Rows on disk while the run goes on, so that a crash leaves what was measured."""

import os
import queue
import threading
from pathlib import Path
from typing import NamedTuple

from modeldyno.records.files import output_problem


class Remainder(NamedTuple):
    """How the writing ended."""

    written_bytes: int
    """That are in the file."""
    kept: bytes
    """What should follow them, but could not be written."""
    problem: str | None
    """Why."""


class PartFile:
    """Raw rows, appended by a thread of its own; the file is made with the first of them.

    A thread because a write can take seconds when the disk is busy, and the sender must not wait for it. When a
    write fails (disk full), the file ends there and what follows is kept in memory, for `close` to return.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._problem: str | None = None
        self._written = 0
        self._kept: list[bytes] = []
        self._pending: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._descriptor = -1
        self._thread = threading.Thread(target=self._write_all, name="part file", daemon=True)
        self._thread.start()

    def append(self, content: bytes) -> None:
        """Write this soon."""
        if content:
            self._pending.put(content)

    def close(self) -> Remainder:
        """Write what is pending."""
        self._pending.put(None)
        self._thread.join()
        if self._descriptor >= 0:
            os.close(self._descriptor)
        return Remainder(self._written, b"".join(self._kept), self._problem)

    def _write_all(self) -> None:
        while (content := self._pending.get()) is not None:
            if self._problem is not None:
                self._kept.append(content)
                continue
            left = content
            try:
                if self._descriptor < 0:
                    self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
                while left:
                    count = os.write(self._descriptor, left)
                    self._written += count
                    left = left[count:]
            except OSError as problem:
                self._problem = output_problem(self._path, problem).what
                self._kept.append(left)
