"""What a token streamer did, by its own account: one row an answer, and the moment of every streamed token."""

import io
from array import array
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ANSWER_DTYPE = np.dtype(
    [
        ("number", "<i8"),  # of the request, from 1, in the order in which they were read; part of the answer's `id`
        ("fate", "<i8"),  # a `StreamFate`
        ("arrived_ns", "<i8"),  # the last byte of the request was read
        ("done_ns", "<i8"),  # the last piece was handed to the socket
        ("tokens", "<i8"),  # streamed; 0 when the answer came as a whole
    ]
)
"""All moments are nanoseconds of CLOCK_MONOTONIC, so that a client on the same machine can be held against them."""


class StreamFate(IntEnum):
    """How an answer ended."""

    FINISHED = 0
    CUT = 1
    UNFINISHED = 2
    HANGING = 3
    LEFT = 4
    """The client was gone before the last token."""


class TokenTruth(NamedTuple):
    """An account, in the order in which answers ended."""

    answers: np.ndarray
    """`ANSWER_DTYPE`."""
    moments_ns: NDArray[np.int64]
    """When each token was handed to the socket, those of one answer together."""

    def first_tokens_ns(self) -> NDArray[np.int64]:
        """From each streamed answer's request to its first token."""
        streamed = self.answers[self.answers["tokens"] > 0]
        firsts = np.cumsum(streamed["tokens"]) - streamed["tokens"]
        taken: NDArray[np.int64] = self.moments_ns[firsts] - streamed["arrived_ns"]
        return taken

    def gaps_ns(self) -> NDArray[np.int64]:
        """From token to token within each answer, all in one array."""
        ends = np.cumsum(self.answers["tokens"][self.answers["tokens"] > 0])[:-1]
        return np.delete(np.diff(self.moments_ns), ends - 1)


class TokenAccount:
    """Collects it: 40 bytes an answer and 8 a token, until it is told to forget."""

    def __init__(self) -> None:
        self._answers = array("q")
        self._moments_ns = array("q")

    def add(self, number: int, fate: StreamFate, arrived_ns: int, done_ns: int, moments_ns: list[int]) -> None:
        """An answer ended."""
        self._answers.extend((number, fate, arrived_ns, done_ns, len(moments_ns)))
        self._moments_ns.extend(moments_ns)

    def forget(self) -> None:
        """Begin anew."""
        del self._answers[:], self._moments_ns[:]

    def encode(self) -> bytes:
        """A `.npz` file with `answers` and `moments_ns`."""
        file = io.BytesIO()
        answers = np.frombuffer(self._answers.tobytes(), ANSWER_DTYPE)
        np.savez(file, answers=answers, moments_ns=np.frombuffer(self._moments_ns.tobytes(), np.int64))
        return file.getvalue()


def decode_token_truth(content: bytes) -> TokenTruth:
    """What `GET /truth` answers."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return TokenTruth(file["answers"], file["moments_ns"])
