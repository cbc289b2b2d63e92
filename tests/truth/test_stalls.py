"""A server that does nothing now and then: who asks on schedule sees it, who waits for answers does not."""

import numpy as np
import pytest

from modeldyno.testing.known_servers import Behaviour

from .accounts import TwoAccounts
from .conftest import Measure

MS = 1_000_000
S = 1_000 * MS


def response_quantile_ms(told: TwoAccounts, fraction: float) -> float:
    return float(np.quantile(told.answered["done_ns"] - told.answered["planned_ns"], fraction)) / MS


def both_loops(measure: Measure, behaviour: Behaviour, duration_ns: int) -> tuple[TwoAccounts, TwoAccounts]:
    """A closed loop of one user, and an open one of the mean rate which that delivered."""
    closed = measure(behaviour, arrivals="closed", concurrency=1, duration_ns=duration_ns, connections=1)
    rate_per_s = closed.summary.answered_per_s
    return closed, measure(behaviour, rate_per_s=rate_per_s, duration_ns=duration_ns, arrivals="constant")


STALLING = Behaviour(delay_ns=5 * MS, stall_every_ns=S, stall_ns=150 * MS)
"""Of every second nothing is answered for 150 ms: 15 % of all moments, but one request of a user who waits."""


def test_no_wait_is_shorter_in_the_report_than_the_server_made_it(measure: Measure) -> None:
    for told in both_loops(measure, STALLING, 2_500 * MS):
        assert {} == told.summary.failures
        waited_ns = np.sort(told.truth["due_ns"] - told.truth["arrived_ns"])
        assert np.all(np.sort(told.answered["done_ns"] - told.answered["planned_ns"]) >= waited_ns)


@pytest.mark.real_time
def test_a_stall_appears_in_full_in_the_open_loop_and_hardly_in_the_closed_one(measure: Measure) -> None:
    closed, opened = both_loops(measure, STALLING, 2_500 * MS)

    # Both met the same stalls.
    for told in (closed, opened):
        assert told.truth["arrived_ns"][-1] - told.truth["arrived_ns"][0] > 2 * S
        assert 100 * MS < (told.truth["due_ns"] - told.truth["arrived_ns"]).max()
    # What is due at any moment of a stall waits for the rest of it: from all of it to nothing.
    assert response_quantile_ms(opened, 0.99) > 110
    assert response_quantile_ms(opened, 0.95) > 60
    # The user who waits met each stall once, with one of some hundred requests.
    share = np.mean(closed.truth["due_ns"] - closed.truth["arrived_ns"] > 45 * MS)
    assert share <= 3 / len(closed.truth)


def worst_hundredth_ns(behaviour: Behaviour) -> int:
    """The p99 of the response time, if requests come at any moment.

    Who comes t after the begin of a stall is answered one delay after its end; who comes less than a delay before
    it is answered at its end. So of every period those wait longer than w who come in stall + 2 delays - w of it.
    """
    return behaviour.stall_ns + 2 * behaviour.delay_ns - behaviour.stall_every_ns // 100


@pytest.mark.slow
@pytest.mark.real_time
def test_half_a_second_in_five_is_in_p99_and_max_and_a_closed_loop_would_hide_it(measure: Measure) -> None:
    behaviour = Behaviour(delay_ns=5 * MS, stall_every_ns=5 * S, stall_ns=500 * MS)
    closed, opened = both_loops(measure, behaviour, 61 * S)

    latency = opened.summary.response_time
    assert latency.max_ns is not None
    assert latency.max_ns.value > 495 * MS
    expected_ns = worst_hundredth_ns(behaviour)
    waited_ns = float(np.quantile(opened.truth["due_ns"] - opened.truth["arrived_ns"], 0.99))
    assert pytest.approx(expected_ns, abs=25 * MS) == waited_ns
    assert response_quantile_ms(opened, 0.99) >= waited_ns / MS
    assert latency.p99_ns is None or 400 * MS < latency.p99_ns.value < 520 * MS  # a dozen stalls are few to judge by
    assert response_quantile_ms(closed, 0.99) < 50
    hidden = closed.summary.response_time
    assert hidden.p99_ns is None or hidden.p99_ns.value < 50 * MS
    assert pytest.approx(opened.summary.answered_per_s, rel=0.02) == closed.summary.answered_per_s


@pytest.mark.slow
@pytest.mark.real_time
@pytest.mark.timeout(600)
def test_half_a_second_in_five_is_the_p99_of_the_report_after_fifty_stalls(measure: Measure) -> None:
    """Whole stalls are the independent events here: five of a hundredth of the time each are asked for a p99."""
    behaviour = Behaviour(delay_ns=5 * MS, stall_every_ns=5 * S, stall_ns=500 * MS)
    told = measure(behaviour, rate_per_s=100, duration_ns=280 * S)
    p99 = told.summary.response_time.p99_ns
    assert p99 is not None
    assert worst_hundredth_ns(behaviour) - 30 * MS < p99.value < 540 * MS
    assert p99.low is not None
    assert p99.high is not None
    assert 400 * MS < p99.low - MS < worst_hundredth_ns(behaviour) < p99.high + MS
