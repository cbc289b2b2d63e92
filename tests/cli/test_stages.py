import io

import pytest

from modeldyno.cli.stages import LINE_EVERY_NS
from modeldyno.cli.terminal import Terminal
from modeldyno.testing.clock import ManualClock

FACTS = "498/s of 500/s asked, p99 3.4 ms"


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def terminal_on(err: io.StringIO, clock: ManualClock, *, quiet: bool = False) -> Terminal:
    return Terminal(io.StringIO(), err, quiet=quiet, clock=clock)


def test_a_log_has_a_line_every_ten_seconds_with_the_time_left() -> None:
    err, clock = io.StringIO(), ManualClock()
    terminal = terminal_on(err, clock)
    terminal.start("load", total=60.0)
    for second in range(31):
        terminal.advance(second, FACTS)
        clock.advance_ns(1_000_000_000)
    terminal.end()
    assert [f"load: {FACTS}, {left} s left" for left in (50, 40, 30)] == err.getvalue().splitlines()


def test_a_stage_without_a_known_end_says_how_long_it_has_taken() -> None:
    err, clock = io.StringIO(), ManualClock()
    terminal = terminal_on(err, clock)
    terminal.start("making onnx-int8")
    clock.advance_ns(LINE_EVERY_NS)
    terminal.advance(0)
    assert "making onnx-int8: 10 s so far\n" == err.getvalue()


def test_a_short_stage_and_a_quiet_command_leave_no_line() -> None:
    err, clock = io.StringIO(), ManualClock()
    for quiet, wait_ns in ((False, LINE_EVERY_NS - 1), (True, LINE_EVERY_NS)):
        terminal = terminal_on(err, clock, quiet=quiet)
        terminal.start("load", total=60.0)
        clock.advance_ns(wait_ns)
        terminal.advance(10, FACTS)
        terminal.end()
    assert "" == err.getvalue()


def test_what_is_said_meanwhile_stays_and_what_comes_after_the_stage_is_no_progress() -> None:
    err, clock = io.StringIO(), ManualClock()
    terminal = terminal_on(err, clock)
    terminal.start("load", total=60.0)
    terminal.say("the disk is full")
    terminal.end()
    clock.advance_ns(LINE_EVERY_NS)
    terminal.advance(30, FACTS)
    terminal.say("done")
    assert "the disk is full\ndone\n" == err.getvalue()


@pytest.mark.parametrize("total", (60.0, None))
def test_a_terminal_shows_stage_bar_and_facts_and_takes_them_off_when_it_is_over(total: float | None) -> None:
    err = Screen()
    terminal = terminal_on(err, ManualClock())
    terminal.start("load [1/2]", total=total)
    terminal.advance(20, FACTS)
    terminal.say("one line stays")
    terminal.end()
    drawn = err.getvalue()
    assert "load [1/2]" in drawn
    assert FACTS in drawn
    assert "one line stays" in drawn
    assert drawn.count("\x1b[2K") >= 2, "both lines are erased"
