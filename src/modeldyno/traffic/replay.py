"""Arrivals as they were recorded, faster or in larger numbers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.seeds import child_generator


class Arrivals(NamedTuple):
    """Recorded or planned arrivals."""

    moments_ns: NDArray[np.int64]
    """Since the first, ascending."""
    rows: NDArray[np.int64] | None
    """Rows in each request, when that was recorded."""
    questions: NDArray[np.int64] | None = None
    """A number for what each request asks, when that was recorded: equal numbers ask the same."""


def replay(recorded: Arrivals, *, speed: float, scale: float, seed: int) -> Arrivals:
    """`recorded`, compressed in time by `speed` and multiplied in number by `scale`.

    A scale of 2.5 sends each request twice, and every other one a third time; the copies are spread evenly at random
    over the time until the next recorded request, for copies at one moment would be bursts that nobody recorded.
    A scale below 1 keeps each request with that probability. Where questions were recorded, the second copies of all
    ask among themselves what the first ones do, but other questions than those: twice the traffic repeats itself as
    much as the recorded one, and not more.

    Args:
        recorded: at least one arrival.
        speed: above zero.
        scale: above zero.
        seed: the run's root seed; equal seeds give equal schedules.
    """
    moments = recorded.moments_ns / speed
    generator = child_generator(seed, "arrivals")
    copies = np.floor(scale + generator.random(len(moments))).astype(np.int64)
    index = np.repeat(np.arange(len(moments)), copies)
    gaps = np.diff(moments, append=moments[-1])
    is_first = np.diff(index, prepend=-1) > 0
    shift = np.where(is_first, 0.0, generator.random(len(index)) * gaps[index])
    planned = moments[index] + shift
    order = np.argsort(planned, kind="stable")
    rows = None if recorded.rows is None else recorded.rows[index][order]
    questions = recorded.questions
    if questions is not None:
        copy = np.arange(len(index)) - (np.cumsum(copies) - copies)[index]
        questions = (questions[index] + copy * (int(questions.max(initial=0)) + 1))[order]
    return Arrivals(np.rint(planned[order]).astype(np.int64), rows, questions)
