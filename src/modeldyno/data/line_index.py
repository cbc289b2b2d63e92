"""Where the lines of a text file begin, so that any of them can be read without those before."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import DataError

_CHUNK_BYTES = 2**20
_NEWLINE, _RETURN, _QUOTE, _SPACE = b'\n\r" '


class LineIndex:
    """The lines of a file that hold anything, by number: 16 bytes of memory a line.

    Args:
        path: the file; it must stay as it is.
        quoted: whether lines may break within double quotes, as in .csv.

    Raises:
        DataError: it cannot be read.
    """

    def __init__(self, path: Path, *, quoted: bool) -> None:
        self._path = path
        ends, signs = _line_ends(path, quoted=quoted)
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
        is_row = np.diff(signs, prepend=0) > 0
        self._starts, self._ends = starts[is_row], ends[is_row]

    def __len__(self) -> int:
        return len(self._starts)

    def lines(self, start: int, stop: int) -> bytes:
        """Lines `start` to `stop`, as the file has them, empty lines between them included."""
        stop = min(stop, len(self))
        if stop <= start:
            return b""
        with self._path.open("rb") as stream:
            stream.seek(self._starts[start])
            return stream.read(int(self._ends[stop - 1] - self._starts[start]))


def _line_ends(path: Path, *, quoted: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The position behind each line's end, and how many signs that mean anything the file has up to there."""
    found: list[NDArray[np.int64]] = []
    counts: list[NDArray[np.int64]] = []
    position, quotes, meaning = 0, 0, 0
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                signs = np.frombuffer(chunk, np.uint8)
                ends = np.flatnonzero(signs == _NEWLINE)
                if quoted:
                    # A doubled quote within quotes counts twice, and so changes nothing.
                    before = quotes + np.searchsorted(np.flatnonzero(signs == _QUOTE), ends)
                    quotes += int((signs == _QUOTE).sum())
                    ends = ends[before % 2 == 0]
                # Spaces are a value in .csv, and nothing in .jsonl.
                counted = np.cumsum((signs != _NEWLINE) & (signs != _RETURN) if quoted else signs > _SPACE)
                counts.append(counted[ends].astype(np.int64) + meaning)
                meaning += int(counted[-1])
                found.append(ends.astype(np.int64) + position + 1)
                position += len(chunk)
    except OSError as problem:
        raise DataError(f"cannot read {path}", why=problem.strerror or str(problem)) from problem
    behind = np.concatenate([*found, np.zeros(0, np.int64)])
    before = np.concatenate([*counts, np.zeros(0, np.int64)])
    if behind.size and behind[-1] == position:
        return behind, before
    return np.append(behind, position), np.append(before, meaning)
