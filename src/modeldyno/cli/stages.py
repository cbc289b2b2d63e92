"""How far a stage of a command is: drawn and redrawn on a terminal, a line now and then in a log."""

from typing import Any, Protocol, TextIO

from modeldyno.clock import Clock
from modeldyno.units import format_duration

LINE_EVERY_NS = 10_000_000_000


class Stage(Protocol):
    """Where the progress of one stage goes."""

    def advance(self, done: float, text: str | None) -> None:
        """So much of it is done."""
        ...

    def say(self, line: str) -> None:
        """A line that stays."""
        ...

    def close(self) -> None:
        """It is over."""
        ...


class Bar:
    """A bar with the time left, and below it what there is to know now; taken off the screen when it is over."""

    def __init__(self, err: TextIO, name: str, total: float | None) -> None:
        from rich.console import Console, Group
        from rich.live import Live
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.text import Text

        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(bar_width=24))
        clocks = (TimeElapsedColumn(),) if total is None else (TextColumn("left"), TimeRemainingColumn())
        console = Console(file=err)
        self._bar: Any = Progress(*columns, *clocks, console=console)
        self._task = self._bar.add_task(name, total=total)
        self._words = Text("")
        self._live = Live(Group(self._bar), console=console, transient=True, refresh_per_second=5)
        self._group = Group
        self._live.start()

    def advance(self, done: float, text: str | None) -> None:
        """See `Stage`."""
        self._bar.update(self._task, completed=done)
        if text is not None and text != self._words.plain:
            self._words.plain = text
            self._live.update(self._group(self._bar, self._words))

    def say(self, line: str) -> None:
        """See `Stage`."""
        self._live.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        """See `Stage`."""
        self._live.stop()


class Log:
    """A line every ten seconds with the name of the stage, what there is to know, and the time left.

    A stage that is over sooner says nothing.
    """

    def __init__(self, err: TextIO, name: str, total: float | None, *, clock: Clock) -> None:
        self._err = err
        self._name = name
        self._total = total
        self._clock = clock
        self._began_ns = self._last_ns = clock.now_ns()

    def advance(self, done: float, text: str | None) -> None:
        """See `Stage`."""
        now_ns = self._clock.now_ns()
        if now_ns - self._last_ns < LINE_EVERY_NS:
            return
        self._last_ns = now_ns
        self.say(f"{self._name}: " + ", ".join(one for one in (text or "", self._left(done, now_ns)) if one))

    def say(self, line: str) -> None:
        """See `Stage`."""
        self._err.write(f"{line}\n")
        self._err.flush()

    def close(self) -> None:
        """See `Stage`."""

    def _left(self, done: float, now_ns: int) -> str:
        """At the pace so far; where there is no total, how long it has taken."""
        took_ns = now_ns - self._began_ns
        if self._total is None or done <= 0:
            return f"{format_duration(took_ns, 2)} so far"
        return f"{format_duration(took_ns * max(0.0, self._total - done) / done, 2)} left"
