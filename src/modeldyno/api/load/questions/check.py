"""How answers are to be checked under load."""

from dataclasses import dataclass
from os import PathLike

from modeldyno.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Check:
    """What answers are held against.

    Raises:
        UsageError: a share that is not between 0 and 1, or a negative tolerance.
    """

    expected: str | PathLike[str]
    """A file with what is expected for each row of the data, or `server` for the server's own answers before the
    load."""
    share: float = 1.0
    """Of the answers, those whose content is looked at, drawn by the seed."""
    tolerance: float = 1e-4
    """For numbers with a fraction, relative and absolute, as `numpy.allclose` has it."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UsageError(f"a share of {self.share:g} of the answers cannot be checked", hint="above 0, at most 1")
        if not 0 <= self.tolerance < float("inf"):
            raise UsageError(f"a tolerance of {self.tolerance:g} cannot be", hint="0 or more, for example 1e-4")
