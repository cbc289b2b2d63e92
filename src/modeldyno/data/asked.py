"""What a reader is asked for."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from modeldyno.protocols import Tensors
from modeldyno.records.signature import Signature

TakesGaps = Callable[[Tensors], bool]
"""Asked with the first row that lacks a number: whether the model can answer it all the same."""


class Asked(NamedTuple):
    """Which rows are wanted from a file or a folder."""

    signature: Signature
    """Of the model, or of the operations before it."""
    label: str | None = None
    """Name of the labels; None: a usual one."""
    beside: Sequence[str] = ()
    """Arrays or columns that are neither features nor labels."""
    may_miss: bool | TakesGaps = False
    """Whether floats may be NaN and texts missing, because operations fill them; or who knows whether floats may."""

    def without(self, names: Sequence[str]) -> list[str]:
        """The names that are not `beside`."""
        return [one for one in names if one not in self.beside]
