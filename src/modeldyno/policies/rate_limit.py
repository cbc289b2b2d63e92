"""How many rows one client may have computed: a token bucket for the second, a quota for the day."""

import math
from typing import NamedTuple

DAY_S = 86_400


class Bucket(NamedTuple):
    """A token bucket at one moment; one token is one row."""

    tokens: float
    """Rows that may pass now; below zero it is a debt, left by a request larger than the bucket."""
    at_ns: int


class Taken(NamedTuple):
    """The bucket afterwards, and how long to wait before the same rows may pass: 0 when they have passed."""

    bucket: Bucket
    wait_ns: int


def take(bucket: Bucket, rows: int, *, rate_per_s: float, burst_rows: int, now_ns: int) -> Taken:
    """Let `rows` pass, or say when they may (Turner's leaky bucket as a meter; IEEE Communications 24(10), 1986).

    A request larger than the whole bucket passes when the bucket is full, and leaves a debt: refused, it could never
    be served. Over any time t no more than `burst_rows + rate_per_s * t` rows pass, and of one such request the rest.

    Args:
        bucket: as the call before left it.
        rows: of the request.
        rate_per_s: rows a second at which the bucket fills.
        burst_rows: rows that it holds.
        now_ns: on the clock of `bucket.at_ns`.
    """
    # Comparisons and not min() and max(), which would take a third of the time of this: it is run for every request.
    tokens = bucket.tokens
    if now_ns > bucket.at_ns:
        tokens += (now_ns - bucket.at_ns) * rate_per_s / 1e9
    if tokens > burst_rows:
        tokens = float(burst_rows)
    needed = min(burst_rows, rows)
    if tokens >= needed:
        return Taken(Bucket(tokens - rows, now_ns), 0)
    return Taken(Bucket(tokens, now_ns), math.ceil((needed - tokens) / rate_per_s * 1e9))


def is_within_quota(rows: int, *, used_rows: int, quota_rows: int) -> bool:
    """Whether `rows` more fit in what a day allows."""
    return used_rows + rows <= quota_rows


def day_of(epoch_s: int) -> int:
    """The number of the UTC day, from 1970-01-01."""
    return epoch_s // DAY_S


def seconds_left_of_day(epoch_s: int) -> int:
    """Seconds to the next UTC midnight, at least 1."""
    return DAY_S - epoch_s % DAY_S
