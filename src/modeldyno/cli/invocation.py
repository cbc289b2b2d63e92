"""One verb from its arguments to its exit code; the only place that prints errors."""

import argparse
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from modeldyno import __version__
from modeldyno.cli.terminal import Terminal
from modeldyno.clock import SystemClock
from modeldyno.errors import DynoError, ExitCode, UsageError

TRUST_WARNING = (
    "warning: --trust lets the model file run whatever code its author put in it, with your rights, on this machine"
)


class Command(Protocol):
    """What a module under `cli.commands` offers."""

    DESCRIPTION: str
    EXAMPLES: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the verb's own arguments."""
        ...

    def run(self, arguments: argparse.Namespace, terminal: Terminal) -> int:
        """Call the api and print; returns the exit code."""
        ...


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # A negative duration (`-5s`) is a value, as argparse finds of a negative number alone: it is then refused with
        # its reason, and not as an option that nobody knows.
        self._negative_number_matcher = re.compile(r"^-\.?\d")

    def error(self, message: str) -> None:  # type: ignore[override]
        raise UsageError(message, hint=f"{self.prog} --help")


def parser_of(verb: str, command: Command) -> argparse.ArgumentParser:
    """The parser of one verb, with the options that every verb has."""
    parser = _Parser(
        prog=f"dyno {verb}",
        description=command.DESCRIPTION,
        epilog=f"examples:\n{command.EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the record as JSON instead of text")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress and no talk on stderr")
    return parser


def invoke(verb: str, command: Command, arguments: Sequence[str]) -> int:
    """Parse, run, and turn every way to end into an exit code; no traceback reaches the user."""
    terminal = Terminal(sys.stdout, sys.stderr, quiet=False, clock=SystemClock())
    try:
        parsed = parser_of(verb, command).parse_args(arguments)
        terminal.quiet = parsed.quiet
        if getattr(parsed, "trust", False):
            terminal.say(TRUST_WARNING)
        code = command.run(parsed, terminal)
        sys.stdout.flush()
    except DynoError as problem:
        terminal.close_progress()
        terminal.error(problem)
        return problem.exit_code
    except KeyboardInterrupt:
        terminal.close_progress()
        terminal.complain("stopped")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing is wrong. Keep the interpreter from flushing again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as problem:  # noqa: BLE001 - the last line of defence: a defect becomes a report, not a traceback
        terminal.close_progress()
        terminal.complain(_fault(verb, arguments, problem))
        return ExitCode.FAULT
    return code


def _fault(verb: str, arguments: Sequence[str], problem: Exception) -> str:
    """Keep the details of a defect in a file and say how to report it."""
    details = "".join(traceback.format_exception(problem))
    summary = f"this is a fault of dyno, not of yours: {type(problem).__name__}: {problem}"
    try:
        handle, name = tempfile.mkstemp(prefix="dyno-fault-", suffix=".txt")
        with os.fdopen(handle, "w") as stream:
            stream.write(f"dyno {__version__}, Python {sys.version}\ndyno {verb} {' '.join(arguments)}\n\n{details}")
    except OSError:
        return f"{summary}\n{details}\n  next  please report it with the lines above"
    return f"{summary}\n  next  please report it with the file {Path(name)} (read it first: it holds your arguments)"
