"""Whether an audit log is what was written."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from modeldyno.errors import InputError
from modeldyno.records.security import AuditBreak, AuditLine, AuditReport
from modeldyno.server.audit_file import NOTHING_BEFORE, hash_of, parse_line


class _Place(NamedTuple):
    file: Path
    line: int
    content: bytes


class _Chain:
    """Follows the hashes from line to line."""

    def __init__(self) -> None:
        self.lines = self.requests = self.lost = self.torn = self.first = self.last = 0
        self.head = NOTHING_BEFORE
        self.is_closed = False
        self._torn_at: _Place | None = None

    def take(self, place: _Place) -> str:
        """Why this line is not the next one; empty when it is."""
        self.lines += 1
        line = parse_line(place.content)
        if line is None:
            if self._torn_at is not None or self.lines == 1:
                return "it is no line of an audit log"
            self._torn_at = place  # the line after it must admit it
            self.head = hash_of(place.content)
            return ""
        why = self._compare(line)
        self.head = hash_of(place.content)
        self.first = self.first or line.n
        self.last = line.n
        self.requests += line.event == "request"
        self.lost += line.lost
        self.is_closed = line.event == "closed"
        return why

    def _compare(self, line: AuditLine) -> str:
        if self._torn_at is not None:
            if not (line.event == "opened" and line.torn):
                return "the line before it is no line of an audit log"
            self.torn += 1
            self._torn_at = None
            self.last += 1
        if self.first and line.before != self.head:
            return "the line before it was changed, or lines between them are missing"
        if self.first and line.n != self.last + 1:
            return f"it has number {line.n}, where {self.last + 1} was due"
        if not self.first and line.n == 1 and line.before != NOTHING_BEFORE:
            return "the first line of all has something before it"
        return ""

    def end(self) -> AuditBreak | None:
        """What is wrong with the end."""
        torn = self._torn_at
        return None if torn is None else AuditBreak(file=str(torn.file), line=torn.line, why="it is cut short")


def check_chain(files: Sequence[Path], *, head: str | None = None) -> tuple[AuditReport, bool]:
    """Follow a log through its files, which may be given in any order.

    Args:
        files: of the log.
        head: hash of a line that must be among them; None for any.

    Returns:
        What was found, and whether the line with the hash `head` is there.

    Raises:
        InputError: a file cannot be read, or is empty of lines.
    """
    ordered = sorted(files, key=_first_number)
    chain, broken, has_head = _Chain(), None, head is None
    for place in _places(ordered):
        why = chain.take(place)
        has_head = has_head or chain.head == head
        if why:
            broken = AuditBreak(file=str(place.file), line=place.line, why=why)
            break
    report = AuditReport(
        files=tuple(str(file) for file in ordered),
        lines=chain.lines,
        requests=chain.requests,
        first=chain.first,
        last=chain.last,
        head=chain.head,
        lost=chain.lost,
        torn=chain.torn,
        is_closed=chain.is_closed,
        broken=broken or chain.end(),
    )
    return report, has_head


def _first_number(file: Path) -> int:
    try:
        with file.open("rb") as stream:
            first = stream.readline()
    except OSError as problem:
        raise InputError(f"cannot read {file}", why=problem.strerror or str(problem)) from problem
    line = parse_line(first)
    if line is None:
        raise InputError(
            f"{file} is not an audit log", why="its first line is none of one", hint="give the files of --audit"
        )
    return line.n


def _places(files: Sequence[Path]) -> Iterator[_Place]:
    for file in files:
        with file.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                yield _Place(file, number, line.removesuffix(b"\n"))
