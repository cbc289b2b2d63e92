"""Which size of request comes when, in a load of several sizes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modeldyno.records.workload import RowShare
from modeldyno.seeds import child_generator


def mixed_rows(mix: Sequence[RowShare], *, requests: int, seed: int) -> NDArray[np.int64]:
    """Rows of each request: every size as often as its share says, to the nearest request, in random order.

    The numbers are exact and not drawn, so that two runs with different seeds offer the same work.

    Args:
        mix: shares that add up to 1.
        requests: how many.
        seed: the run's root seed; equal seeds give equal orders.

    Returns:
        Shape `(requests,)`.
    """
    ends = np.rint(np.cumsum([one.share for one in mix]) * requests).astype(np.int64)
    ends[-1] = requests
    rows = np.repeat([one.rows for one in mix], np.diff(ends, prepend=0)).astype(np.int64)
    return np.asarray(child_generator(seed, "sizes").permutation(rows), np.int64)


def mix_of(rows: NDArray[np.int64]) -> tuple[RowShare, ...]:
    """The sizes in a plan and how often each comes."""
    sizes, counts = np.unique(rows, return_counts=True)
    return tuple(
        RowShare(rows=int(size), share=float(count / len(rows))) for size, count in zip(sizes, counts, strict=True)
    )
