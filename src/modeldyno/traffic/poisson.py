"""Arrivals of many users who do not know of one another."""

import numpy as np
from numpy.typing import NDArray

from modeldyno.seeds import child_generator


def poisson(*, rate_per_s: float, requests: int, seed: int) -> NDArray[np.int64]:
    """A Poisson process: independent exponential gaps of mean `1 / rate`, the first gap before the first request.

    The gaps are not rescaled to make the total exact, as some tools do: that takes away the slow swings of the
    rate which make real queues grow.

    Args:
        rate_per_s: requests per second, above zero.
        requests: how many.
        seed: the run's root seed; equal seeds give equal schedules.

    Returns:
        Nanoseconds since the start, ascending, shape `(requests,)`.
    """
    gaps_ns = child_generator(seed, "arrivals").exponential(1e9 / rate_per_s, requests)
    return np.rint(np.cumsum(gaps_ns)).astype(np.int64)
