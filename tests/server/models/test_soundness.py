"""A model whose batches fail is asked its own sample, and is ready or not by what becomes of it."""

import logging
from collections.abc import Iterator

import numpy as np
import pytest

from modeldyno.policies.readiness import ASK_EVERY_NS
from modeldyno.protocols import Tensors
from modeldyno.testing.gated_service import GatedService, Outputs, gated_deployment
from modeldyno.testing.sessions import sum_rows

ROW = np.array([[1, 2, 3, 4]], np.float32)
SAMPLE = np.array([[1, 1, 1, 1]], np.float32)


class Moody:
    """Adds up rows, but for those it does not like."""

    def __init__(self) -> None:
        self.is_broken = False
        self.hates_nan = False
        self.asked: list[float] = []

    def __call__(self, inputs: Tensors) -> Outputs:
        self.asked.append(float(inputs["x"][0, 0]))
        if self.is_broken or (self.hates_nan and np.isnan(inputs["x"]).any()):
            raise ValueError("not today")
        return sum_rows(inputs)


@pytest.fixture
def moody() -> Moody:
    return Moody()


@pytest.fixture
def gated(moody: Moody) -> Iterator[GatedService]:
    service = GatedService(compute=moody, probe={"x": SAMPLE})
    yield service
    service.service.close(0)


def compute(gated: GatedService) -> None:
    """Let the session end the batch it has, a ms later, and hear of it."""
    gated.end_batch(gated.sessions[0])


def is_ready(gated: GatedService) -> bool:
    return gated.service.is_able


def trouble(gated: GatedService) -> str | None:
    return gated.service.trouble


def fail(gated: GatedService, times: int, row: np.ndarray = ROW) -> list[int | None]:
    asked = []
    for _ in range(times):
        asked.append(gated.ask(row))
        compute(gated)
    return [one.status for one in asked]


def test_a_few_failures_bring_the_sample_and_its_failure_makes_the_model_not_ready(
    gated: GatedService, moody: Moody
) -> None:
    moody.is_broken = True
    assert [500, 500, 500] == fail(gated, 3)
    assert is_ready(gated)
    compute(gated)
    assert not is_ready(gated)
    assert "the model's own sample among them" in str(trouble(gated))
    assert [1.0, 1.0, 1.0, SAMPLE[0, 0]] == moody.asked


def test_requests_are_still_tried_and_the_first_that_succeeds_makes_the_model_ready(
    gated: GatedService, moody: Moody
) -> None:
    moody.is_broken = True
    fail(gated, 3)
    compute(gated)
    moody.is_broken = False
    asked = gated.ask(ROW)
    assert not is_ready(gated)
    compute(gated)
    assert 200 == asked.status
    assert is_ready(gated)


def test_without_requests_the_sample_is_asked_again_every_second_until_it_is_answered(
    gated: GatedService, moody: Moody, caplog: pytest.LogCaptureFixture
) -> None:
    moody.is_broken = True
    fail(gated, 3)
    compute(gated)
    for _ in range(2):
        gated.advance_ns(ASK_EVERY_NS)
        compute(gated)
        assert not is_ready(gated)
    moody.is_broken = False
    gated.advance_ns(ASK_EVERY_NS)
    compute(gated)
    assert is_ready(gated)
    asked = len(moody.asked)
    with caplog.at_level(logging.WARNING):
        gated.advance_ns(ASK_EVERY_NS)
    assert "ready again" in caplog.text
    gated.advance_ns(10 * ASK_EVERY_NS)
    assert asked == len(moody.asked) == 7


def test_the_sample_is_nobodys_request(gated: GatedService, moody: Moody) -> None:
    moody.is_broken = True
    fail(gated, 3)
    compute(gated)
    moody.is_broken = False
    gated.advance_ns(ASK_EVERY_NS)
    compute(gated)
    account = gated.tally.account()
    assert (3, 3, 0, 0) == (account.accepted, account.failed, account.answered, account.unaccounted)
    statistics = gated.service.statistics()
    assert (0, 3) == (statistics.success.count, statistics.fail.count)


