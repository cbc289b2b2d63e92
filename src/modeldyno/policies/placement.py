"""Where to compute a batch: on the event loop itself, or on the instance's thread.

Handing a batch to a thread and back costs two wake-ups, tens of µs; computing it on the event loop keeps
everything else waiting. So what is known to be short is computed in place.
"""

INLINE_LIMIT_NS = 300_000
"""A health check may wait so long."""

_WEIGHT = 0.25


class ComputeTime:
    """What batches of each size have taken: an exponentially weighted mean for each power of two of elements."""

    def __init__(self) -> None:
        self._mean_ns: dict[int, float] = {}

    def observe(self, elements: int, duration_ns: int) -> None:
        """A batch of so many input elements took so long."""
        size = elements.bit_length()
        mean_ns = self._mean_ns.get(size)
        self._mean_ns[size] = duration_ns if mean_ns is None else mean_ns + _WEIGHT * (duration_ns - mean_ns)

    def expected_ns(self, elements: int) -> float | None:
        """What a batch of so many input elements will take; None when none of that size was seen."""
        return self._mean_ns.get(elements.bit_length())


def is_inline(expected_ns: float | None, *, instances: int) -> bool:
    """Whether to compute on the event loop: one instance, and known to be short."""
    return instances == 1 and expected_ns is not None and expected_ns <= INLINE_LIMIT_NS
