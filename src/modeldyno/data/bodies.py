"""Whole bodies of requests: files as they are, or rows as JSON."""

import mimetypes
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from modeldyno.data.columns import ENDINGS, file_names, read_columns
from modeldyno.errors import DataError

JSON = "application/json"
RAW = "application/octet-stream"


class Body(NamedTuple):
    """What one request carries."""

    content: bytes
    media_type: str


def read_bodies(path: Path, *, most: int, most_bytes: int) -> list[Body]:
    """One body for each file of a folder, the one body of a file such as an image, or one for each row of a table.

    A row is an object of its columns, a line of a .jsonl file is taken as it is.

    Args:
        path: folder, file or table.
        most: no more are read.
        most_bytes: nor further ones when the bodies take so much together.

    Raises:
        DataError: missing, unreadable or empty.
    """
    if path.is_dir():
        return _few((_read(path / name) for name in file_names(path)[:most]), most_bytes)
    if path.is_file() and path.suffix.lower() not in ENDINGS:
        return [_read(path)]
    columns = read_columns(path)
    rows = range(min(most, columns.rows))
    return _few((Body(msgspec.json.encode(columns.document(index)), JSON) for index in rows), most_bytes)


def count_bodies(path: Path) -> int:
    """How many there are, read or not.

    Raises:
        DataError: as `read_bodies`.
    """
    return 1 if path.is_file() and path.suffix.lower() not in ENDINGS else read_columns(path).rows


def _few(bodies: Iterable[Body], most_bytes: int) -> list[Body]:
    taken, size = [], 0
    for body in bodies:
        taken.append(body)
        size += len(body.content)
        if size >= most_bytes:
            break
    return taken


def _read(path: Path) -> Body:
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise DataError(f"cannot read {path}", why=problem.strerror or str(problem)) from problem
    return Body(content, mimetypes.guess_type(path.name)[0] or RAW)
