"""Whether a request may wait, and if not, when to come back."""

import math
from enum import Enum
from typing import NamedTuple

LONGEST_RETRY_S = 60
"""A longer promise would be a guess: the load that filled the queue will have changed."""


class Obstacle(Enum):
    """Why a request may not wait."""

    FULL = "full"
    """The queue holds no more rows."""
    LATE = "late"
    """What waits already would take it past its deadline."""
    EXPIRED = "expired"
    """Its deadline has passed."""


class Admission(NamedTuple):
    """Admitted when there is no obstacle; else the seconds after which a try is worth while."""

    obstacle: Obstacle | None
    retry_after_s: int

    @property
    def is_admitted(self) -> bool:
        """Whether it may wait."""
        return self.obstacle is None


_ADMITTED = Admission(None, 0)


def has_room(*, rows: int, queued_rows: int, max_queued_rows: int) -> bool:
    """Whether so many rows more fit.

    A request larger than the whole queue fits when nothing waits: refused, it could never be served.
    """
    return queued_rows == 0 or queued_rows + rows <= max_queued_rows


def expected_wait_ns(rows_ahead: int, *, free_in_ns: float, drained_rows_per_s: float | None) -> float | None:
    """How long a request will wait for an instance; None when that is not known yet.

    Args:
        rows_ahead: rows that will be computed before it, those being computed not among them.
        free_in_ns: until the first instance falls idle; 0 when one is.
        drained_rows_per_s: how fast rows leave the queue under load.
    """
    if rows_ahead == 0:
        return free_in_ns
    return free_in_ns + rows_ahead * 1e9 / drained_rows_per_s if drained_rows_per_s else None


def admit(
    *,
    rows: int,
    queued_rows: int,
    max_queued_rows: int,
    drained_rows_per_s: float | None,
    time_left_ns: int | None = None,
    expected_wait_ns: float | None = None,
    expected_compute_ns: float | None = None,
) -> Admission:
    """Decide for one request of `rows` when `queued_rows` wait already.

    A request is refused as too late only because of those before it: one that finds an instance idle is tried,
    whatever was expected of it. Otherwise one slow batch would shut out all that could show that it was an exception.

    Args:
        rows: rows of the request.
        queued_rows: rows that wait, those being computed not among them.
        max_queued_rows: how many may wait.
        drained_rows_per_s: how fast rows leave the queue under load; None when that is not known yet.
        time_left_ns: until its deadline; None without one.
        expected_wait_ns: until an instance would take it; None when that is not known, 0 when one is idle.
        expected_compute_ns: how long its batch would then take.
    """
    if time_left_ns is not None:
        if time_left_ns <= 0:
            return Admission(Obstacle.EXPIRED, 1)
        if expected_wait_ns:
            missing_ns = expected_wait_ns + (expected_compute_ns or 0) - time_left_ns
            if missing_ns > 0:
                return Admission(Obstacle.LATE, _whole_seconds(min(missing_ns, expected_wait_ns) / 1e9))
    if has_room(rows=rows, queued_rows=queued_rows, max_queued_rows=max_queued_rows):
        return _ADMITTED
    if not drained_rows_per_s:
        return Admission(Obstacle.FULL, 1)
    # Rows that must leave before this request fits, or before the queue is empty when it never fits.
    surplus = min(queued_rows, queued_rows + rows - max_queued_rows)
    return Admission(Obstacle.FULL, _whole_seconds(surplus / drained_rows_per_s))


def _whole_seconds(seconds: float) -> int:
    return max(1, math.ceil(min(seconds, LONGEST_RETRY_S)))
