import math
from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from modeldyno.records.requests import Outcome
from modeldyno.records.verdict import MeasurementVerdict
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.stats.judge import judge_run
from modeldyno.stats.summary import summarise

Make = Callable[..., np.ndarray]
Judge = Callable[..., MeasurementVerdict]


@pytest.fixture
def judge(workload: Workload, effective: EffectiveWorkload) -> Judge:
    def run(rows: np.ndarray, *, interrupted: bool = False, **changes: object) -> MeasurementVerdict:
        summary = summarise(rows, workload, ())
        changed = msgspec.structs.replace(effective, **changes)
        return judge_run(summary, rows, workload, changed, (), interrupted=interrupted)

    return run


def only_reason(verdict: MeasurementVerdict) -> str:
    assert verdict.measurement == "invalid"
    assert len(verdict.reasons) == 1, verdict.reasons
    return verdict.reasons[0]


def test_a_good_run_is_valid(make_run: Make, judge: Judge) -> None:
    for seed in range(10):
        verdict = judge(make_run(seed=seed))
        assert (verdict.measurement, verdict.reasons) == ("valid", ())


def test_hiccups_of_ten_milliseconds_on_a_shared_machine_are_valid(make_run: Make, judge: Judge) -> None:
    rows = make_run(3000)
    random = np.random.default_rng(1)
    for start in random.choice(2900, 12, replace=False):  # every half second or so, five requests held up
        rows["sent_ns"][start : start + 5] += 10_000_000
        rows["done_ns"][start : start + 5] += 10_000_000
    assert judge(rows).measurement == "valid"


def test_a_chance_offset_of_a_poisson_schedule_is_no_fault_of_the_client(make_run: Make, judge: Judge) -> None:
    rows = make_run(1000, seed=4)
    rows["planned_ns"] = rows["planned_ns"] * 11 // 10
    rows["sent_ns"] = rows["planned_ns"] + 20_000
    rows["done_ns"] = rows["sent_ns"] + 1_000_000
    verdict = judge(rows)
    assert verdict.measurement == "valid"
    assert any("nominal" in note for note in verdict.notes)


def test_a_client_that_falls_behind_its_plan_is_invalid(make_run: Make, judge: Judge) -> None:
    rows = make_run()
    took = rows["done_ns"] - rows["sent_ns"]
    rows["sent_ns"] = rows["planned_ns"] + (rows["planned_ns"] * 0.05).astype(np.int64)
    rows["done_ns"] = rows["sent_ns"] + took
    verdict = judge(rows)
    assert verdict.measurement == "invalid"
    assert any("less: the client fell behind its plan" in reason for reason in verdict.reasons)


def test_a_starved_client_is_invalid(make_run: Make, judge: Judge) -> None:
    assert "the client is starved" in only_reason(judge(make_run(late_ns=800e3)))


def test_late_sends_that_move_the_tail_are_invalid(make_run: Make, judge: Judge) -> None:
    rows = make_run(4000)
    late = np.random.default_rng(2).random(4000) < 0.08
    rows["sent_ns"] += np.where(late, 15_000_000, 0)
    rows["done_ns"] += np.where(late, 15_000_000, 0)
    assert "moved p99" in only_reason(judge(rows))


def test_late_sends_that_are_nothing_beside_a_slow_server_are_valid(make_run: Make, judge: Judge) -> None:
    rows = make_run(4000, service_ns=40e6)
    late = np.random.default_rng(2).random(4000) < 0.08
    rows["sent_ns"] += np.where(late, 2_000_000, 0)
    rows["done_ns"] += np.where(late, 2_000_000, 0)
    assert judge(rows).measurement == "valid"


def test_a_busy_client_an_unsent_request_and_too_few_requests_are_invalid(make_run: Make, judge: Judge) -> None:
    assert "97 % of a core" in only_reason(judge(make_run(), client_cpu_fraction=0.97))
    rows = make_run()
    rows["outcome"][-1] = Outcome.NOT_SENT
    rows["sent_ns"][-1] = rows["done_ns"][-1] = -1
    assert "1 of 2,000 planned requests were never sent" in only_reason(judge(rows))
    assert "only 40 requests" in only_reason(judge(make_run(40)))


def test_impossible_stamps_are_invalid(make_run: Make, judge: Judge) -> None:
    rows = make_run()
    rows["done_ns"][5] = rows["sent_ns"][5] - 1
    assert any("impossible stamps" in reason for reason in judge(rows).reasons)
    rows = make_run()
    rows["sent_ns"][7] = rows["planned_ns"][7] - 50_000
    assert "1 sent before" in only_reason(judge(rows))


def test_an_interrupted_run_is_invalid_and_its_unsent_requests_are_not_blamed_on_the_client(
    make_run: Make, judge: Judge
) -> None:
    rows = make_run()
    rows["outcome"][1500:] = Outcome.INTERRUPTED
    rows["sent_ns"][1500:] = rows["done_ns"][1500:] = -1
    assert "interrupted" in only_reason(judge(rows, interrupted=True))


def test_an_overloaded_server_makes_an_invalid_run(
    make_run: Make, make_queue: Callable[..., tuple[np.ndarray, np.ndarray]], judge: Judge
) -> None:
    rows = make_run()
    planned, done = make_queue(1, 2000, 1.3)
    rows["planned_ns"] = rows["sent_ns"] = planned[0]
    rows["done_ns"] = done[0]
    verdict = judge(rows)
    assert any("the backlog grew" in reason for reason in verdict.reasons)


