"""What a sending process shows of itself while it sends: counts in memory that its parent can look at.

Not a message: a pipe has a lock, and a parent that holds it while something else has the processor would hold up the
sending by as long (seen here: 0.8 s on a busy machine). Nobody waits for anybody here. A look may catch a count half
written, which is as good as one taken a moment earlier: results come from the rows.
"""

import mmap
import os
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.loadgen.buckets import COUNT
from modeldyno.records.requests import Outcome

_FIXED = 4
_BYTES = 8 * (_FIXED + len(Outcome) + COUNT)


class Tally(NamedTuple):
    """Counts since the start."""

    elapsed_ns: int
    """When they were taken, since the start."""
    sent: int
    waiting: int
    """Requests that are due and wait for a connection."""
    in_flight: int
    failures: NDArray[np.int64]
    """By `Outcome`."""
    buckets: NDArray[np.int64]
    """Answered requests per response time bucket, see `buckets`."""


class TallyBoard:
    """Shared memory behind a file descriptor.

    Args:
        descriptor: of `new_board_descriptor`, perhaps inherited; closed with the board.
    """

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, _BYTES)
        self._descriptor = descriptor
        self._cells = np.frombuffer(self._memory, np.int64)

    def post(self, tally: Tally) -> None:
        """Replace what is shown."""
        cells = self._cells
        cells[_FIXED : _FIXED + len(Outcome)] = tally.failures
        cells[_FIXED + len(Outcome) :] = tally.buckets
        cells[:_FIXED] = tally[:_FIXED]

    def look(self) -> Tally | None:
        """A copy of what is shown; None before anything is."""
        cells = self._cells.copy()
        if not cells[0]:
            return None
        elapsed_ns, sent, waiting, in_flight = cells[:_FIXED].tolist()
        failures, buckets = cells[_FIXED : _FIXED + len(Outcome)], cells[_FIXED + len(Outcome) :]
        return Tally(elapsed_ns, sent, waiting, in_flight, failures, buckets)

    def close(self) -> None:
        """Give the memory back."""
        del self._cells
        self._memory.close()
        os.close(self._descriptor)


def new_board_descriptor() -> int:
    """Memory for a board that nobody else can open; a child gets it when its descriptor is passed on."""
    descriptor = os.memfd_create("tally")
    os.ftruncate(descriptor, _BYTES)
    return descriptor
