"""Where the rows that a key may have computed are counted."""

from typing import Protocol

from modeldyno.policies.rate_limit import take


class TokenBucket(Protocol):
    """The bucket of one key, wherever its tokens are kept."""

    def take(self, rows: int, *, rate_per_s: float, burst_rows: int, now_ns: int) -> int:
        """Let `rows` pass; else how long to wait until they may, in ns. See `modeldyno.policies.rate_limit.take`."""
        ...


class OwnBucket:
    """A bucket in this process's memory, full at first.

    Args:
        burst_rows: rows that it holds.
        now_ns: on the clock that `take` is told.
    """

    __slots__ = ("_at_ns", "_tokens")

    def __init__(self, burst_rows: int, now_ns: int) -> None:
        self._tokens = float(burst_rows)
        self._at_ns = now_ns

    def take(self, rows: int, *, rate_per_s: float, burst_rows: int, now_ns: int) -> int:
        """See `TokenBucket`."""
        self._tokens, wait_ns = take(
            self._tokens, self._at_ns, rows, rate_per_s=rate_per_s, burst_rows=burst_rows, now_ns=now_ns
        )
        self._at_ns = max(self._at_ns, now_ns)
        return wait_ns
