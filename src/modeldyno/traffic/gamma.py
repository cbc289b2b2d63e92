"""Arrivals in bursts, or evener than chance."""

import numpy as np
from numpy.typing import NDArray

from modeldyno.seeds import child_generator


def gamma(*, rate_per_s: float, requests: int, seed: int, burstiness: float) -> NDArray[np.int64]:
    """Independent gaps of a gamma distribution of mean `1 / rate` and shape `burstiness`.

    The meaning of burstiness is that of `vllm bench serve`: the coefficient of variation of the gaps is
    `1 / sqrt(burstiness)`, so that 1 is a Poisson process, 0.25 has gaps twice as uneven, and 100 is almost a grid.

    Args:
        rate_per_s: requests per second, above zero.
        requests: how many.
        seed: the run's root seed; equal seeds give equal schedules.
        burstiness: shape parameter, above zero.

    Returns:
        Nanoseconds since the start, ascending, shape `(requests,)`.
    """
    mean_ns = 1e9 / rate_per_s
    gaps_ns = child_generator(seed, "arrivals").gamma(burstiness, mean_ns / burstiness, requests)
    return np.rint(np.cumsum(gaps_ns)).astype(np.int64)
