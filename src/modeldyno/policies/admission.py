"""Whether a request may wait, and if not, when to come back."""

import math
from typing import NamedTuple

LONGEST_RETRY_S = 60
"""A longer promise would be a guess: the load that filled the queue will have changed."""


class Admission(NamedTuple):
    """Admitted, or refused with the seconds after which a try is worth while."""

    is_admitted: bool
    retry_after_s: int


def admit(*, rows: int, queued_rows: int, max_queued_rows: int, drained_rows_per_s: float | None) -> Admission:
    """Decide for one request of `rows` when `queued_rows` wait already.

    A request larger than the whole queue is admitted when nothing waits: refused, it could never be served.

    Args:
        rows: rows of the request.
        queued_rows: rows that wait, those being computed not among them.
        max_queued_rows: how many may wait.
        drained_rows_per_s: how fast rows leave the queue under load; None when that is not known yet.
    """
    if queued_rows == 0 or queued_rows + rows <= max_queued_rows:
        return Admission(is_admitted=True, retry_after_s=0)
    if not drained_rows_per_s:
        return Admission(is_admitted=False, retry_after_s=1)
    # Rows that must leave before this request fits, or before the queue is empty when it never fits.
    surplus = min(queued_rows, queued_rows + rows - max_queued_rows)
    seconds = math.ceil(min(surplus / drained_rows_per_s, LONGEST_RETRY_S))
    return Admission(is_admitted=False, retry_after_s=max(1, seconds))
