"""Rows on disk while the run goes on, so that a crash leaves what was measured."""

import os
import queue
import threading
from pathlib import Path

from modeldyno.records.files import output_problem


class PartFile:
    """Raw rows, appended by a thread of its own.

    A thread because a write can take seconds when the disk is busy, and the sender must not wait for it. When a
    write fails (disk full), the file ends there and the run goes on in memory.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._problem: str | None = None
        self._pending: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="part file", daemon=True)
        self._thread.start()

    def append(self, content: bytes) -> None:
        """Write this soon."""
        if self._problem is None:  # else nobody takes it any more, and memory would grow
            self._pending.put(content)

    def close(self) -> str | None:
        """Write what is pending. Returns what went wrong, if anything."""
        self._pending.put(None)
        self._thread.join()
        return self._problem

    def _write_all(self) -> None:
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        except OSError as problem:
            self._problem = output_problem(self._path, problem).what
            return
        try:
            while (content := self._pending.get()) is not None:
                while content:
                    content = content[os.write(descriptor, content) :]
        except OSError as problem:
            self._problem = output_problem(self._path, problem).what
        finally:
            os.close(descriptor)