def test_one_client_that_asks_what_cannot_be_answered_does_not_make_the_model_look_broken(
    gated: GatedService, moody: Moody
) -> None:
    moody.hates_nan = True
    for _ in range(4):
        assert [500, 500, 500] == fail(gated, 3, ROW * np.nan)
        assert is_ready(gated)
        compute(gated)
        assert is_ready(gated)
        gated.advance_ns(ASK_EVERY_NS)


def test_a_sample_that_still_waits_is_asked_once(gated: GatedService, moody: Moody) -> None:
    moody.is_broken = True
    fail(gated, 3)
    compute(gated)
    slow = gated.ask(ROW)
    gated.advance_ns(5 * ASK_EVERY_NS)
    assert 1 == gated.service.queued_calls
    compute(gated)
    assert 500 == slow.status
    compute(gated)
    assert 5 + 1 == len(moody.asked)


def test_the_sample_is_never_merged_with_anybodys_request(gated: GatedService, moody: Moody) -> None:
    moody.is_broken = True
    fail(gated, 3)
    compute(gated)
    slow = gated.ask(ROW)
    beside = gated.ask(ROW)
    gated.advance_ns(ASK_EVERY_NS)
    assert 2 == gated.service.queued_calls
    moody.is_broken = False
    for _ in range(3):
        compute(gated)
    assert [200, 200] == [slow.status, beside.status]
    assert {1} == set(gated.sessions[0].batches)


def test_a_model_without_a_sample_gets_another_chance_after_a_while(moody: Moody) -> None:
    gated = GatedService(compute=moody)
    moody.is_broken = True
    fail(gated, 3)
    assert "3 batches in a row failed" == trouble(gated)
    gated.advance_ns(10 * 10**9)
    assert trouble(gated) is None
    gated.service.close(0)


def test_a_model_whose_instances_make_no_progress_is_not_ready_long_before_they_are_given_up(moody: Moody) -> None:
    gated = GatedService(gated_deployment(stall_limit_ns=60 * 10**9), compute=moody)
    gated.ask(ROW)
    gated.advance_ns(29 * 10**9)
    assert is_ready(gated)
    gated.advance_ns(2 * 10**9)
    assert "no instance of the model makes progress" == trouble(gated)
    gated.end_batch(gated.sessions[0])
    assert is_ready(gated)
    gated.service.close(0)


def test_one_instance_that_makes_progress_is_enough(moody: Moody) -> None:
    gated = GatedService(gated_deployment(instances=2), instances=2, compute=moody)
    gated.ask(ROW)
    gated.advance_ns(31 * 10**9)
    assert is_ready(gated)
    gated.ask(ROW)
    assert is_ready(gated)
    gated.close()


def test_a_model_whose_only_instance_was_given_up_is_not_ready(moody: Moody) -> None:
    gated = GatedService(gated_deployment(stall_limit_ns=10**9), compute=moody)
    asked = gated.ask(ROW)
    gated.loop.advance_ns(2 * 10**9)
    assert 503 == asked.status
    assert "every instance of the model hangs" == trouble(gated)
    gated.sessions[0].orders.put(None)
    gated.loop.wait_for_thread()
    assert is_ready(gated)
    gated.service.close(0)


def test_a_failure_after_the_end_brings_no_sample(gated: GatedService, moody: Moody) -> None:
    moody.is_broken = True
    fail(gated, 2)
    gated.ask(ROW)
    gated.service.close(0)
    gated.sessions[0].orders.put(None)
    gated.loop.wait_for_thread()
    assert 3 == len(moody.asked)
    assert (0, 0) == (gated.loop.timers, gated.service.queued_calls)


def test_a_closed_service_asks_nothing_more(gated: GatedService, moody: Moody) -> None:
    moody.is_broken = True
    fail(gated, 3)
    compute(gated)
    gated.service.close(0)
    asked = len(moody.asked)
    gated.advance_ns(5 * ASK_EVERY_NS)
    assert (asked, 0) == (len(moody.asked), gated.loop.timers)
