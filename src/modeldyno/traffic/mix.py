"""Which size of request comes when, in a load of several sizes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modeldyno.records.workload import KindShare, RowShare
from modeldyno.seeds import child_generator


def mixed_rows(mix: Sequence[RowShare], *, requests: int, seed: int) -> NDArray[np.int64]:
    """Rows of each request: every size as often as its share says, in random order.

    Args:
        mix: shares that add up to 1.
        requests: how many.
        seed: the run's root seed; equal seeds give equal orders.

    Returns:
        Shape `(requests,)`.
    """
    places = _mixed([one.share for one in mix], requests, child_generator(seed, "sizes"))
    return np.array([one.rows for one in mix], np.int64)[places]


def mixed_kinds(mix: Sequence[KindShare], *, requests: int, seed: int) -> NDArray[np.int64]:
    """Kind of each request, as its place in `mix`: every one as often as its share says, in random order.

    Arguments and result as for `mixed_rows`.
    """
    return _mixed([one.share for one in mix], requests, child_generator(seed, "kinds"))


def _mixed(shares: Sequence[float], requests: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Places in `shares`; the numbers of each are exact, to the nearest request, and not drawn.

    So two runs with different seeds offer the same work.
    """
    ends = np.rint(np.cumsum(shares) * requests).astype(np.int64)
    ends[-1] = requests
    places = np.repeat(np.arange(len(shares)), np.diff(ends, prepend=0)).astype(np.int64)
    return np.asarray(generator.permutation(places), np.int64)


def mix_of(rows: NDArray[np.int64]) -> tuple[RowShare, ...]:
    """The sizes in a plan and how often each comes."""
    sizes, counts = np.unique(rows, return_counts=True)
    return tuple(
        RowShare(rows=int(size), share=float(count / len(rows))) for size, count in zip(sizes, counts, strict=True)
    )
