"""`modeldyno.server.models.refusals`: each obstacle has its status and its words."""

import numpy as np

from modeldyno.policies.admission import Admission, Obstacle
from modeldyno.records.deployment import Batching, Lane
from modeldyno.server.call import Call, Refusal
from modeldyno.server.models.refusals import refusal_of
from modeldyno.testing.gated_service import gated_deployment
from modeldyno.wire.v2_request import InferRequest

DEPLOYMENT = gated_deployment(max_queued_rows=64)
WITH_LANES = gated_deployment(Batching(max_rows=8, lanes=(Lane(), Lane(max_queued_rows=16))), max_queued_rows=64)


def _call(*, deadline_ns: int | None = None, lane: int = 0) -> Call:
    request = InferRequest({"x": np.zeros((1, 2), np.float32)}, 1, 2, ((2,),), (), None)
    return Call(request, print, started_ns=0, queued_ns=1_000_000, deadline_ns=deadline_ns, lane=lane)


def _said(obstacle: Obstacle) -> Admission:
    return Admission(obstacle, 3)


def test_where_no_instance_works_the_client_is_to_come_back() -> None:
    refusal = refusal_of(_call(), None, DEPLOYMENT)
    assert (503, 1) == (refusal.status, refusal.retry_after_s)


def test_a_deadline_that_had_passed_is_no_reason_to_come_back() -> None:
    expected = Refusal(504, "the deadline had passed before the request was there")
    assert expected == refusal_of(_call(deadline_ns=5), _said(Obstacle.EXPIRED), DEPLOYMENT)


def test_a_deadline_that_cannot_be_met_is_told_with_what_was_left_of_it() -> None:
    reason = "what waits already would take longer than the 2.500 ms until the deadline"
    expected = Refusal(503, reason, 3)
    assert expected == refusal_of(_call(deadline_ns=3_500_000), _said(Obstacle.LATE), DEPLOYMENT)


def test_a_full_queue_is_told_with_its_size() -> None:
    expected = Refusal(503, "the queue of 64 rows is full; try again later", 3)
    assert expected == refusal_of(_call(), _said(Obstacle.FULL), DEPLOYMENT)
    assert expected == refusal_of(_call(lane=0), _said(Obstacle.FULL), WITH_LANES)


def test_a_priority_with_a_limit_of_its_own_is_told_both() -> None:
    expected = Refusal(503, "the queue of 64 rows, 16 of this priority, is full; try again later", 3)
    assert expected == refusal_of(_call(lane=1), _said(Obstacle.FULL), WITH_LANES)
