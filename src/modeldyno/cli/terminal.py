"""Where text goes: results to stdout, talk and progress to stderr, colour and bars only on a terminal."""

import re
from collections.abc import Callable
from typing import TextIO, TypeVar

from modeldyno.cli.stages import Bar, Log, Stage
from modeldyno.clock import Clock
from modeldyno.errors import DynoError

Shown = TypeVar("Shown")

_COLOURS = (
    (re.compile(r"^▸.*$", re.MULTILINE), "bold"),
    (re.compile(r"\b(?:pass|valid)\b"), "green"),
    (re.compile(r"\b(?:fail|invalid|refused)\b"), "red"),
    (re.compile(r"\bcannot tell\b"), "yellow"),
    (re.compile(r"^(?:bundle|report|next)\b", re.MULTILINE), "cyan"),
)


class Terminal:
    """The two streams of a command and the stage it is at. Also a `protocols.Progress`.

    Args:
        out: for results.
        err: for talk and progress.
        quiet: neither talk nor progress.
        clock: for the lines of a log; None leaves them out.
    """

    def __init__(self, out: TextIO, err: TextIO, *, quiet: bool, clock: Clock | None = None) -> None:
        self.quiet = quiet
        self._out = out
        self._err = err
        self._clock = clock
        self._stage: Stage | None = None

    def result(self, text: str) -> None:
        """Print what was asked for."""
        if not self._out.isatty():
            self._out.write(text if text.endswith("\n") else f"{text}\n")
            return
        from rich.console import Console
        from rich.text import Text

        coloured = Text(text)
        for pattern, style in _COLOURS:
            coloured.highlight_regex(pattern, style)
        Console(file=self._out, soft_wrap=True).print(coloured)

    def show(self, found: Shown, in_words: Callable[[Shown], str], *, as_json: bool) -> None:
        """Print what was asked for: the record itself as JSON, or what is said of it."""
        from modeldyno.records.files import to_json

        if as_json:
            self.record(to_json(found))
        else:
            self.result(in_words(found))

    def record(self, content: bytes) -> None:
        """Print a record as JSON."""
        self._out.write(content.decode())

    def say(self, line: str) -> None:
        """Talk: one line on stderr, unless quiet."""
        if self.quiet:
            return
        if self._stage is not None:
            self._stage.say(line)
        else:
            self._err.write(f"{line}\n")
            self._err.flush()

    def complain(self, line: str) -> None:
        """An error line: always printed."""
        self._err.write(f"dyno: {line}\n")
        self._err.flush()

    def error(self, problem: DynoError) -> None:
        """What happened, why, and what to type next."""
        lines = [f"dyno: {problem.what}"]
        if problem.why:
            lines += [f"  why   {problem.why.splitlines()[0]}"] + [
                f"        {one}" for one in problem.why.splitlines()[1:]
            ]
        if problem.hint:
            lines += [f"  next  {problem.hint.splitlines()[0]}"] + [
                f"        {one}" for one in problem.hint.splitlines()[1:]
            ]
        self._err.write("\n".join(_shown(line) for line in lines) + "\n")
        self._err.flush()

    def start(self, text: str, total: float | None = None) -> None:
        """A stage begins: a bar with the time left on a terminal, now and then a line in a log."""
        self.close_progress()
        if self.quiet:
            return
        if self._err.isatty():
            self._stage = Bar(self._err, text, total)
        elif self._clock is not None:
            self._stage = Log(self._err, text, total, clock=self._clock)

    def advance(self, done: float, text: str | None = None) -> None:
        """So much of the stage is done; `text` is what there is to know of it now."""
        if self._stage is not None:
            self._stage.advance(done, text)

    def end(self) -> None:
        """The stage is over."""
        self.close_progress()

    def close_progress(self) -> None:
        """Take the bar off the screen."""
        if self._stage is not None:
            self._stage.close()
            self._stage = None


def _shown(line: str) -> str:
    """Without what would drive the terminal: the reason may quote a file that is no text."""
    return "".join(sign if sign.isprintable() or sign == "\t" else "\ufffd" for sign in line)