def test_steady_failures_without_an_end_are_no_backlog(make_run: Make, judge: Judge) -> None:
    rows = make_run()
    refused = np.random.default_rng(3).random(2000) < 0.1
    rows["outcome"][refused] = Outcome.REFUSED
    rows["done_ns"][refused] = -1
    assert judge(rows).measurement == "valid"


def test_requests_that_time_out_are_outstanding_until_their_time_is_up(make_run: Make, judge: Judge) -> None:
    rows = make_run()
    rows["outcome"][600:] = Outcome.TIMEOUT
    rows["done_ns"][600:] = -1
    assert any("the backlog grew" in reason for reason in judge(rows).reasons)


def test_a_check_that_cannot_run_is_said_so(make_run: Make, judge: Judge) -> None:
    verdict = judge(make_run(120), client_cpu_fraction=math.nan)
    assert any(note.startswith("a trend could not be checked") for note in verdict.notes)
    assert any("CPU time could not be checked" in note for note in verdict.notes)


def test_connections_that_ran_out_or_were_lost_are_noted(make_run: Make, judge: Judge) -> None:
    notes = " ".join(judge(make_run(), connections=256, reconnects=12).notes)
    assert "all 256 connections were open" in notes
    assert "12 connections had to be opened anew" in notes


def test_time_that_the_hypervisor_took_is_noted(make_run: Make, judge: Judge) -> None:
    assert any("gave 6.48 % of this machine's" in note for note in judge(make_run(), stolen_fraction=0.0648).notes)
    for none in (None, 0.001):
        assert not any("hypervisor" in note for note in judge(make_run(), stolen_fraction=none).notes)


def test_sends_that_are_late_while_the_hypervisor_takes_the_core_call_for_a_core_kept_awake(
    make_run: Make, judge: Judge
) -> None:
    rows = make_run(service_ns=1e5)
    held_up = np.flatnonzero(np.arange(len(rows)) % 100 < 10)
    for column in ("sent_ns", "done_ns"):
        rows[column][held_up] += 5_000_000

    stolen = judge(rows, stolen_fraction=0.0648)
    assert "keep it awake (--awake)" in only_reason(stolen)
    assert any("keep the core of the sender awake (--awake)" in note for note in stolen.notes)
    for changes in ({"stolen_fraction": 0.0}, {"stolen_fraction": 0.0648, "awake_fraction": 1.0}):
        verdict = judge(rows, **changes)
        assert "--awake" not in only_reason(verdict)
        assert not any("keep the core" in note for note in verdict.notes)
    assert "shares its core" in only_reason(verdict)


def test_sends_that_were_on_time_need_no_core_kept_awake(make_run: Make, judge: Judge) -> None:
    assert not any("--awake" in note for note in judge(make_run(), stolen_fraction=0.0648).notes)


@pytest.mark.parametrize(
    ("changes", "words"),
    (
        ({"awake_fraction": 1.0}, "the client stayed awake, at the cost of a core (--awake)"),
        ({"awake_fraction": 0.93, "workers": 2}, "awake for 93 % of the time, at the cost of 2 cores"),
    ),
)
def test_what_a_client_that_stayed_awake_cost_is_noted(
    make_run: Make, judge: Judge, changes: dict[str, float], words: str
) -> None:
    assert any(words in note for note in judge(make_run(), **changes).notes)


def test_a_server_that_answers_nothing_is_a_result_with_a_note(make_run: Make, judge: Judge) -> None:
    rows = make_run()
    rows["outcome"] = Outcome.HTTP_ERROR
    rows["status"] = 500
    verdict = judge(rows)
    assert verdict.measurement == "valid"
    assert any("no request was answered" in note for note in verdict.notes)


def test_a_server_that_goes_away_is_the_reason_and_no_advice_to_run_longer(make_run: Make, judge: Judge) -> None:
    rows = make_run()
    rows["outcome"][1000:] = Outcome.REFUSED
    rows["done_ns"][1000:] = rows["planned_ns"][1000:]
    reason = only_reason(judge(rows))
    assert "the server answered nothing from" in reason
    assert "run longer" not in reason


def test_what_the_server_said_with_its_errors_is_noted(make_run: Make, judge: Judge) -> None:
    rows = make_run()
    rows["outcome"][::10], rows["status"][::10] = Outcome.HTTP_ERROR, 400
    notes = judge(rows, failures_said={"http_400": "no such model", "http_503": "in the warm-up alone"}).notes
    assert ["the server said with http_400: no such model"] == [note for note in notes if "said with" in note]


def test_late_sends_are_not_held_against_answers_that_there_are_not(make_run: Make, judge: Judge) -> None:
    rows = make_run(late_ns=5e6)
    rows["outcome"] = Outcome.HTTP_ERROR
    assert "late, and nothing was answered" in " ".join(judge(rows).reasons)


def test_a_rate_of_which_nothing_was_sent_is_not_blamed_on_the_server(make_run: Make, judge: Judge) -> None:
    rows = make_run()
    rows["outcome"] = Outcome.NOT_SENT
    rows["sent_ns"] = rows["done_ns"] = -1
    reasons = " ".join(judge(rows).reasons)
    assert "only 0 of 2,000 requests were measured" in reasons
    assert "fewer than two requests were sent; lower the rate" in reasons
    assert "is the server there?" not in reasons


def test_a_server_that_is_not_there_makes_no_valid_run(make_run: Make, judge: Judge) -> None:
    rows = make_run()
    rows["outcome"] = Outcome.REFUSED
    rows["sent_ns"] = rows["done_ns"] = -1
    assert "is the server there?" in only_reason(judge(rows))


def test_no_rows_at_all_are_judged_invalid_and_not_a_crash(make_run: Make, judge: Judge) -> None:
    assert judge(make_run(0)).measurement == "invalid"
