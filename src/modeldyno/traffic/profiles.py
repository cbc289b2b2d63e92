"""Rates over time by name: a ramp, stairs, a spike."""

from collections.abc import Callable, Mapping, Sequence

from modeldyno.records.workload import ArrivalName
from modeldyno.traffic.varying import Piece

SPIKE_SHARE = 0.2
"""The middle fifth of the run is the spike: long enough to fill queues, with time after it to see them empty."""

Profile = Callable[[float, float, float, int], Sequence[Piece]]
"""From seconds, first rate, other rate and steps to pieces."""


def ramp(seconds: float, from_per_s: float, to_per_s: float, _: int = 2) -> list[Piece]:
    """The rate goes from one value to the other in a straight line."""
    return [Piece(seconds, from_per_s, to_per_s)]


def step(seconds: float, from_per_s: float, to_per_s: float, steps: int = 2) -> list[Piece]:
    """The rate climbs `steps` levels of equal length and equal distance, the first and the last value included."""
    levels = [from_per_s + (to_per_s - from_per_s) * number / (steps - 1) for number in range(steps)]
    return [Piece(seconds / steps, level, level) for level in levels]


def spike(seconds: float, from_per_s: float, to_per_s: float, _: int = 2) -> list[Piece]:
    """The rate jumps to another value in the middle of the run, and back."""
    calm = seconds * (1 - SPIKE_SHARE) / 2
    return [
        Piece(calm, from_per_s, from_per_s),
        Piece(seconds * SPIKE_SHARE, to_per_s, to_per_s),
        Piece(calm, from_per_s, from_per_s),
    ]


PROFILES: Mapping[ArrivalName, Profile] = {"ramp": ramp, "step": step, "spike": spike}
"""Name to rate over time."""


def mean_rate_per_s(pieces: Sequence[Piece]) -> float:
    """Expected requests over time."""
    return sum(piece.expected for piece in pieces) / sum(piece.seconds for piece in pieces)
