"""Which waiting requests to compute now, and when to look again."""

from collections.abc import Iterable
from typing import NamedTuple

from modeldyno.errors import UsageError
from modeldyno.records.deployment import Batching


class BatchDecision(NamedTuple):
    """Take so many requests from the front now; or none, and look again at a moment, or on the next event."""

    take: int
    look_again_ns: int | None
    """None: nothing but an arrival or an instance falling idle can change the answer."""


def choose_batch(
    waiting_rows: Iterable[int],
    *,
    max_rows: int,
    preferred_rows: tuple[int, ...] = (),
    due_ns: int,
    idle_instances: int,
    now_ns: int,
) -> BatchDecision:
    """Decide for one queue of requests that can be merged.

    Work-conserving: an idle instance takes what is there, unless it may wait for company until `due_ns`. A request is
    never split; one larger than `max_rows` is computed alone. A batch of a preferred size is taken without waiting,
    the largest that the front of the queue makes (the rule of Triton's dynamic batcher, batcher.md of its user guide).

    Args:
        waiting_rows: rows of each waiting request, in the order in which they are to be computed.
        max_rows: the largest batch.
        preferred_rows: sizes that are not to wait for more.
        due_ns: until when they may wait for company.
        idle_instances: instances that compute nothing.
        now_ns: the present.
    """
    if idle_instances == 0:
        return BatchDecision(0, None)
    take = total = preferred = 0
    is_full = False
    for rows in waiting_rows:
        if take and total + rows > max_rows:
            is_full = True
            break
        take += 1
        total += rows
        if total in preferred_rows:
            preferred = take
        if total >= max_rows:
            is_full = True
            break
    if preferred:
        return BatchDecision(preferred, None)
    if take == 0 or is_full or now_ns >= due_ns:
        return BatchDecision(take, None)
    return BatchDecision(0, due_ns)


def lane_of(priority: int, *, lanes: int, default_priority: int) -> int:
    """The index of the lane that a request waits in, from 0, the highest.

    Args:
        priority: as asked for: 1 is the highest, 0 none. One that is not there counts as none, as in Triton
            (`InferenceRequest::SetPriority`).
        lanes: how many there are.
        default_priority: of requests without one.
    """
    return (priority if 1 <= priority <= lanes else default_priority) - 1


def check_batching(batching: Batching) -> None:
    """Refuse settings that contradict one another.

    Raises:
        UsageError: says which and why.
    """
    lanes = max(1, len(batching.lanes))
    if not 1 <= batching.default_priority <= lanes:
        raise UsageError(
            f"the default priority is {batching.default_priority}, but priorities are from 1 to {lanes}",
            hint=f"choose one from 1 (the highest) to {lanes}",
        )
    for number, lane in enumerate(batching.lanes, 1):
        if (lane.max_queued_rows or 1) < 1 or (lane.timeout_ns is not None and lane.timeout_ns < 1):
            raise UsageError(f"priority {number} admits no request", why="its limit or its timeout is below 1")
    for rows in batching.preferred_rows:
        if not 1 <= rows <= batching.max_rows:
            raise UsageError(
                f"{rows} rows are preferred, but a batch has 1 to {batching.max_rows}",
                hint="prefer other sizes, or allow larger batches",
            )
