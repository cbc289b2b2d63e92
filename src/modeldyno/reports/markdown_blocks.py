"""Blocks of GitHub Flavored Markdown (github.github.com/gfm): lists, tables, and text in which nothing is markup."""

import re
from collections.abc import Sequence

from modeldyno.reports.wording import printable

_SPECIAL = re.compile(r"([\\`*<>|#~]|\](?=[(\[:])|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
"""Left alone are an interval in brackets (only what follows a bracket makes it a link) and a _ within a word."""


def bullets(lines: Sequence[str]) -> str:
    """A list."""
    return "\n".join(f"- {escaped(line)}" for line in lines)


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """A list of names and values; those without a value are left out."""
    return bullets([f"{name}: {value}" for name, value in pairs if value])


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(
        f"| {' | '.join(cell if index == 1 else escaped(cell) for cell in line)} |" for index, line in enumerate(lines)
    )


def escaped(text: str) -> str:
    """Names come from files that others wrote: nothing in them becomes markup, a link or a new row."""
    return _SPECIAL.sub(r"\\\1", printable(" ".join(text.split())))


def document(blocks: Sequence[str]) -> str:
    """The blocks that are not empty, with an empty line between them."""
    return "\n\n".join(block for block in blocks if block) + "\n"
