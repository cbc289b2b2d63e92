"""Whether the lines that one process wrote into an audit log are what it wrote."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from modeldyno.errors import InputError
from modeldyno.records.security import AuditBreak, AuditChain, AuditLine
from modeldyno.server.protection.audit_file import NOTHING_BEFORE, parse_line
from modeldyno.server.protection.audit_snapshot import GIVE_FILES, ReadLines, read_lines


class _Place(NamedTuple):
    file: Path
    line: int
    content: bytes


class _Chain:
    """Follows the hashes from line to line."""

    def __init__(self) -> None:
        self.lines = self.requests = self.lost = self.torn = self.first = self.last = 0
        self.is_closed = False
        self._since: hashlib._Hash | None = None
        """Of all from the last line with a hash."""
        self._unhashed = 0
        """Lines behind it."""
        self._torn_at: _Place | None = None

    @property
    def head(self) -> str:
        """What the next line with a hash must carry, should it come now."""
        return NOTHING_BEFORE if self._since is None else self._since.hexdigest()

    def take(self, place: _Place) -> str:
        """Why this line is not the next one; empty when it is, as far as the lines up to here show."""
        self.lines += 1
        line = parse_line(place.content)
        if line is None:
            if self._torn_at is not None or self.lines == 1:
                return "it is no line of an audit log"
            self._torn_at = place  # the line after it must admit it
            self._reach_over(place.content)
            return ""
        why = self._compare(line)
        if line.before:
            self._since, self._unhashed = hashlib.sha256(place.content), 0
        else:
            self._reach_over(place.content)
        self.first = self.first or line.n
        self.last = line.n
        self.requests += line.event == "request"
        self.lost += line.lost
        self.torn += line.torn
        self.is_closed = line.event == "closed"
        return why

    def _reach_over(self, content: bytes) -> None:
        if self._since is not None:
            self._since.update(b"\n" + content)
        self._unhashed += 1

    def _compare(self, line: AuditLine) -> str:
        if self._torn_at is not None:
            if not (line.event == "opened" and line.torn):
                return "the line before it is no line of an audit log"
            self._torn_at = None
            self.last += 1
        if not self.first and not line.before:
            return "the first line has no hash: lines before it are missing"
        if self.first and line.before and line.before != self.head:
            one = f"one of the {self._unhashed + 1} lines" if self._unhashed else "the line"
            return f"{one} before it was changed, or lines between them are missing"
        if self.first and line.n != self.last + 1:
            return f"it has number {line.n}, where {self.last + 1} was due"
        if not self.first and line.n == 1 and line.before != NOTHING_BEFORE:
            return "the first line of all has something before it"
        return ""

    def end(self, last: _Place) -> AuditBreak | None:
        """What is wrong with the end, whose last line this is."""
        if not self._unhashed:
            return None
        why = "it is cut short" if self._torn_at else f"the write of the last {self._unhashed} lines is cut short"
        return AuditBreak(file=str(last.file), line=last.line, why=why)


def check_chain(
    files: Sequence[Path], heads: Collection[str] = (), *, read: ReadLines = read_lines
) -> tuple[AuditChain, set[str]]:
    """Follow what one process wrote through its files, which may be given in any order.

    Args:
        files: of one process.
        heads: hashes to look for.
        read: gives the lines of a file.

    Returns:
        What was found, and which of the hashes are there.

    Raises:
        InputError: a file cannot be read or is something else, or none has a line.
    """
    ordered = _in_order(files, read)
    chain, broken, found, last = _Chain(), None, set(), None
    for last in _places(ordered, read):
        why = chain.take(last)
        if heads and chain.head in heads:
            found.add(chain.head)
        if why:
            broken = AuditBreak(file=str(last.file), line=last.line, why=why)
            break
    if broken is None and last is not None:
        broken = chain.end(last)
    return AuditChain(
        files=tuple(str(file) for file in ordered),
        lines=chain.lines,
        requests=chain.requests,
        first=chain.first,
        last=chain.last,
        head=chain.head,
        lost=chain.lost,
        torn=chain.torn,
        is_closed=chain.is_closed,
        broken=broken,
    ), found


def _in_order(files: Sequence[Path], read: ReadLines) -> list[Path]:
    """By the lines they begin with; an empty one is last: a server has rotated and written nothing since."""
    numbers = {file: _first_number(file, read) for file in files}
    if not any(numbers.values()):
        raise InputError(
            f"{files[0]} is not an audit log", why="it is empty, and so are all that go with it", hint=GIVE_FILES
        )
    return sorted(numbers, key=lambda file: (numbers[file] == 0, numbers[file]))


def _first_number(file: Path, read: ReadLines) -> int:
    """Of its first line; 0 where it has none."""
    first = next(read(file), b"")
    if not first:
        return 0
    line = parse_line(first)
    if line is None:
        raise InputError(f"{file} is not an audit log", why="its first line is none of one", hint=GIVE_FILES)
    return line.n


def _places(files: Sequence[Path], read: ReadLines) -> Iterator[_Place]:
    for file in files:
        for number, line in enumerate(read(file), 1):
            yield _Place(file, number, line.removesuffix(b"\n"))
