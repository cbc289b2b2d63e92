"""Every error a user can meet, as one tree, and the exit code of each.

::

    DynoError                      what happened, why, what to type next
    ├── UsageError          (2)    the call or its input is wrong; nothing was changed
    │   ├── InputError             a file: missing, unreadable, corrupt, of an unknown format
    │   ├── TrustError             loading it would run code, or no trusted key signed it
    │   ├── DataError              the data do not fit the model, or hold what no model can answer
    │   ├── ObjectiveError         an objective that does not parse or cannot be judged here
    │   └── OutputError            the place to write to: exists, not writable, disk full
    ├── TargetError         (5)    the server cannot be reached or does not offer the model
    └── ToolError           (1)    a part of ours or a library failed where it should not

Anything else that escapes is a defect of Modeldyno: the command line reports it as such and exits 1.
A failed objective (3) and an invalid measurement (4) are results, not errors: see `ExitCode`.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What `dyno` returns to the shell; documented in docs/reference/exit-codes.md."""

    OK = 0
    """Done; every objective met."""
    FAULT = 1
    """A fault of ours."""
    USAGE = 2
    """Wrong usage or input."""
    OBJECTIVE_FAILED = 3
    """Measured, and an objective failed."""
    NOT_VALID = 4
    """Measured, but the measurement is not valid or cannot tell."""
    UNREACHABLE = 5
    """The target cannot be reached."""
    INTERRUPTED = 130
    """Stopped by the user; what was measured is kept."""


class DynoError(Exception):
    """An error with three parts: what happened (with the value), why, and what to type next.

    Args:
        what: one line, with the offending value.
        why: the reason, when it is not obvious from `what`.
        hint: what the user can type or change next.
    """

    exit_code = ExitCode.FAULT

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    @property
    def in_a_line(self) -> str:
        """What happened, and why."""
        return f"{self.what}: {self.why}" if self.why else self.what

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (converter and load worker children); keyword-only parts need help.
        return (_rebuild, (type(self), self.what, self.why, self.hint))


def first_line(problem: BaseException) -> str:
    """What a library's error says first, for a `why`; its type, where it says nothing."""
    return next((line.strip() for line in str(problem).splitlines() if line.strip()), type(problem).__name__)


def _rebuild(kind: type[DynoError], what: str, why: str, hint: str) -> DynoError:
    return kind(what, why=why, hint=hint)


class UsageError(DynoError):
    """The call or its input is wrong."""

    exit_code = ExitCode.USAGE


class InputError(UsageError):
    """A file that is missing, unreadable, corrupt or of an unknown format."""


class TrustError(UsageError):
    """Loading this file would execute code and nobody said `--trust`, or it is not signed for the trusted key."""


class DataError(UsageError):
    """The data do not fit the model, or hold what no model can answer (NaN, nothing, no labels)."""


class ObjectiveError(UsageError):
    """An objective that does not parse, or that cannot be judged with what was given."""


class OutputError(UsageError):
    """The place to write to exists already, is not writable, or ran out of space."""


class TargetError(DynoError):
    """The server cannot be reached, or does not offer what was asked of it."""

    exit_code = ExitCode.UNREACHABLE


class ToolError(DynoError):
    """A part of ours, or a library under it, failed where it should not."""
