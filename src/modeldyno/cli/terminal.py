"""Where text goes: results to stdout, talk and progress to stderr, colour and bars only on a terminal."""

import re
from typing import Any, TextIO

from modeldyno.errors import DynoError

_COLOURS = (
    (re.compile(r"^▸.*$", re.MULTILINE), "bold"),
    (re.compile(r"\b(?:pass|valid)\b"), "green"),
    (re.compile(r"\b(?:fail|invalid|refused)\b"), "red"),
    (re.compile(r"\bcannot tell\b"), "yellow"),
    (re.compile(r"^(?:bundle|report|next)\b", re.MULTILINE), "cyan"),
)


class Terminal:
    """The two streams of a command and the progress bar on one of them. Also a `protocols.Progress`."""

    def __init__(self, out: TextIO, err: TextIO, *, quiet: bool) -> None:
        self.quiet = quiet
        self._out = out
        self._err = err
        self._bar: Any = None
        self._task: Any = None

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

    def record(self, content: bytes) -> None:
        """Print a record as JSON."""
        self._out.write(content.decode())

    def say(self, line: str) -> None:
        """Talk: one line on stderr, unless quiet."""
        if self.quiet:
            return
        if self._bar is not None:
            self._bar.console.print(line, highlight=False, markup=False, soft_wrap=True)
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
        self._err.write("\n".join(lines) + "\n")
        self._err.flush()

    def start(self, text: str, total: float | None = None) -> None:
        """A stage begins: a bar with the time left, on a terminal only."""
        self.close_progress()
        if self.quiet or not self._err.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24))
        clocks = (TimeElapsedColumn(),) if total is None else (TextColumn("left"), TimeRemainingColumn())
        self._bar = Progress(*columns, *clocks, console=Console(file=self._err), transient=True)
        self._task = self._bar.add_task(text, total=total)
        self._bar.start()

    def advance(self, done: float, text: str | None = None) -> None:
        """So much of the stage is done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, **({} if text is None else {"description": text}))

    def end(self) -> None:
        """The stage is over."""
        self.close_progress()

    def close_progress(self) -> None:
        """Take the bar off the screen."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None
