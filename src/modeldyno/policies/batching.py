"""Which waiting requests to compute now, and when to look again."""

from collections.abc import Iterable
from typing import NamedTuple


class BatchDecision(NamedTuple):
    """Take so many requests from the front now; or none, and look again at a moment, or on the next event."""

    take: int
    look_again_ns: int | None
    """None: nothing but an arrival or an instance falling idle can change the answer."""


def choose_batch(
    waiting_rows: Iterable[int],
    *,
    max_rows: int,
    max_delay_ns: int,
    idle_instances: int,
    oldest_arrival_ns: int,
    now_ns: int,
) -> BatchDecision:
    """Decide for one queue of requests that can be merged.

    Work-conserving: an idle instance takes what is there, unless it may wait for company and the oldest request has
    not waited `max_delay_ns` yet. A request is never split; one larger than `max_rows` is computed alone.

    Args:
        waiting_rows: rows of each waiting request, oldest first.
        max_rows: the largest batch.
        max_delay_ns: how long an idle instance may wait for company.
        idle_instances: instances that compute nothing.
        oldest_arrival_ns: when the first of them arrived.
        now_ns: the present.
    """
    if idle_instances == 0:
        return BatchDecision(0, None)
    take = total = 0
    is_full = False
    for rows in waiting_rows:
        if take and total + rows > max_rows:
            is_full = True
            break
        take += 1
        total += rows
        if total >= max_rows:
            is_full = True
            break
    if take == 0:
        return BatchDecision(0, None)
    due_ns = oldest_arrival_ns + max_delay_ns
    if is_full or now_ns >= due_ns:
        return BatchDecision(take, None)
    return BatchDecision(0, due_ns)
