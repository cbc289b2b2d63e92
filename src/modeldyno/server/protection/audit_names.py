"""How the files of an audit log are called: `AUDIT`, rotated `AUDIT.000001`, of further processes `AUDIT.w1`."""

import re
from collections.abc import Sequence
from pathlib import Path

_WRITER = re.compile(r"\.w(\d+)(?:\.\d{6,})?$")
_ROTATED = re.compile(r"\.\d{6,}$")


def audit_path(path: Path, worker: int) -> Path:
    """The file that one process of a server writes.

    Args:
        path: of the log.
        worker: number of the process, from 0; that of a single process.
    """
    return path if worker == 0 else path.with_name(f"{path.name}.w{worker}")


def files_of(path: Path) -> list[Path]:
    """All files of the log at `path`: rotated ones, and those of further processes. Where there are none, `path`."""
    own = re.compile(rf"{re.escape(path.name)}(?:\.w\d+)?(?:\.\d{{6,}})?")
    found = [one for one in path.parent.glob("*") if own.fullmatch(one.name)] if path.parent.is_dir() else []
    return sorted(found) or [path]


def is_rotated(file: Path) -> bool:
    """Whether nothing is written into it any more."""
    return _ROTATED.search(file.name) is not None


def by_writer(files: Sequence[Path]) -> list[list[Path]]:
    """The files of each process; each process writes a chain of its own."""
    groups: dict[int, list[Path]] = {}
    for file in files:
        marked = _WRITER.search(file.name)
        groups.setdefault(int(marked[1]) if marked else 0, []).append(file)
    return [group for _, group in sorted(groups.items())]
