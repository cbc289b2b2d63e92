"""The folder in memory where the workers of one server leave what is for each other."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from modeldyno.errors import OutputError
from modeldyno.server.protection.shared_limits import SharedBuckets

SLOTS = "slots"
"""In it: a folder for their counts."""
LIMITS = "limits"
"""In it: the file with the limits of keys."""
_PREFIX = "modeldyno-workers-"
_LOCK = "lock"
_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made there has a name of its own, and is for this user only


@contextlib.contextmanager
def worker_folder(memory: Path = _MEMORY) -> Iterator[Path]:
    """Make the folder, and remove it in the end; also those of servers that were killed and could not.

    Args:
        memory: a folder whose files are in memory; where there is none, the system's for temporary files is used.

    Raises:
        OutputError: it cannot be made.
    """
    place = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
    _sweep(place)
    with contextlib.ExitStack() as stack:
        try:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place)))
            lock = stack.enter_context((folder / _LOCK).open("wb"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            (folder / SLOTS).mkdir()
        except OSError as problem:
            raise OutputError(f"cannot make a folder in {place}", why=problem.strerror or str(problem)) from problem
        SharedBuckets.create(folder / LIMITS)
        yield folder


def _sweep(place: Path) -> None:
    """Remove the folders whose server is gone: nobody holds their lock."""
    for folder in place.glob(f"{_PREFIX}*"):
        # Gone meanwhile, another user's, without a lock yet, or locked: then it is none of ours.
        with contextlib.suppress(OSError), (folder / _LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
