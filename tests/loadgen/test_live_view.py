import numpy as np

from modeldyno.loadgen.buckets import count_in_buckets
from modeldyno.loadgen.live_view import LiveView
from modeldyno.loadgen.tally_board import Tally
from modeldyno.records.requests import Outcome

S = 1_000_000_000
CONSTANT = np.arange(0, 60 * S, S // 100)
"""100/s for a minute."""


def tally(
    at_s: float,
    *,
    sent: int,
    latencies_ns: list[int] | None = None,
    failures: dict[Outcome, int] | None = None,
    waiting: int = 0,
    in_flight: int = 0,
) -> Tally:
    counts = np.zeros(len(Outcome), np.int64)
    for kind, count in (failures or {}).items():
        counts[kind] = count
    buckets = count_in_buckets(np.array(latencies_ns or [], np.int64))
    return Tally(round(at_s * S), sent, waiting, in_flight, counts, buckets)


def test_before_anything_is_heard_there_is_a_line_too() -> None:
    assert "0/s, backlog 0 in flight, no failures" == LiveView("100/s", CONSTANT).line([])


def test_workers_are_added_up() -> None:
    view = LiveView("100/s", CONSTANT)
    both = [
        tally(2, sent=80, latencies_ns=[10_000_000] * 80, in_flight=3, waiting=10),
        tally(2, sent=100, latencies_ns=[10_000_000] * 100, in_flight=5, waiting=2),
    ]
    assert "90/s of 100/s asked, p50 10 ms, p99 10 ms, backlog 8 in flight + 12 late, no failures" == view.line(both)


def test_failures_are_told_by_kind_the_most_frequent_first() -> None:
    failures = {Outcome.TIMEOUT: 2, Outcome.HTTP_ERROR: 1_500}
    line = LiveView("100/s", CONSTANT).line([tally(1, sent=1, failures=failures), tally(1, sent=1, failures=failures)])
    assert line.endswith("failures: http error 3,000, timeout 4")


def test_rates_and_percentiles_are_those_of_the_last_five_seconds() -> None:
    view = LiveView("100/s", CONSTANT)
    fast, slow = [1_000_000] * 1_000, [50_000_000] * 250
    for second in range(1, 11):
        view.line([tally(second, sent=100 * second, latencies_ns=fast[: 100 * second])])
    for second in range(11, 16):
        line = view.line(
            [tally(second, sent=1_000 + 50 * (second - 10), latencies_ns=fast + slow[: 50 * (second - 10)])]
        )
    assert "50/s of 100/s asked, p50 50 ms, p99 50 ms" in line


def test_the_rate_asked_is_that_of_the_plan_in_these_seconds() -> None:
    ramp = np.sort(np.sqrt(np.linspace(0, 1, 3_000)) * 30 * S).astype(np.int64)
    view = LiveView("200/s", ramp)
    for second in range(21):
        line = view.line([tally(second, sent=0)])
    due = np.searchsorted(ramp, 20 * S) - np.searchsorted(ramp, 15 * S)
    assert f"0/s of {due / 5:.0f}/s asked" in line


def test_a_plan_that_is_over_asks_for_no_more() -> None:
    view = LiveView("100/s", CONSTANT)
    for at_s in (58.0, 59.99, 62.0):
        line = view.line([tally(at_s, sent=round(at_s * 100))])
    assert "of 100/s asked" in line
    for at_s in (70.0, 80.0):
        line = view.line([tally(at_s, sent=6_000, in_flight=7)])
    assert "0/s, backlog 7 in flight, no failures" == line


def test_a_closed_loop_says_who_sends() -> None:
    line = LiveView("8 users", np.empty(0, np.int64)).line([tally(1, sent=400)])
    assert line.startswith("400/s by 8 users")


def test_a_tally_that_comes_twice_changes_nothing() -> None:
    view = LiveView("100/s", CONSTANT)
    once = view.line([tally(1, sent=100, latencies_ns=[1_000_000])])
    assert once == view.line([tally(1, sent=100, latencies_ns=[1_000_000])])
