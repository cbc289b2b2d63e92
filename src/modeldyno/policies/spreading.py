"""Which process gets a new connection."""

from collections.abc import Sequence
from typing import NamedTuple


class Load(NamedTuple):
    """What a process has, as far as connections tell."""

    here: int
    """Open connections of the same address as the new one."""
    everywhere: int
    """Those of all addresses."""


def choose(loads: Sequence[Load | None], *, last: int) -> int | None:
    """The process with the fewest connections of this address, then of all; of equal ones the next in turn.

    Connections and not requests are counted: only they are known where they are accepted. Clients keep theirs, so that
    an even number of connections is an even load.

    Args:
        loads: of each process; None for one that takes none.
        last: the process that was chosen for this address before; -1 at first.

    Returns:
        Its index; None when no process takes any.
    """
    takers = [(load, (index - last - 1) % len(loads), index) for index, load in enumerate(loads) if load is not None]
    return min(takers)[2] if takers else None
