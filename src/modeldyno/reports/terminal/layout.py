"""Lines of plain text that stay within the terminal: labelled entries that hang, and aligned tables."""

import re
import textwrap
from collections.abc import Iterable, Sequence

from modeldyno.reports.wording import GLUE, glued, printable

WIDTH = 110
LABEL_WIDTH = 11
_LONGEST_FACT = 80


def joined(lines: Iterable[str]) -> str:
    """The lines as one text: nothing unprintable, no trailing blanks, never two empty lines in a row."""
    text = "\n".join(printable(line).replace(GLUE, " ").rstrip() for line in lines)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def entry(label: str, text: str) -> list[str]:
    """`label      text`, wrapped under its own beginning; an unbreakable path may run over the edge."""
    return _hanging(label.ljust(LABEL_WIDTH) if len(label) < LABEL_WIDTH else f"{label}  ", text)


def entries(label: str, texts: Sequence[str]) -> list[str]:
    """One entry for each text, the label before the first only."""
    return [line for index, text in enumerate(texts) for line in entry("" if index else label, text)]


def _hanging(start: str, text: str) -> list[str]:
    wrapped = textwrap.wrap(glued(text), WIDTH - len(start), break_long_words=False, break_on_hyphens=False) or [""]
    return [(start if index == 0 else " " * len(start)) + line for index, line in enumerate(wrapped)]


def spaced(*parts: str) -> str:
    """Facts three blanks apart, broken between facts only; empty ones are left out."""
    return "   ".join(part.replace(" ", GLUE) if len(part) <= _LONGEST_FACT else part for part in parts if part)


def table(columns: str, rows: Sequence[Sequence[str]], *, indent: str = "  ") -> list[str]:
    """Aligned rows, the first of which may be a heading; names are cut where the terminal is too narrow for them.

    Args:
        columns: one letter a column: `l` left, `r` right, `e` an estimate (its value to the right, its interval
            to the left), `w` the rest of the line, wrapped (the last column only).
        rows: cells of text; a first cell of one sign and a blank is part of the text.
        indent: what each line starts with.
    """
    for gap, longest in ((3, 44), (2, 44), (2, 32), (2, 24), (2, 20), (2, 16), (2, 10)):
        lines = _laid_out(columns, rows, indent, gap=" " * gap, longest=longest)
        if max(map(len, lines), default=0) <= WIDTH:
            break
    return lines


def _laid_out(columns: str, rows: Sequence[Sequence[str]], indent: str, *, gap: str, longest: int) -> list[str]:
    cells = [[_clipped(cell, kind, longest) for cell, kind in zip(row, columns, strict=True)] for row in rows]
    shaped = [_column([row[index] for row in cells], kind) for index, kind in enumerate(columns)]
    lines: list[str] = []
    for row in zip(*shaped, strict=True):
        if columns.endswith("w"):
            lines.extend(_hanging(indent + "".join(f"{cell}{gap}" for cell in row[:-1]), row[-1]))
        else:
            lines.append((indent + gap.join(row)).rstrip())
    return lines


def _clipped(cell: str, kind: str, longest: int) -> str:
    """Names may be cut, numbers never."""
    cell = printable(cell)
    return cell if kind != "l" or len(cell) <= longest else f"{cell[: longest - 1]}…"


def _column(cells: list[str], kind: str) -> list[str]:
    if kind == "w":
        return cells
    if kind == "e":
        cells = _estimates_aligned(cells)
    width = max(map(len, cells))
    return [cell.rjust(width) if kind == "r" else cell.ljust(width) for cell in cells]


def _estimates_aligned(cells: list[str]) -> list[str]:
    heads = [cell.split(" [", 1)[0] if _is_interval(cell) else cell for cell in cells]
    figures = [head for head, cell in zip(heads, cells, strict=True) if _is_figure(cell)]
    width = max(map(len, figures), default=0)
    return [
        head.rjust(width) + cell[len(head) :] if _is_figure(cell) else cell
        for head, cell in zip(heads, cells, strict=True)
    ]


def _is_interval(cell: str) -> bool:
    return " [" in cell and cell.endswith("]")


def _is_figure(cell: str) -> bool:
    return _is_interval(cell) or cell[:1].isdigit() or cell[:1] in "–-"
