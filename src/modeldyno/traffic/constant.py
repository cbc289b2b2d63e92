"""Arrivals on an exact grid."""

import numpy as np
from numpy.typing import NDArray


def constant(*, rate_per_s: float, requests: int, seed: int) -> NDArray[np.int64]:  # noqa: ARG001 - called as its random siblings are
    """Request `i` is planned at `i / rate`, each rounded on its own so that no error adds up.

    Args:
        rate_per_s: requests per second, above zero.
        requests: how many.
        seed: not used; a grid has nothing random.

    Returns:
        Nanoseconds since the start, ascending, shape `(requests,)`; the first is 0.
    """
    # Nanoseconds of a whole day are below 2^53, so the product in float64 is exact to the nanosecond.
    return np.rint(np.arange(requests, dtype=np.float64) * (1e9 / rate_per_s)).astype(np.int64)
