"""Arrivals at a rate that changes over time: a Poisson process whose intensity is given piece by piece."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.seeds import child_generator

Floats = NDArray[np.float64]


class Piece(NamedTuple):
    """A stretch of time in which the rate goes from one value to another in a straight line."""

    seconds: float
    from_per_s: float
    to_per_s: float

    @property
    def expected(self) -> float:
        """Requests it is expected to hold."""
        return self.seconds * (self.from_per_s + self.to_per_s) / 2


def varying(pieces: Sequence[Piece], *, requests: int, seed: int) -> NDArray[np.int64]:
    """A Poisson process of the intensity that `pieces` describe, the last rate going on after them.

    A process of rate 1 is drawn and its time stretched by the inverse of the expected count (Cinlar 1975,
    Introduction to Stochastic Processes, section 4.7), which is exact, where drawing piece by piece is not.

    Args:
        pieces: in time order, rates above zero.
        requests: how many.
        seed: the run's root seed; equal seeds give equal schedules.

    Returns:
        Nanoseconds since the start, ascending, shape `(requests,)`.
    """
    ordinals = np.cumsum(child_generator(seed, "arrivals").exponential(1.0, requests))
    return np.rint(1e9 * moments_of(ordinals, pieces)).astype(np.int64)


def moments_of(ordinals: Floats, pieces: Sequence[Piece]) -> Floats:
    """The seconds after which so many requests are expected: the inverse of the expected count."""
    counts = np.cumsum([0.0, *(piece.expected for piece in pieces)])
    starts = np.cumsum([0.0, *(piece.seconds for piece in pieces)])
    last = pieces[-1].to_per_s
    moments = starts[-1] + (ordinals - counts[-1]) / last
    for number, piece in enumerate(pieces):
        inside = (ordinals >= counts[number]) & (ordinals < counts[number + 1])
        left = ordinals[inside] - counts[number]
        slope = (piece.to_per_s - piece.from_per_s) / piece.seconds
        # left = from * t + slope * t^2 / 2, solved for t in the form that does not cancel when the slope is small.
        root = np.sqrt(piece.from_per_s**2 + 2 * slope * left)
        moments[inside] = starts[number] + 2 * left / (piece.from_per_s + root)
    return np.asarray(moments, np.float64)
