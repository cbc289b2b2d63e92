"""When a worker process is given no more work, when it is taken for hung, and when a dead one is started again."""

from enum import Enum

BEAT_S = 0.25
"""A worker's loop says so often that it turns."""
STALE_BEATS = 8
"""Two seconds: a worker that is starved for a moment keeps its place; one that computes without end does not."""
GOOD_RUN_NS = 60 * 10**9
"""A worker that ran for so long had no trouble with starting."""
MOST_SILENT_STARTS = 3
"""Starts in a row that ended without a word, before the first that went well; then the server gives up."""
_FIRST_DELAY_NS = 10**9 // 4
_LONGEST_DELAY_NS = 30 * 10**9


class Pulse(Enum):
    """How a worker's silence is taken."""

    FRESH = "fresh"
    """It gets connections."""
    STALE = "stale"
    """It gets none until it is heard of again."""
    HUNG = "hung"
    """It is ended, and another started."""


def pulse_of(silent_beats: int, *, hung_beats: int) -> Pulse:
    """What to make of a silence.

    Beats and not times: they are counted by who listens, so that a machine that stood still, or a supervisor that got
    no processor, makes nobody else look hung.

    Args:
        silent_beats: intervals of `BEAT_S` since the worker was last heard of.
        hung_beats: as many of them as it may be silent for.
    """
    if silent_beats > hung_beats:
        return Pulse.HUNG
    return Pulse.STALE if silent_beats > STALE_BEATS else Pulse.FRESH


def failures_after(failures: int, ran_ns: int) -> int:
    """The number of bad runs in a row, one that lasted `ran_ns` included; a long one ends the row."""
    return 0 if ran_ns >= GOOD_RUN_NS else failures + 1


def restart_delay_ns(failures: int) -> int:
    """How long to wait before the next start: none after a good run, then twice as long each time, up to a ceiling."""
    if failures <= 1:
        return 0
    # The exponent is bounded before it is used: failures may come to millions in a year.
    return min(_LONGEST_DELAY_NS, _FIRST_DELAY_NS << min(failures - 2, 20))
