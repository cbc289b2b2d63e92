"""What a known server did, by its own account: one row a POST."""

import io
from array import array
from enum import IntEnum

import numpy as np

TRUTH_DTYPE = np.dtype(
    [
        ("number", "<i8"),  # of the POST, from 1, in the order in which they were read
        ("fate", "<i8"),  # a `Fate`
        ("status", "<i8"),  # of the answer; 0 when what was sent is no answer
        ("arrived_ns", "<i8"),  # its last byte was read
        ("begun_ns", "<i8"),  # a lane took it
        ("service_ns", "<i8"),  # how long it was to be served for, stalls not counted
        ("due_ns", "<i8"),  # the answer, or its first piece, was to be written
        ("done_ns", "<i8"),  # the answer, or its last piece, was handed to the socket; -1 when there was none
    ]
)
"""All moments are nanoseconds of CLOCK_MONOTONIC, so that a client on the same machine can be held against them."""
_COLUMNS = TRUTH_DTYPE.itemsize // 8


class Fate(IntEnum):
    """What the server did to a request."""

    ANSWERED = 0
    STATUS = 1
    RESET = 2
    TRUNCATED = 3
    GARBAGE = 4
    SILENT = 5
    WRONG_ID = 6
    WRONG_ANSWER = 7
    LEFT = 8
    """The client was gone before the answer was due."""
    UNDER_WAY = 9
    """The answer is not due yet."""


class Truth:
    """Collects the rows; 64 bytes each, for as long as the server runs."""

    def __init__(self) -> None:
        self._values = array("q")

    @property
    def posts(self) -> int:
        """How many POSTs were read in full."""
        return len(self._values) // _COLUMNS

    def arrive(self, arrived_ns: int, begun_ns: int, service_ns: int, due_ns: int) -> int:
        """A POST was read; returns its number."""
        number = self.posts + 1
        self._values.extend((number, Fate.UNDER_WAY, 0, arrived_ns, begun_ns, service_ns, due_ns, -1))
        return number

    def end(self, number: int, fate: Fate, status: int, done_ns: int) -> None:
        """The request was answered, or came to another end."""
        row = (number - 1) * _COLUMNS
        self._values[row + 1] = fate
        self._values[row + 2] = status
        self._values[row + 7] = done_ns

    def encode(self) -> bytes:
        """The rows as a `.npy` file."""
        file = io.BytesIO()
        np.save(file, np.frombuffer(self._values.tobytes(), TRUTH_DTYPE), allow_pickle=False)
        return file.getvalue()


def decode_truth(content: bytes) -> np.ndarray:
    """Rows of `TRUTH_DTYPE` from what `GET /truth` answers."""
    rows: np.ndarray = np.load(io.BytesIO(content), allow_pickle=False)
    return rows
