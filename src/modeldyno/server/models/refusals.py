"""Why a request was not let into the queue, in words for its client."""

from modeldyno.policies.admission import Admission, Obstacle
from modeldyno.records.deployment import Deployment
from modeldyno.server.call import Call, Refusal
from modeldyno.server.models.batcher import NOBODY_WORKS


def refusal_of(call: Call, admission: Admission | None, deployment: Deployment) -> Refusal:
    """What a call is told that was not admitted.

    Args:
        call: with its lane and its deadline.
        admission: what stood in its way; None: no instance works.
        deployment: whose limits it met.
    """
    if admission is None:
        return Refusal(503, NOBODY_WORKS, 1)
    if admission.obstacle is Obstacle.EXPIRED:
        return Refusal(504, "the deadline had passed before the request was there")
    if admission.obstacle is Obstacle.LATE:
        left_ms = ((call.deadline_ns or 0) - call.queued_ns) / 1e6
        reason = f"what waits already would take longer than the {left_ms:.3f} ms until the deadline"
    else:
        reason = _full(call.lane, deployment)
    return Refusal(503, reason, admission.retry_after_s)


def _full(lane: int, deployment: Deployment) -> str:
    lanes, limit = deployment.batching.lanes, deployment.max_queued_rows
    own_limit = lanes[lane].max_queued_rows if lanes else None
    own = "" if own_limit is None else f", {own_limit} of this priority,"
    return f"the queue of {limit} rows{own} is full; try again later"
