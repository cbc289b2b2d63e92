"""Where to compute a batch: on the event loop itself, or on the instance's thread.

Handing a batch to a thread and back costs two wake-ups, tens of µs; computing it on the event loop keeps
everything else waiting. So what is known to be short is computed in place.
"""

INLINE_LIMIT_NS = 300_000
"""A health check may wait so long."""

_WEIGHT = 0.25
_MOST_RISE = 8
"""Times the mean that one batch counts for, at most: one during which the machine stood still is no reason to compute
the next ones on a thread. A model that became slow is found out by the third batch or so."""
_STALLED_FACTOR = 10


class ComputeTime:
    """What batches of each size have taken: an exponentially weighted mean for each power of two of elements."""

    def __init__(self) -> None:
        self._mean_ns: dict[int, float] = {}

    def observe(self, elements: int, duration_ns: int) -> None:
        """A batch of so many input elements took so long."""
        size = elements.bit_length()
        mean_ns = self._mean_ns.get(size)
        if mean_ns is None:
            self._mean_ns[size] = duration_ns
        else:
            self._mean_ns[size] = mean_ns + _WEIGHT * (min(duration_ns, _MOST_RISE * mean_ns) - mean_ns)

    def best_elements_per_s(self) -> float | None:
        """The highest rate of all sizes; None before the first batch."""
        # The smallest number of each size's bits, so that the rate is not overstated.
        rates = [(1 << max(0, size - 1)) * 1e9 / max(1, mean_ns) for size, mean_ns in self._mean_ns.items()]
        return max(rates, default=None)

    def expected_ns(self, elements: int) -> float | None:
        """What a batch of so many input elements will take; None when none of that size was seen."""
        return self._mean_ns.get(elements.bit_length())


def is_inline(expected_ns: float | None, *, instances: int) -> bool:
    """Whether to compute on the event loop: one instance, and known to be short."""
    return instances == 1 and expected_ns is not None and expected_ns <= INLINE_LIMIT_NS


def stall_limit_ns(expected_ns: float | None, *, limit_ns: int) -> int:
    """How long a batch may take before its instance is given up.

    Args:
        expected_ns: what a batch of its size takes; None when that is not known.
        limit_ns: an instance is never given up earlier.
    """
    return limit_ns if expected_ns is None else max(limit_ns, round(_STALLED_FACTOR * expected_ns))
