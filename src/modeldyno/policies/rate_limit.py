"""How many rows one client may have computed: a token bucket for the second, a quota for the day."""

import math

DAY_S = 86_400


def take(tokens: float, at_ns: int, rows: int, *, rate_per_s: float, burst_rows: int, now_ns: int) -> tuple[float, int]:
    """Let `rows` pass, or say when they may (Turner's leaky bucket as a meter; IEEE Communications 24(10), 1986).

    A request larger than the whole bucket passes when the bucket is full, and leaves a debt: refused, it could never
    be served. Over any time t no more than `burst_rows + rate_per_s * t` rows pass, and of one such request the rest.

    Args:
        tokens: rows that might pass at `at_ns`; below zero it is a debt.
        at_ns: when the bucket was last taken from.
        rows: of the request.
        rate_per_s: rows a second at which the bucket fills.
        burst_rows: rows that it holds.
        now_ns: on the clock of `at_ns`.

    Returns:
        The tokens at the later of `at_ns` and `now_ns`; how long to wait before the same rows may pass, 0 when they
        have passed.
    """
    # Comparisons and not min() and max(), and a plain tuple: it is run for every request.
    if now_ns > at_ns:
        tokens += (now_ns - at_ns) * rate_per_s / 1e9
    if tokens > burst_rows:
        tokens = float(burst_rows)
    needed = rows if rows < burst_rows else burst_rows  # noqa: FURB136 - see above
    if tokens >= needed:
        return tokens - rows, 0
    return tokens, math.ceil((needed - tokens) / rate_per_s * 1e9)


def is_within_quota(rows: int, *, used_rows: int, quota_rows: int) -> bool:
    """Whether `rows` more fit in what a day allows."""
    return used_rows + rows <= quota_rows


def day_of(epoch_s: int) -> int:
    """The number of the UTC day, from 1970-01-01."""
    return epoch_s // DAY_S


def seconds_left_of_day(epoch_s: int) -> int:
    """Seconds to the next UTC midnight, at least 1."""
    return DAY_S - epoch_s % DAY_S
